package signaling

import (
	"crypto/rand"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// drawChallenge draws a challenge, of 32 bytes.
func drawChallenge() []byte {
	c := make([]byte, identity.ChallengeLen)
	rand.Read(c) // never fails (crypto/rand)
	return c
}

// challenges are the admission challenges that one session holds, one a call.
type challenges struct {
	limit    int
	lifetime time.Duration
	held     []heldChallenge // oldest first
}

type heldChallenge struct {
	call    protocol.CallID
	value   []byte
	expires time.Time
}

// issue draws the challenge for a call. It replaces an earlier one, and pushes
// out the oldest when the session holds too many.
func (c *challenges) issue(call protocol.CallID, now time.Time) []byte {
	c.remove(call)
	if len(c.held) >= c.limit {
		c.held = append(c.held[:0], c.held[1:]...)
	}
	value := drawChallenge()
	c.held = append(c.held, heldChallenge{call, value, now.Add(c.lifetime)})
	return value
}

// spend takes the challenge of a call, if it is still valid. It can be spent
// once, whatever comes of it.
func (c *challenges) spend(call protocol.CallID, now time.Time) ([]byte, bool) {
	h, ok := c.remove(call)
	if !ok || !now.Before(h.expires) {
		return nil, false
	}
	return h.value, true
}

func (c *challenges) remove(call protocol.CallID) (heldChallenge, bool) {
	for i, h := range c.held {
		if h.call == call {
			c.held = append(c.held[:i], c.held[i+1:]...)
			return h, true
		}
	}
	return heldChallenge{}, false
}
