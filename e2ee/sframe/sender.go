package sframe

import (
	"fmt"
	"slices"
	"sync"
)

// SendKey is one base key, for sending only. It gives out one [Sender] per KID in
// its lifetime, also after that sender was closed: a second one would begin again
// at counter 0 and repeat every nonce (RFC 9605 §7.4, §9.1). For the same reason a base
// key must be fresh from a random source or an exporter and given to one SendKey only.
// Safe for concurrent use.
type SendKey struct {
	mu    sync.Mutex
	suite Suite
	base  []byte // nil once closed
	used  map[uint64]struct{}
}

// NewSendKey copies baseKey. Errors: ErrSuite, ErrBaseKey.
func NewSendKey(suite Suite, baseKey []byte) (*SendKey, error) {
	if _, err := suite.params(); err != nil {
		return nil, err
	}
	if len(baseKey) < MinBaseKeyLen {
		return nil, ErrBaseKey
	}
	return &SendKey{suite: suite, base: slices.Clone(baseKey), used: make(map[uint64]struct{})}, nil
}

// Sender returns the one sender of kid. Errors: ErrKIDUsed on a second call with
// the same kid, ErrClosed.
func (k *SendKey) Sender(kid uint64) (*Sender, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.base == nil {
		return nil, ErrClosed
	}
	if _, ok := k.used[kid]; ok {
		return nil, fmt.Errorf("%w: %d", ErrKIDUsed, kid)
	}
	fk, err := newFrameKey(k.suite, kid, k.base)
	if err != nil {
		return nil, err
	}
	k.used[kid] = struct{}{}
	return &Sender{key: fk, ctr: counter{limit: MaxFramesPerKey}}, nil
}

// Close overwrites the base key. Senders already given out keep working until
// they are closed themselves.
func (k *SendKey) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.base)
	k.base = nil
}

// Sender seals frames under one KID and owns its counter. Safe for concurrent use:
// a data race here would repeat a nonce, so the lock is not left to the caller.
type Sender struct {
	mu  sync.Mutex
	key *frameKey
	ctr counter
}

// KID is the key id that every frame of this sender carries.
func (s *Sender) KID() uint64 { return s.key.kid }

// Seal encrypts plaintext under the next counter and appends
// header ‖ ciphertext ‖ tag to dst. Metadata is authenticated, not sent; the
// receiver must pass the same. The plaintext may share dst's memory in any way,
// and is overwritten if it does; metadata must not share it. With room in dst and a GCM
// suite, nothing is allocated. Errors: ErrTooLarge, ErrExhausted, ErrClosed; dst
// is then unchanged and no counter is spent.
func (s *Sender) Seal(dst, metadata, plaintext []byte) ([]byte, error) {
	if len(plaintext) > MaxFrameLen {
		return nil, ErrTooLarge
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key.aead == nil {
		return nil, ErrClosed
	}
	ctr, ok := s.ctr.take()
	if !ok {
		return nil, ErrExhausted
	}
	return s.key.seal(dst, ctr, metadata, plaintext), nil
}

// SealedLen is how many bytes the next frame takes when sealed, if it has n bytes of
// plaintext. Only a caller that alone uses this sender may rely on it.
func (s *Sender) SealedLen(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Header{KID: s.key.kid, CTR: s.ctr.next}.Len() + n + s.key.tagLen
}

// Close erases the key; Seal then fails with ErrClosed.
func (s *Sender) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key.erase()
}
