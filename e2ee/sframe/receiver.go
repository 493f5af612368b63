package sframe

import "sync"

// Receiver opens the frames of one KID. Safe for concurrent use.
type Receiver struct {
	mu     sync.Mutex
	key    *frameKey
	window replayWindow
}

// NewReceiver derives key and salt of kid; baseKey is not kept. Errors: ErrSuite, ErrBaseKey.
func NewReceiver(suite Suite, kid uint64, baseKey []byte) (*Receiver, error) {
	fk, err := newFrameKey(suite, kid, baseKey)
	if err != nil {
		return nil, err
	}
	return &Receiver{key: fk}, nil
}

// KID is the key id whose frames this receiver opens.
func (r *Receiver) KID() uint64 { return r.key.kid }

// Open verifies sealed = header ‖ ciphertext ‖ tag, appends the plaintext to dst and
// returns the frame's counter. dst may be sealed[:0]; sealed is then overwritten, also on
// failure. The result has room for the tag taken off, so dst needs len(sealed) bytes of
// capacity to avoid an allocation. Errors, unwrapped: ErrMalformed, ErrTooLarge,
// ErrWrongKID, ErrAuth, ErrReplay, ErrClosed. On each of them no plaintext is left in dst.
func (r *Receiver) Open(dst, metadata, sealed []byte) (plaintext []byte, ctr uint64, err error) {
	h, n, err := ParseHeader(sealed)
	if err != nil {
		return nil, 0, err
	}
	if h.KID != r.key.kid {
		return nil, 0, ErrWrongKID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.key.aead == nil {
		return nil, 0, ErrClosed
	}
	if len(sealed)-n-r.key.tagLen > MaxFrameLen {
		return nil, 0, ErrTooLarge
	}
	out, err := r.key.open(dst, h, n, metadata, sealed)
	if err != nil {
		return nil, 0, err
	}
	if !r.window.accept(h.CTR) {
		clear(out[len(dst):])
		return nil, 0, ErrReplay
	}
	return out, h.CTR, nil
}

// Close erases the key; Open then fails with ErrClosed.
func (r *Receiver) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.key.erase()
}
