package media

import "errors"

// Errors of this package. Those of [Opener.Open] are returned unwrapped and mean
// that the frame must be dropped; they differ so that a page can tell "no key
// yet" from "cannot decrypt".
var (
	// ErrUnknownKID: the frame names a key that this call has never heard of.
	ErrUnknownKID = errors.New("media: unknown KID")
	// ErrNoKey: the KID's owner is known, the key has not come yet.
	ErrNoKey = errors.New("media: no key yet for this KID")
	// ErrAuth: wrong key, or the frame was changed on the way.
	ErrAuth = errors.New("media: authentication failed")
	// ErrReplay: authentic, but seen before or too old.
	ErrReplay = errors.New("media: frame replayed or too old")
	// ErrMalformed: the wrapper or the SFrame header cannot be read.
	ErrMalformed = errors.New("media: malformed frame")
	// ErrTypeMismatch: the frame's type does not fit the codec, or the clear marker
	// claims another type than the authenticated one.
	ErrTypeMismatch = errors.New("media: frame type mismatch")
	// ErrKIDTaken: the KID is already installed, for another participant or another key.
	ErrKIDTaken = errors.New("media: KID already taken")
	// ErrTooManyKeys: the key table is full.
	ErrTooManyKeys = errors.New("media: too many receive keys")
)
