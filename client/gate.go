package client

import (
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// askKeyEvery is how often a key frame is asked for while none comes: senders
// ignore requests soon after a key frame.
const askKeyEvery = 500 * time.Millisecond

// feed is one source of one participant.
type feed struct {
	participant protocol.ParticipantID
	source      protocol.Source
}

// gate holds video back that cannot be decoded: from a loss, or a change of what the
// slot carries, to the next key frame. It is pure; a slot's goroutine owns it.
type gate struct {
	feed  feed
	open  bool
	asked time.Time
}

// hurt closes the gate: a frame was lost or did not open.
func (g *gate) hurt() { g.open = false }

// admit decides on a frame that verified. ask says that a key frame should be asked
// for.
func (g *gate) admit(f feed, key bool, now time.Time) (pass, ask bool) {
	if f != g.feed {
		g.feed, g.open, g.asked = f, false, time.Time{}
	}
	if key {
		g.open = true
	}
	if g.open {
		g.asked = time.Time{}
		return true, false
	}
	if !g.asked.IsZero() && now.Sub(g.asked) < askKeyEvery {
		return false, false
	}
	g.asked = now
	return false, true
}
