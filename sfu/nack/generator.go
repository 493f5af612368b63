package nack

import (
	"slices"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

const (
	// ReorderWait is how long a gap may be mere reordering. Shorter than a frame at
	// 60 fps, so that recovery still fits a jitter buffer.
	ReorderWait = 5 * time.Millisecond
	// MinRetry and MaxRetry bound the time between two requests for the same packet;
	// in between it is the round trip and half of it again.
	MinRetry = 20 * time.Millisecond
	MaxRetry = 300 * time.Millisecond
	// defaultRTT serves until a round trip was measured.
	defaultRTT = 100 * time.Millisecond
	// MaxTries is how often a packet is asked for.
	MaxTries = 10
	// MaxAge is how long a packet is waited for: no live picture waits longer.
	MaxAge = time.Second
	// MaxMissing is how many packets may be missing at once. More is an outage, for
	// which a key frame is the cheaper cure.
	MaxMissing = 256
)

type missing struct {
	seq   seqnum.Full
	since time.Time // noticed
	next  time.Time // when to ask (again)
	tries int
}

// Generator keeps the missing packets of one layer. The zero value is ready to use;
// it is not safe for concurrent use.
type Generator struct {
	highest seqnum.Full
	list    []missing // by rising number
	lost    int
}

// Received notes a packet, whether it came by itself or was recovered. The first
// packet sets the start: nothing before it is asked for.
func (g *Generator) Received(seq seqnum.Full, now time.Time) {
	if g.list == nil {
		g.list = make([]missing, 0, MaxMissing)
	}
	switch {
	case g.highest == 0:
		g.highest = seq
	case seq > g.highest:
		g.gap(seq, now)
		g.highest = seq
	default:
		if i, ok := g.find(seq); ok {
			g.list = slices.Delete(g.list, i, i+1)
		}
	}
}

// gap notes the packets between the newest one and seq as missing.
func (g *Generator) gap(seq seqnum.Full, now time.Time) {
	size := int(seq - g.highest - 1)
	if size == 0 {
		return
	}
	if size > MaxMissing {
		g.lost += len(g.list) + size
		g.list = g.list[:0]
		return
	}
	if drop := len(g.list) + size - MaxMissing; drop > 0 {
		g.lost += drop
		g.list = slices.Delete(g.list, 0, drop)
	}
	for n := g.highest + 1; n < seq; n++ {
		g.list = append(g.list, missing{seq: n, since: now, next: now.Add(ReorderWait)})
	}
}

// Poll returns the requests that are due, appended to dst, and how many packets were
// given up since the last call. If any were, a picture is damaged beyond repair: ask for a
// key frame. rtt is the round trip to the publisher, zero if not measured yet.
func (g *Generator) Poll(now time.Time, rtt time.Duration, dst []rtcp.NackPair) (due []rtcp.NackPair, lost int) {
	if rtt <= 0 {
		rtt = defaultRTT
	}
	retry := min(max(rtt+rtt/2, MinRetry), MaxRetry)
	first := len(dst)
	kept := g.list[:0]
	for _, m := range g.list {
		if !now.Before(m.next) {
			if m.tries >= MaxTries || now.Sub(m.since) >= MaxAge {
				g.lost++
				continue
			}
			m.tries++
			m.next = now.Add(retry)
			dst = appendPair(dst, first, m.seq.Wire())
		}
		kept = append(kept, m)
	}
	g.list = kept
	lost, g.lost = g.lost, 0
	return dst, lost
}

// Next is when Poll has something to do, false if nothing is missing and nothing was given up.
func (g *Generator) Next() (time.Time, bool) {
	var next time.Time
	if g.lost > 0 {
		return next, true // at once: the zero time is past
	}
	for i := range g.list {
		if i == 0 || g.list[i].next.Before(next) {
			next = g.list[i].next
		}
	}
	return next, len(g.list) > 0
}

// Missing is how many packets are being asked for.
func (g *Generator) Missing() int { return len(g.list) }

// Forget stops asking for packets before the given one, the first of a key frame: the
// key frame repairs what they would have.
func (g *Generator) Forget(before seqnum.Full) {
	i, _ := g.find(before)
	g.list = slices.Delete(g.list, 0, i)
}

func (g *Generator) find(seq seqnum.Full) (int, bool) {
	return slices.BinarySearchFunc(g.list, seq, func(m missing, s seqnum.Full) int {
		return int(m.seq - s)
	})
}

// appendPair adds a number to a list of NACK pairs in rising order (RFC 4585 §6.2.1):
// each pair is a number and a bit for each of the 16 that follow it. Pairs before first are
// somebody else's.
func appendPair(pairs []rtcp.NackPair, first int, wire uint16) []rtcp.NackPair {
	if n := len(pairs); n > first {
		last := &pairs[n-1]
		if d := wire - last.PacketID; d >= 1 && d <= 16 {
			last.LostPackets |= 1 << (d - 1)
			return pairs
		}
	}
	return append(pairs, rtcp.NackPair{PacketID: wire})
}
