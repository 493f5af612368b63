package sfu

import "github.com/sotto-sfu/sotto/sfu/forward"

// Drop says why a packet went no further. Incoming packets are counted once, outgoing
// ones once for each slot.
type Drop uint8

// The reasons for dropping.
const (
	DropMalformed      Drop = iota // RTP or RTCP that cannot be parsed
	DropUnknownStream              // an SSRC without a section
	DropUnknownPayload             // a payload type that was not negotiated
	DropReplaced                   // of a stream that another replaced
	DropRepeat                     // came before
	DropTooOld                     // from before the start or switch point, or beyond memory
	DropPadding                    // carried nothing
	DropNotBound                   // the slot has just been bound to something else, or the source muted
	DropNotConnected               // the subscriber's connection is not up
	DropCodec                      // the subscriber cannot take the codec
	DropAwaitingKey                // before the key frame a slot needs to start
	DropBuild                      // did not fit the buffer
	DropWrite                      // the connection refused it
	DropResendUnknown              // a NACK for what we do not have
	DropResendBudget               // a NACK over the budget
	numDrops
)

var dropNames = [numDrops]string{
	"malformed", "unknown_stream", "unknown_payload_type", "replaced", "repeat", "too_old", "padding",
	"not_bound", "not_connected", "codec", "awaiting_key", "build", "write", "resend_unknown", "resend_budget",
}

// String is a short name, fit for a metric label.
func (d Drop) String() string {
	if d >= numDrops {
		return "unknown"
	}
	return dropNames[d]
}

// Drops lists all reasons.
func Drops() []Drop {
	all := make([]Drop, numDrops)
	for i := range all {
		all[i] = Drop(i)
	}
	return all
}

// verdictDrops are the drops that forward decides.
var verdictDrops = map[forward.Verdict]Drop{
	forward.NotBound:    DropNotBound,
	forward.AwaitingKey: DropAwaitingKey,
	forward.TooOld:      DropTooOld,
	forward.Repeat:      DropRepeat,
	forward.PaddingOnly: DropPadding,
}

// Stats is a snapshot of an SFU. The first block are gauges, the rest counters since the start.
type Stats struct {
	Calls, Peers, Connected int // Connected: peers whose media connection is up
	LiveSources, BoundSlots int

	PacketsIn, BytesIn   uint64           // RTP, decrypted, RTX included
	PacketsOut, BytesOut uint64           // RTP before encryption; bytes include retransmissions
	Recovered            uint64           // incoming packets that came over RTX
	Lost                 uint64           // incoming packets given up
	Retransmitted        uint64           // outgoing packets sent again
	NACKsIn, NACKsOut    uint64           // packets asked for, by subscribers and by us
	KeyFramesAskedIn     uint64           // PLI and FIR from subscribers
	KeyFramesAskedOut    uint64           // to publishers
	Dropped              [numDrops]uint64 // by Drop
}

// counters are kept where they are counted, under the lock that is held there anyway.
type counters struct {
	packetsIn, bytesIn   uint64
	packetsOut, bytesOut uint64
	recovered, lost      uint64
	resentOut            uint64
	nacksIn, nacksOut    uint64
	plisIn, plisOut      uint64
	drops                [numDrops]uint64
}

// drop counts a dropped packet. It returns false for the convenience of its callers.
func (c *counters) drop(d Drop) bool {
	c.drops[d]++
	return false
}

func (c *counters) addTo(s *Stats) {
	s.PacketsIn += c.packetsIn
	s.BytesIn += c.bytesIn
	s.PacketsOut += c.packetsOut
	s.BytesOut += c.bytesOut
	s.Recovered += c.recovered
	s.Lost += c.lost
	s.Retransmitted += c.resentOut
	s.NACKsIn += c.nacksIn
	s.NACKsOut += c.nacksOut
	s.KeyFramesAskedIn += c.plisIn
	s.KeyFramesAskedOut += c.plisOut
	for i, n := range c.drops {
		s.Dropped[i] += n
	}
}

// Stats takes a snapshot.
func (s *SFU) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.gone
	st.Calls = len(s.calls)
	for _, p := range *s.peers.Load() {
		st.Peers++
		if p.connected.Load() {
			st.Connected++
		}
		p.count(&st)
	}
	for _, c := range s.calls {
		c.mu.Lock()
		for _, p := range c.peers {
			for _, src := range p.sources {
				if src.live() {
					st.LiveSources++
				}
			}
			for _, sl := range p.slots() {
				if sl.bound != nil {
					st.BoundSlots++
				}
			}
		}
		c.mu.Unlock()
	}
	return st
}

// count adds the counters of a peer.
func (p *Peer) count(st *Stats) {
	p.in.mu.Lock()
	p.in.addTo(st)
	p.in.mu.Unlock()
	for _, sl := range p.slots() {
		sl.mu.Lock()
		sl.addTo(st)
		sl.mu.Unlock()
	}
}
