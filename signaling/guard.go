package signaling

import (
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// How fast a connection is forgiven. A client with a bug that shows now and
// then lives on; one that floods is cut off within its allowance.
const (
	overrunsForgivenPerSecond = 1
	strikesForgivenPerSecond  = 0.2
)

// guard decides for one connection which messages are looked at, and when it
// has had enough. It is used by the reading goroutine only.
type guard struct {
	messages bucket
	bytes    bucket
	overruns bucket // messages over the rate
	strikes  bucket // malformed messages
}

func newGuard(l Limits, now time.Time) *guard {
	return &guard{
		messages: newBucket(l.MessagesPerSecond, l.MessageBurst, now),
		bytes:    newBucket(l.BytesPerSecond, l.ByteBurst, now),
		overruns: newBucket(overrunsForgivenPerSecond, l.Overruns, now),
		strikes:  newBucket(strikesForgivenPerSecond, l.Strikes, now),
	}
}

// admit decides about a message by its size alone. A refusal is answered with
// rate_limited; enough is true when the connection is to be closed instead.
func (g *guard) admit(size int, now time.Time) (refusal *protocol.Error, enough bool) {
	wait, ok := g.messages.take(1, now)
	if ok {
		wait, ok = g.bytes.take(float64(size), now)
	}
	if ok {
		return nil, false
	}
	if _, patient := g.overruns.take(1, now); !patient {
		return nil, true
	}
	refusal = protocol.Refuse(protocol.CodeRateLimited, "too many requests")
	refusal.RetryAfterMillis = int(wait/time.Millisecond) + 1
	return refusal, false
}

// malformed are the refusals that no working client ever gets.
var malformed = map[protocol.Code]bool{
	protocol.CodeBadJSON: true, protocol.CodeBadRequest: true, protocol.CodeUnknownType: true,
	protocol.CodeDuplicateID: true, protocol.CodeTooLarge: true,
}

// strike counts a malformed message; true when the connection is to be closed.
func (g *guard) strike(now time.Time) (enough bool) {
	_, patient := g.strikes.take(1, now)
	return !patient
}
