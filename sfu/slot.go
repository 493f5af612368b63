package sfu

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// slot is one outgoing stream of a subscriber.
type slot struct {
	peer *Peer // the subscriber
	conn transport.Conn
	spec *transport.Slot
	rate uint32                                // of the RTP clock in Hz
	pts  [codec.AV1 + 1]*transport.PayloadType // nil where the subscriber cannot take the codec

	bound *source // guarded by Call.mu

	mu     sync.Mutex
	source *source // as bound, for the path of a packet
	live   bool    // the source is live
	layer  *layer  // being shown or awaited; taken up with the source's next packet
	fwd    *forward.Forwarder
	recent [recentLayers]*layer // for NACKs about what was shown before
	shown  int                  // layers ever shown
	buf    []byte
	sender rtcpstat.Sender
	nextSR time.Time // zero: nothing shown yet
	retransmitter
	counters
}

const (
	// recentLayers is how many sources back a NACK can still be answered.
	recentLayers = 4
	// packetBuffer holds any packet of an Ethernet frame with all that Build may add.
	packetBuffer = 1500 + rtpext.MaxGrowth
)

func newSlot(p *Peer, conn transport.Conn, spec *transport.Slot) *slot {
	s := &slot{peer: p, conn: conn, spec: spec}
	if spec.Kind == protocol.KindVideo {
		s.rate = codec.VP8.ClockRate()
		s.fwd = forward.NewVideo(s.rate)
	} else {
		s.rate = codec.Opus.ClockRate()
		s.fwd = forward.NewAudio(s.rate)
	}
	for i := range spec.Codecs {
		s.pts[spec.Codecs[i].Codec] = &spec.Codecs[i]
	}
	s.retransmitter.init()
	return s
}

// bind shows another source, or none. Call.mu is held.
func (s *slot) bind(src *source) {
	if old := s.bound; old != nil {
		old.unsubscribe(s)
	}
	s.bound = src
	s.mu.Lock()
	s.source = src
	s.live = src != nil && src.live()
	s.rest()
	s.mu.Unlock()
	if src == nil {
		return
	}
	src.subscribe(s)
	if src.live() && s.peer.connected.Load() {
		src.wantKey(s)
	}
}

// setLive stops or resumes forwarding without unbinding. Call.mu is held.
func (s *slot) setLive(live bool) {
	s.mu.Lock()
	s.live = live
	s.rest()
	s.mu.Unlock()
}

// rest forgets the layer: the next packet of the source starts it anew, video with a
// key frame. s.mu is held.
func (s *slot) rest() {
	s.layer = nil
	s.fwd.Unbind()
}

// packet is one incoming packet on its way to the subscribers.
type packet struct {
	*rtpext.Packet
	layer   *layer
	codec   codec.Codec
	frame   codec.Frame
	seq     seqnum.Full
	highest seqnum.Full // newest of the layer, this one included
	now     time.Time
}

// forward sends a packet on, if it is for this slot, and reports whether the slot
// cannot go on without a key frame.
func (s *slot) forward(p *packet) (needsKey bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.source != p.layer.src || !s.live {
		s.drop(DropNotBound) // unbound or muted a moment ago
		return false
	}
	if !s.peer.connected.Load() {
		s.drop(DropNotConnected) // a key frame is asked for when it is
		return false
	}
	pt := s.pts[p.codec]
	if pt == nil {
		s.drop(DropCodec)
		return false
	}
	if s.layer != p.layer {
		s.show(p)
	}
	in := forward.Packet{
		Source: p.layer.id, Seq: p.seq, Timestamp: p.Timestamp,
		Key: p.frame.Key, Padding: p.PaddingOnly(),
		HasFrame: p.frame.HasNumber, Frame: p.frame.Number,
		HasPicture: p.frame.Counters.HasPicture, Picture: p.frame.Counters.Picture,
		HasTL0: p.frame.Counters.HasTL0, TL0: p.frame.Counters.TL0,
	}
	d := s.fwd.Forward(&in, p.now)
	if d.Verdict != forward.Send {
		s.drop(verdictDrops[d.Verdict])
		return d.Verdict == forward.AwaitingKey
	}
	if d.Started {
		s.nextSR = p.now
	}
	out := rtpext.Outgoing{
		SSRC: s.spec.Stream.SSRC, PayloadType: pt.Number, Marker: p.Marker,
		SequenceNumber: d.Seq.Wire(), Timestamp: d.Timestamp,
	}
	rewriteFrame(&out, p.Packet, d.Frame-in.Frame)
	n := s.send(p.Packet, &out, shift{p.frame.Counters, d.PictureOffset, d.TL0Offset})
	if n == 0 {
		if !d.Started {
			return false
		}
		// The subscriber cannot do without the first packet: start again.
		s.rest()
		return p.codec.Video()
	}
	s.sender.Packet(len(p.Payload))
	s.packetsOut++
	s.bytesOut += uint64(n)
	s.earn(n)
	return false
}

// rewriteFrame says how the dependency descriptor is to be changed. A retransmission
// must come to the very same bytes as the first transmission: without an RTX stream it is encrypted
// under the same nonce (RFC 7714 §8.1), which must never cover two different packets.
func rewriteFrame(out *rtpext.Outgoing, p *rtpext.Packet, offset uint16) {
	if len(p.DD) >= 3 {
		out.RewriteFrameNumber = true
		out.FrameNumber = binary.BigEndian.Uint16(p.DD[1:]) + offset
	}
}

// show takes up a layer of the source. s.mu is held.
func (s *slot) show(p *packet) {
	from := p.highest
	if p.seq == p.highest {
		from-- // this packet may be the one to start with
	}
	s.layer = p.layer
	s.fwd.Bind(p.layer.id, from)
	if !slices.Contains(s.recent[:], p.layer) {
		s.recent[s.shown%recentLayers] = p.layer
		s.shown++
	}
}

// shift says how the payload descriptor's counters are to be changed.
type shift struct {
	counters codec.Counters
	picture  uint16
	tl0      uint8
}

// send builds a packet and hands it to the connection. It returns the size, zero if it
// was not sent. s.mu is held, which keeps the packets of a slot in order.
func (s *slot) send(p *rtpext.Packet, out *rtpext.Outgoing, by shift) int {
	if need := len(p.Raw) + rtpext.MaxGrowth; need > len(s.buf) {
		s.buf = make([]byte, max(need, packetBuffer))
	}
	built, err := rtpext.Build(s.buf, p, out, s.spec.Ext)
	if err != nil {
		s.drop(DropBuild)
		return 0
	}
	by.counters.Shift(s.buf[built.Payload:built.Len], by.picture, by.tl0)
	if err := s.conn.WriteRTP(s.buf[:built.Len]); err != nil {
		s.drop(DropWrite)
		return 0
	}
	return built.Len
}

// resume starts the slot anew when the connection is up (again): what went by in between is
// not worth asking for.
func (s *slot) resume() {
	s.mu.Lock()
	s.rest()
	s.mu.Unlock()
	s.wantKey()
}

// pictureLost passes a subscriber's wish for a key frame on.
func (s *slot) pictureLost() {
	s.mu.Lock()
	s.plisIn++
	s.mu.Unlock()
	s.wantKey()
}

// wantKey asks for a key frame of what the slot shows.
func (s *slot) wantKey() {
	s.mu.Lock()
	src, live := s.source, s.live
	s.mu.Unlock()
	if src != nil && live {
		src.wantKey(s)
	}
}
