package codec

import "github.com/sotto-sfu/sotto/sfu/rtpext"

// Frame is what a forwarder may know of the frame that a packet belongs to.
type Frame struct {
	// Key marks the first packet of a key frame: a point where decoding can start. For
	// spatial layers it is the first packet of the lowest one.
	Key bool
	// Start and End mark the first and last packet of the (layer) frame. Without a
	// dependency descriptor End is the RTP marker for all codecs but VP9, and Start for
	// AV1 only means that the packet does not begin in the middle of a unit.
	Start, End        bool
	Spatial, Temporal uint8
	// HasNumber says that a dependency descriptor gave the frame's Number.
	HasNumber bool
	Number    uint16
	// Counters are those of the payload descriptor, for VP8 and VP9.
	Counters Counters
}

// Inspector looks at the packets of one incoming layer. It keeps the latest
// dependency descriptor structure; it is not safe for concurrent use.
type Inspector struct {
	codec Codec
	dd    rtpext.DDParser
}

// NewInspector returns an inspector for a layer of the given codec.
func NewInspector(c Codec) *Inspector { return &Inspector{codec: c} }

// Codec is the codec given to NewInspector.
func (i *Inspector) Codec() Codec { return i.codec }

// Structure is the latest dependency descriptor structure, nil if there was none.
func (i *Inspector) Structure() *rtpext.Structure { return i.dd.Structure() }

// Inspect says what is known of a packet. Feed it each packet once (a repeat may bring an old
// structure back). What cannot be parsed gives a Frame that is no key
// frame: the packet may still be forwarded to those who are already watching.
func (i *Inspector) Inspect(p *rtpext.Packet) Frame {
	if p.PaddingOnly() {
		return Frame{}
	}
	var f Frame
	switch i.codec {
	case VP8:
		f = inspectVP8(p)
	case VP9:
		f = inspectVP9(p)
	case AV1:
		f = inspectAV1(p)
	default:
		return Frame{Start: true, End: true}
	}
	if p.DD != nil {
		i.descriptor(p.DD, &f)
	}
	return f
}

// descriptor refines a frame by the packet's dependency descriptor, which knows the
// frame's borders and layers better than the payload does.
func (i *Inspector) descriptor(b []byte, f *Frame) {
	var d rtpext.DD
	err := i.dd.Parse(b, &d)
	if err != nil && err != rtpext.ErrDDStructure { // bare sentinel, see DDParser.Parse
		return
	}
	f.Start, f.End = d.Start, d.End
	f.HasNumber, f.Number = true, d.FrameNumber
	if err == nil {
		f.Temporal = d.Temporal
		if i.codec != VP8 { // which has no spatial layers, whatever a sender numbers its simulcast
			f.Spatial = d.Spatial
		}
	}
	// VP8 and VP9 say it themselves. For AV1 the attached structure is the better
	// sign: some senders repeat N on what only looks like a new sequence.
	if i.codec == AV1 {
		f.Key = d.Attached
	}
	// Where descriptor and payload disagree, decoding does not start here.
	f.Key = f.Key && f.Start && f.Spatial == 0
}

func inspectVP8(p *rtpext.Packet) Frame {
	var d VP8Descriptor
	if d.Parse(p.Payload) != nil {
		return Frame{}
	}
	f := Frame{Start: d.Start && d.Partition == 0, End: p.Marker, Temporal: d.TID, Counters: d.counters()}
	f.Key = f.Start && len(p.Payload) > d.Len && vp8Key(p.Payload[d.Len])
	return f
}

func inspectVP9(p *rtpext.Packet) Frame {
	var d VP9Descriptor
	if d.Parse(p.Payload) != nil {
		return Frame{}
	}
	return Frame{
		Key:   d.Start && !d.Predicted && d.SID == 0,
		Start: d.Start, End: d.End,
		Spatial: d.SID, Temporal: d.TID,
		Counters: d.counters(),
	}
}

func inspectAV1(p *rtpext.Packet) Frame {
	var a AV1Aggregation
	if a.Parse(p.Payload) != nil {
		return Frame{}
	}
	return Frame{Key: a.NewSequence && !a.Continues, Start: !a.Continues, End: p.Marker}
}
