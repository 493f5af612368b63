package sfu

import (
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/packetcache"
	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/sfu/twcc"
)

// inbound is what a peer sends.
type inbound struct {
	packet packet        // reused; touched by the reading goroutine only
	parsed rtpext.Packet // likewise

	mu      sync.Mutex
	streams map[uint32]*stream // by SSRC
	twcc    *twcc.Recorder
	clock   rtcpstat.Clock
	nextCC  time.Time // when transport-cc feedback is due
	nextRR  time.Time // when receiver reports are due
	counters
}

// stream is what an SSRC stands for: a layer, or the repair of one.
type stream struct {
	src   *source
	pub   *transport.Publish
	media uint32 // the repaired SSRC, zero if this is no RTX stream
	layer *layer // nil before the first packet, after the last one, and for RTX streams
	over  bool   // another stream carries the source now; this one does not come back
}

// declare notes the streams that the offer named.
func (in *inbound) declare(p *Peer, s *transport.Session) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.streams = map[uint32]*stream{}
	for i := range s.Publish {
		pub := &s.Publish[i]
		for _, st := range pub.Streams {
			in.streams[st.SSRC] = &stream{src: p.source(pub.Source), pub: pub}
			if st.RTX != 0 {
				in.streams[st.RTX] = &stream{src: p.source(pub.Source), pub: pub, media: st.SSRC}
			}
		}
	}
}

// lookup finds the stream of a packet. An SSRC that the offer did not name introduces itself
// by its mid extension (RFC 8843 §9.2), and is remembered. The number of SSRCs is
// bounded by the transport.
func (in *inbound) lookup(p *Peer, s *transport.Session, pkt *rtpext.Packet) *stream {
	if st := in.streams[pkt.SSRC]; st != nil {
		return st
	}
	if pkt.MID == nil {
		return nil
	}
	for i := range s.Publish {
		pub := &s.Publish[i]
		if pub.Mid != string(pkt.MID) { // compiles to no allocation
			continue
		}
		src := p.source(pub.Source)
		pt, rtx := pub.ByNumber(pkt.PayloadType)
		if pt == nil {
			return nil
		}
		st := &stream{src: src, pub: pub}
		if rtx {
			l := src.layer.Load()
			if l == nil {
				return nil // nothing to repair yet
			}
			st.media = l.ssrc
		}
		in.streams[pkt.SSRC] = st
		return st
	}
	return nil
}

// RTP implements transport.Handler: the path of every packet.
func (p *Peer) RTP(b []byte) {
	m := p.media.Load()
	if m == nil {
		return
	}
	now := time.Now()
	pkt := &p.in.packet
	pkt.Packet, pkt.now = &p.in.parsed, now
	if !p.ingest(m, b, pkt) {
		return
	}
	l := pkt.layer
	for _, sl := range l.src.subscribers() {
		if sl.forward(pkt) {
			p.in.mu.Lock()
			l.keys.Want(sl)
			p.in.mu.Unlock()
		}
	}
}

// ingest reads a packet and keeps the books. It reports whether the packet is news to be forwarded.
func (p *Peer) ingest(m *media, b []byte, pkt *packet) bool {
	in := &p.in
	in.mu.Lock()
	var feedback []rtcp.Packet
	fresh := in.take(p, m, b, pkt)
	if fresh {
		l := pkt.layer
		if l.nacks.Missing() > 0 {
			if at, ok := l.nacks.Next(); ok && !pkt.now.Before(at) {
				feedback = in.nackRequests(feedback, p, l, pkt.now)
			}
		}
		if l.keys.Waiting() > 0 {
			feedback = in.keyRequest(feedback, l, pkt.now)
		}
	}
	in.mu.Unlock()
	p.sendRTCP(feedback)
	return fresh
}

func (in *inbound) take(p *Peer, m *media, b []byte, pkt *packet) bool {
	in.packetsIn++
	in.bytesIn += uint64(len(b))
	if pkt.Parse(b, m.session.Ext) != nil {
		return in.drop(DropMalformed)
	}
	if pkt.HasTransportCC {
		in.twcc.Record(pkt.SSRC, pkt.TransportCC, pkt.now)
	}
	st := in.lookup(p, m.session, pkt.Packet)
	if st == nil {
		return in.drop(DropUnknownStream)
	}
	if st.media != 0 {
		return in.recover(st, m, pkt)
	}
	c, pt := codecOf(st.pub, pkt.PayloadType)
	if pt == nil {
		return in.drop(DropUnknownPayload)
	}
	if st.over {
		return in.drop(DropReplaced)
	}
	if st.layer == nil {
		in.retire(st.src)
		st.layer = newLayer(forward.Source(p.call.sfu.layers.Add(1)), st.src, pkt.SSRC, st.pub, m.session.Ext)
		st.src.layer.Store(st.layer)
	}
	l := st.layer
	l.pt, l.heard = pt, pkt.now
	pkt.layer, pkt.codec = l, c
	pkt.seq = l.unwrap.Unwrap(pkt.SequenceNumber)
	l.recv.Packet(pkt.seq, pkt.Timestamp, len(pkt.Payload), pkt.now)
	return in.keep(pkt)
}

// retire lets go of the layer that carried a source. Slots that showed it keep it a while, to
// answer NACKs; kept here as well, a publisher that began one stream after the other could fill the
// memory with their caches.
func (in *inbound) retire(src *source) {
	old := src.layer.Load()
	if old == nil {
		return
	}
	if st := in.streams[old.ssrc]; st != nil && st.layer == old {
		st.layer, st.over = nil, true
	}
}

// recover takes a packet off an RTX stream (RFC 4588).
func (in *inbound) recover(st *stream, m *media, pkt *packet) bool {
	main := in.streams[st.media]
	if main == nil || main.layer == nil || main.src.layer.Load() != main.layer {
		return in.drop(DropUnknownStream)
	}
	l := main.layer
	pt, rtx := st.pub.ByNumber(pkt.PayloadType)
	if pt == nil || !rtx {
		return in.drop(DropUnknownPayload)
	}
	original, err := rtpext.UnwrapRTX(pkt.Packet, l.ssrc, pt.Number)
	if err != nil {
		return in.drop(DropPadding) // a probe
	}
	if pkt.Parse(original, m.session.Ext) != nil {
		return in.drop(DropMalformed)
	}
	pkt.layer, pkt.codec = l, pt.Codec
	pkt.seq = l.unwrap.Near(pkt.SequenceNumber)
	if !in.keep(pkt) {
		return false
	}
	l.unwrap.Advance(pkt.seq)
	pkt.highest = l.unwrap.Highest()
	in.recovered++
	return true
}

// keep stores a packet and reports whether it is news.
func (in *inbound) keep(pkt *packet) bool {
	l := pkt.layer
	switch l.cache.Store(pkt.seq, pkt.Raw) {
	case packetcache.Repeat:
		return in.drop(DropRepeat)
	case packetcache.TooOld:
		return in.drop(DropTooOld)
	}
	l.nacks.Received(pkt.seq, pkt.now)
	pkt.frame = l.inspect(pkt.codec, pkt.Packet)
	if pkt.frame.Key && pkt.codec.Video() {
		l.keys.KeyFrame(pkt.now)
	}
	pkt.highest = l.unwrap.Highest()
	return true
}
