package sfu

import (
	"time"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/keyframe"
	"github.com/sotto-sfu/sotto/sfu/nack"
	"github.com/sotto-sfu/sotto/sfu/packetcache"
	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
	"github.com/sotto-sfu/sotto/sfu/transport"
)

// layer is one incoming stream: an SSRC and the RTX stream that repairs it.
type layer struct {
	id   forward.Source // unique in the SFU
	src  *source
	ssrc uint32
	pub  *transport.Publish
	ext  *rtpext.IDs
	// cache is written on the publisher's reading goroutine and read by any.
	cache *packetcache.Cache

	// The rest is guarded by the publisher's inbound.mu.
	unwrap     seqnum.Unwrapper
	recv       *rtcpstat.Receiver
	nacks      nack.Generator
	keys       keyframe.Requester[*slot] // a nil slot stands for the layer itself
	firSeq     uint8
	inspectors [codec.AV1 + 1]*codec.Inspector
	pt         *transport.PayloadType // of the newest packet
	heard      time.Time              // when that came
}

func newLayer(id forward.Source, src *source, ssrc uint32, pub *transport.Publish, ext *rtpext.IDs) *layer {
	l := &layer{id: id, src: src, ssrc: ssrc, pub: pub, ext: ext}
	if src.name.Video() {
		l.cache = packetcache.New(packetcache.VideoSlots, packetcache.VideoSlotSize)
		l.recv = rtcpstat.NewReceiver(codec.VP8.ClockRate())
	} else {
		l.cache = packetcache.New(packetcache.AudioSlots, packetcache.AudioSlotSize)
		l.recv = rtcpstat.NewReceiver(codec.Opus.ClockRate())
	}
	return l
}

// codecOf is what a payload type means in a section, unless it is for retransmissions.
func codecOf(pub *transport.Publish, number uint8) (codec.Codec, *transport.PayloadType) {
	pt, rtx := pub.ByNumber(number)
	if pt == nil || rtx {
		return codec.Unknown, nil
	}
	return pt.Codec, pt
}

// inspect looks at a packet's frame. inbound.mu is held.
func (l *layer) inspect(c codec.Codec, p *rtpext.Packet) codec.Frame {
	if l.inspectors[c] == nil {
		l.inspectors[c] = codec.NewInspector(c)
	}
	return l.inspectors[c].Inspect(p)
}
