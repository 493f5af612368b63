package media

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sotto-sfu/sotto/e2ee/sframe"
)

// Suite is the one SFrame cipher suite of Sotto. It is a constant, not a
// setting: nothing negotiates it down.
const Suite = sframe.AES256GCMSHA512

// MaxOverhead is the most that sealing adds to a frame, in bytes: type byte,
// SFrame header, tag, and the longest wrapper (AV1 with a 4-byte length).
const MaxOverhead = 1 + sframe.MaxHeaderLen + 16 + 1 + 4

// Sealer seals the frames of one encoder: one KID, one counter. All simulcast
// layers of an encoder share their Sealer, and a change of codec keeps it. Made by
// [SendKeys.Sealer]. Safe for concurrent use.
type Sealer struct {
	mu     sync.Mutex // SealedLen and Seal must see the same counter
	sender *sframe.Sender
}

// KID is the key id on every frame of this sealer.
func (s *Sealer) KID() uint64 { return s.sender.KID() }

// Seal appends the sealed form of frame to dst. The frame may share dst's memory in
// any way, and is overwritten if it does; with MaxOverhead bytes to spare in dst
// nothing is allocated. A zero-length frame adds nothing and spends no counter.
// Errors: ErrTypeMismatch if t does not occur with the codec, and those of
// [sframe.Sender.Seal], wrapped.
func (s *Sealer) Seal(dst []byte, c Codec, t FrameType, frame []byte) ([]byte, error) {
	if !t.fits(c) {
		return nil, ErrTypeMismatch
	}
	if len(frame) == 0 {
		return dst, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sender.SealedLen(1 + len(frame))
	wrap := wrapLen(c, n)
	at := len(dst)
	dst = slices.Grow(dst, wrap+n)[:at+wrap+n]

	// The plaintext is put together at the end of the room, where neither wrapper
	// nor SFrame header will land; SFrame then moves it to its exact place.
	plain := dst[len(dst)-1-len(frame):]
	copy(plain[1:], frame)
	plain[0] = byte(t)
	appendWrapper(dst[:at], c, t, n)
	if _, err := s.sender.Seal(dst[:at+wrap], metadata(c, t), plain); err != nil {
		clear(dst[at:])
		return nil, fmt.Errorf("media: sealing a frame: %w", err)
	}
	return dst, nil
}

// Close erases the key. Seal then fails with [sframe.ErrClosed].
func (s *Sealer) Close() { s.sender.Close() }
