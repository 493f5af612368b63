package call

import (
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// Output is what a session wants done after an input. All of it is to be done,
// in the order of the fields. The slices belong to the caller.
type Output struct {
	// Messages are to be sent to their addressees, in one batch; at most one for each.
	Messages []Message
	// Keys are to be applied in order; see Apply.
	Keys []KeyEvent
	// Roster is the whole roster if it changed, else nil. The session's own
	// participant is not in it. Order: as they joined.
	Roster []Member
	// NextTick is when Tick wants to be called at the latest; zero: no need. It
	// replaces what earlier outputs said.
	NextTick time.Time
	// Refused says why an input was not followed, else empty.
	Refused Refusal
}

// Message is a sealed payload for one participant.
type Message struct {
	To      identity.ID
	Payload []byte
}

// Member is a line of the roster.
type Member struct {
	Participant identity.ID
	Name        string // as its owner sealed it; empty until a key has come
	HasKey      bool   // its current key is here: it holds the call's secret
}

// Op says what a key event does.
type Op uint8

// The operations on media keys.
const (
	OpInstall Op = iota + 1 // a receive key
	OpRemove                // a receive key, to be erased
	OpSend                  // seal this encoder's frames with this key from now on
)

// KeyEvent changes one media key.
type KeyEvent struct {
	Op          Op
	KID         uint64
	Context     Context
	BaseKey     []byte      // 32 bytes; nil for OpRemove
	Participant identity.ID // the owner; zero for OpSend
}

// Refusal is a stable code for an input that was not followed.
type Refusal string

// Why inputs are refused.
const (
	RefusedClosed      Refusal = "closed"              // the session is closed
	RefusedUnknown     Refusal = "unknown_participant" // from somebody not in the call
	RefusedReused      Refusal = "participant_reused"  // an id that left came back
	RefusedTooMany     Refusal = "too_many_participants"
	RefusedMalformed   Refusal = "malformed"      // not a payload, or authentic but senseless
	RefusedAuth        Refusal = "auth"           // not sealed by a holder of the secret, for us, from them
	RefusedReplayed    Refusal = "replayed"       // an old message, or one for another session
	RefusedOldKey      Refusal = "old_generation" // the sender's generation went down
	RefusedKeyConflict Refusal = "key_conflict"   // another key or prefix under the same generation
	RefusedKIDTaken    Refusal = "kid_taken"      // the prefix is another participant's
)

// Keys is the media side of a call: whoever seals and opens frames implements it.
// The first form of key agreement and the MLS form both drive it.
type Keys interface {
	// Install adds a receive key.
	Install(kid uint64, baseKey []byte, owner identity.ID) error
	// Remove erases a receive key.
	Remove(kid uint64)
	// Send switches an encoder to a new key.
	Send(ctx Context, kid uint64, baseKey []byte) error
	// Roster replaces the roster.
	Roster([]Member)
}

// Apply hands keys and roster on. It goes on after an error and returns the first.
func (o Output) Apply(k Keys) error {
	var first error
	for _, e := range o.Keys {
		var err error
		switch e.Op {
		case OpInstall:
			err = k.Install(e.KID, e.BaseKey, e.Participant)
		case OpRemove:
			k.Remove(e.KID)
		case OpSend:
			err = k.Send(e.Context, e.KID, e.BaseKey)
		}
		if err != nil && first == nil {
			first = fmt.Errorf("call: applying a key: %w", err)
		}
	}
	if o.Roster != nil {
		k.Roster(o.Roster)
	}
	return first
}
