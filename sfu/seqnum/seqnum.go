package seqnum

// Full is a sequence number with its rollovers counted in the upper bits: two packets
// of one stream are in the order of their Full numbers, however long the stream runs.
// Zero and negative values are never produced by an Unwrapper, so zero can mean "none".
type Full int64

// Wire is the number as it stands in an RTP header (RFC 3550 §5.1).
func (f Full) Wire() uint16 { return uint16(f) }

// Cycle is the span of the wire format: the number after 65535 is 0.
const Cycle = 1 << 16

// MaxMisorder is how far behind the newest packet an ordinary packet may be before
// two in a row are taken for a sender that started over (RFC 3550 appendix A.1 uses
// 100; retransmitted probes reach back further, so we are patient).
const MaxMisorder = 3000

// Unwrapper widens the numbers of one stream. The zero value is ready to use.
// It is not safe for concurrent use.
type Unwrapper struct {
	highest Full
	// restart is the wire number that would confirm that the sender started over.
	restart    uint16
	suspicious bool
}

// Unwrap widens the number of a packet that came in on the stream's own SSRC.
//
// The first packet starts in cycle 1, so that packets reordered around it still get
// positive numbers. Two consecutive packets more than [MaxMisorder] behind the newest
// are a sender that started over: its numbers continue in the next cycle, above
// everything seen before, instead of looking like old packets for ever.
func (u *Unwrapper) Unwrap(wire uint16) Full {
	if u.highest == 0 {
		u.highest = Cycle + Full(wire)
		return u.highest
	}
	full := u.Near(wire)
	switch {
	case full > u.highest:
		u.highest = full
		u.suspicious = false
	case u.highest-full <= MaxMisorder:
		u.suspicious = false
	case u.suspicious && wire == u.restart:
		// full is behind by at most half a cycle, so one cycle up is ahead.
		full += Cycle
		u.highest = full
		u.suspicious = false
	default:
		u.suspicious = true
		u.restart = wire + 1
	}
	return full
}

// Near widens a number without letting it move the stream: for packets that came by
// another way (RTX, a NACK from a subscriber). The result is the candidate nearest to
// the newest packet. Before the first packet it assumes cycle 1.
func (u *Unwrapper) Near(wire uint16) Full {
	if u.highest == 0 {
		return Cycle + Full(wire)
	}
	return Near(u.highest, wire)
}

// Advance moves the stream's newest packet up to full, if it is newer: what a caller
// does with an accepted RTX packet that is ahead of the stream (loss of the tail).
func (u *Unwrapper) Advance(full Full) {
	if full > u.highest {
		u.highest = full
	}
}

// Highest is the newest number seen, zero before the first packet.
func (u *Unwrapper) Highest() Full { return u.highest }

// Near is the full number with the given wire form that is nearest to ref: within
// half a cycle, and behind it when exactly half a cycle away.
func Near(ref Full, wire uint16) Full {
	return ref + Full(int16(wire-ref.Wire()))
}
