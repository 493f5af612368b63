package sfu

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

const (
	// creditShare of the bytes sent may be sent again: more loss than that is
	// congestion, which retransmission only makes worse.
	creditShare = 2 // a half
	// creditStart lets the first packets of a slot be repaired, creditMax those of a
	// slot that was well for long: a quarter of a second at 4 Mbit/s.
	creditStart = 32 << 10
	creditMax   = 128 << 10
	// resendWait is how soon the same packet is not sent again: receivers ask again
	// each round trip, and the answer needs one.
	resendWait = 15 * time.Millisecond
	// maxAsked is how many packets one NACK may ask for; who lost more needs a key frame.
	maxAsked = 512
	// resendMemory is for how many packets that is remembered.
	resendMemory = 256
)

// retransmitter answers the NACKs of one slot within a budget. Guarded by slot.mu.
type retransmitter struct {
	rtxSeq uint16
	credit int // bytes
	resent *[resendMemory]resend
	parsed rtpext.Packet // reused
	stored []byte        // reused
}

type resend struct {
	out seqnum.Full
	at  time.Time
}

func (r *retransmitter) init() {
	var b [2]byte
	rand.Read(b[:])
	// Below 2^14, as for forward's own numbers: see RFC 3711 §3.3.1.
	r.rtxSeq = binary.BigEndian.Uint16(b[:]) & 0x3FFF
	r.credit = creditStart
}

// earn adds to the budget what a sent packet allows.
func (r *retransmitter) earn(size int) { r.credit = min(r.credit+size/creditShare, creditMax) }

// nack answers a generic NACK (RFC 4585 §6.2.1).
func (s *slot) nack(pairs []rtcp.NackPair, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := 0
	for _, pair := range pairs {
		bits := uint32(pair.LostPackets)<<1 | 1 // of PacketID and the 16 after it
		for i := uint16(0); bits != 0 && asked < maxAsked; bits, i = bits>>1, i+1 {
			if bits&1 != 0 {
				asked++
				s.resend(pair.PacketID+i, now)
			}
		}
	}
	s.nacksIn += uint64(asked)
}

// resend sends one packet again, if it can be had and afforded. s.mu is held.
func (s *slot) resend(wire uint16, now time.Time) {
	origin, ok := s.fwd.Origin(wire)
	if !ok {
		s.drop(DropResendUnknown)
		return
	}
	l := s.layerOf(origin.Source)
	if l == nil {
		s.drop(DropResendUnknown)
		return
	}
	if s.credit <= 0 {
		s.drop(DropResendBudget)
		return
	}
	if s.resent == nil {
		s.resent = new([resendMemory]resend)
	}
	last := &s.resent[origin.Out%resendMemory]
	if last.out == origin.Out && now.Sub(last.at) < resendWait {
		s.drop(DropResendBudget)
		return
	}
	if s.stored == nil {
		s.stored = make([]byte, rtpext.MaxPacket)
	}
	n, ok := l.cache.Get(origin.Seq, s.stored)
	if !ok {
		s.drop(DropResendUnknown) // not here either: the publisher has been asked
		return
	}
	p := &s.parsed
	if p.Parse(s.stored[:n], l.ext) != nil {
		s.drop(DropResendUnknown)
		return
	}
	c, _ := codecOf(l.pub, p.PayloadType)
	pt := s.pts[c]
	if pt == nil {
		s.drop(DropCodec)
		return
	}
	out := rtpext.Outgoing{
		SSRC: s.spec.Stream.SSRC, PayloadType: pt.Number, Marker: p.Marker,
		SequenceNumber: origin.Out.Wire(), Timestamp: p.Timestamp + origin.TimestampOffset,
	}
	rewriteFrame(&out, p, origin.FrameOffset)
	if pt.RTX != 0 && s.spec.Stream.RTX != 0 {
		out.Retransmission, out.OriginalSequence = true, out.SequenceNumber
		out.SSRC, out.PayloadType, out.SequenceNumber = s.spec.Stream.RTX, pt.RTX, s.rtxSeq
		s.rtxSeq++
	}
	by := shift{codec.ReadCounters(c, p.Payload), origin.PictureOffset, origin.TL0Offset}
	if n := s.send(p, &out, by); n > 0 {
		*last = resend{origin.Out, now}
		s.credit -= n
		s.resentOut++
		s.bytesOut += uint64(n)
	}
}

func (s *slot) layerOf(id forward.Source) *layer {
	for _, l := range s.recent {
		if l != nil && l.id == id {
			return l
		}
	}
	return nil
}
