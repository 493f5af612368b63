package media

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"

	"github.com/sotto-sfu/sotto/e2ee/sframe"
)

// MaxKeys bounds the receive keys of one call: 500 participants with four
// encoders each, and their previous keys while those fade out.
const MaxKeys = 4096

// Opener opens the frames of a whole call. Safe for concurrent use; frames of
// different KIDs are opened in parallel.
type Opener struct {
	mu   sync.RWMutex
	keys map[uint64]*receiveKey
}

// receiveKey is one row of the table. It never changes once it is in.
type receiveKey struct {
	owner    string
	receiver *sframe.Receiver  // nil: announced, no key yet
	check    [sha256.Size]byte // tells a repeated Install from a different key
}

// Frame is what came out of Open.
type Frame struct {
	KID   uint64    // which key; 0 for a zero-length frame
	CTR   uint64    // which frame under that key
	Owner string    // whose key it is, as told to Install; set also beside most errors
	Type  FrameType // the true type
	Data  []byte    // the frame as the encoder made it; empty if it was sent empty
}

// NewOpener makes an empty table.
func NewOpener() *Opener {
	return &Opener{keys: make(map[uint64]*receiveKey)}
}

// Announce tells whose KID this is before its key is known: frames then fail with
// ErrNoKey instead of ErrUnknownKID. Errors: ErrKIDTaken if the KID is somebody
// else's, ErrTooManyKeys.
func (o *Opener) Announce(kid uint64, owner string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put(kid, &receiveKey{owner: owner})
}

// Install adds the receive key of kid. baseKey is not kept. Installing the same
// again changes nothing, so that its replay window survives. Errors: ErrKIDTaken if the KID is
// installed for another owner or with another base key, ErrTooManyKeys, [sframe.ErrBaseKey].
func (o *Opener) Install(kid uint64, baseKey []byte, owner string) error {
	r, err := sframe.NewReceiver(Suite, kid, baseKey)
	if err != nil {
		return fmt.Errorf("media: installing a key: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.put(kid, &receiveKey{owner: owner, receiver: r, check: sha256.Sum256(baseKey)})
}

// put adds a row where the rules allow it. The lock is held.
func (o *Opener) put(kid uint64, k *receiveKey) error {
	old, ok := o.keys[kid]
	switch {
	case !ok && len(o.keys) >= MaxKeys:
		return ErrTooManyKeys
	case !ok || old.receiver == nil && old.owner == k.owner:
		o.keys[kid] = k
		return nil
	case old.owner != k.owner:
		return ErrKIDTaken
	case k.receiver == nil || subtle.ConstantTimeCompare(old.check[:], k.check[:]) == 1:
		return nil
	}
	return ErrKIDTaken
}

// Remove erases the key of kid; its frames are unknown from now on. Removing what is not
// there is no error.
func (o *Opener) Remove(kid uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if k := o.keys[kid]; k != nil {
		k.erase()
	}
	delete(o.keys, kid)
}

// RemoveOwner erases every key of one participant.
func (o *Opener) RemoveOwner(owner string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for kid, k := range o.keys {
		if k.owner == owner {
			k.erase()
			delete(o.keys, kid)
		}
	}
}

// Close erases all keys.
func (o *Opener) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, k := range o.keys {
		k.erase()
	}
	clear(o.keys)
}

func (k *receiveKey) erase() {
	clear(k.check[:])
	if k.receiver != nil {
		k.receiver.Close()
	}
}

// Open verifies sealed, decrypts it into the room behind dst and says whose it is;
// Frame.Data lies in that room. dst may be sealed[:0]; sealed is then overwritten, also on
// failure. With len(sealed) bytes to spare in dst nothing is allocated. A zero-length frame comes out as it went in: no
// owner, no data, no error.
//
// On error the frame must be dropped; Frame.KID and Frame.Owner are set as far as they are
// known, but only claimed: they were not authenticated, except with ErrReplay and
// ErrTypeMismatch. Errors, unwrapped: ErrMalformed, ErrUnknownKID, ErrNoKey, ErrAuth,
// ErrReplay, ErrTypeMismatch.
func (o *Opener) Open(dst []byte, c Codec, sealed []byte) (Frame, error) {
	if c < Opus || c > AV1 {
		return Frame{}, ErrTypeMismatch
	}
	if len(sealed) == 0 {
		return Frame{Data: dst[len(dst):]}, nil
	}
	body, claim, marked, err := unwrap(c, sealed)
	if err != nil {
		return Frame{}, err
	}
	h, _, err := sframe.ParseHeader(body)
	if err != nil {
		return Frame{}, ErrMalformed
	}
	out := Frame{KID: h.KID, CTR: h.CTR}
	o.mu.RLock()
	k := o.keys[h.KID]
	o.mu.RUnlock()
	if k == nil {
		return out, ErrUnknownKID
	}
	out.Owner = k.owner
	if k.receiver == nil {
		return out, ErrNoKey
	}
	at := len(dst)
	plain, _, err := k.receiver.Open(dst, metadata(c, claim), body)
	if err != nil {
		return out, translate(err)
	}
	plain = plain[at:]
	if len(plain) < 2 { // a type byte and nothing else: no sealer makes that
		return out, ErrMalformed
	}
	t := FrameType(plain[0])
	if !t.fits(c) || marked && t != claim {
		clear(plain)
		return out, ErrTypeMismatch
	}
	out.Type = t
	out.Data = plain[1:]
	return out, nil
}

// translate maps SFrame's errors to this package's, without wrapping: a relay can
// cause them at will, so they should cost nothing.
func translate(err error) error {
	switch {
	case errors.Is(err, sframe.ErrAuth):
		return ErrAuth
	case errors.Is(err, sframe.ErrReplay):
		return ErrReplay
	case errors.Is(err, sframe.ErrClosed):
		return ErrUnknownKID // removed while this frame was on its way in
	}
	return ErrMalformed
}
