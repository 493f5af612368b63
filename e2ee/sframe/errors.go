package sframe

import "errors"

// Errors of this package. Callers branch on them with errors.Is; those of
// [Receiver.Open] are returned unwrapped, so that a flood of bad frames costs no
// allocation.
var (
	// ErrMalformed: not an SFrame ciphertext at all: truncated, or its header is
	// not in the one minimal form that RFC 9605 §4.3 allows.
	ErrMalformed = errors.New("sframe: malformed ciphertext")
	// ErrWrongKID: the ciphertext names another key than this receiver's.
	ErrWrongKID = errors.New("sframe: ciphertext is for another KID")
	// ErrAuth: the tag does not verify: wrong key, or changed on the way.
	ErrAuth = errors.New("sframe: authentication failed")
	// ErrReplay: authentic, but seen before or older than the replay window.
	ErrReplay = errors.New("sframe: frame replayed or too old")
	// ErrTooLarge: the frame exceeds MaxFrameLen.
	ErrTooLarge = errors.New("sframe: frame too large")
	// ErrExhausted: the counter has given its last value; the base key must be replaced.
	ErrExhausted = errors.New("sframe: counter exhausted, rotate the key")
	// ErrKIDUsed: this base key has already given out a sender for that KID.
	ErrKIDUsed = errors.New("sframe: a sender for this KID already exists")
	// ErrClosed: the key has been erased.
	ErrClosed = errors.New("sframe: key is closed")
	// ErrSuite: not a cipher suite of this package.
	ErrSuite = errors.New("sframe: unknown cipher suite")
	// ErrBaseKey: the base key is shorter than MinBaseKeyLen.
	ErrBaseKey = errors.New("sframe: base key too short")
)
