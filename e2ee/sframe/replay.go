package sframe

// ReplayWindow is how far, in frames, a frame may lag behind the newest one of its
// KID and still be accepted once. 1,024 frames are 20 s of Opus, more than any jitter buffer holds.
const ReplayWindow = 1024

// replayWindow remembers which of the last ReplayWindow counters were accepted.
// The zero value has seen nothing.
type replayWindow struct {
	seen bool
	top  uint64 // highest accepted counter
	bits [ReplayWindow / 64]uint64
}

// accept reports whether ctr is new and inside the window, and remembers it. Call
// it only for counters of authenticated frames: otherwise anyone on the way
// could move the window and lock the sender out.
func (w *replayWindow) accept(ctr uint64) bool {
	switch {
	case !w.seen:
		w.seen, w.top = true, ctr
	case ctr > w.top:
		w.advance(ctr)
	case w.top-ctr >= ReplayWindow:
		return false
	}
	word, bit := &w.bits[ctr%ReplayWindow/64], uint64(1)<<(ctr%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}

// advance moves the top up to ctr and forgets the counters that fall out.
func (w *replayWindow) advance(ctr uint64) {
	if ctr-w.top >= ReplayWindow {
		clear(w.bits[:])
	} else {
		for c := w.top + 1; c != ctr+1; c++ {
			w.bits[c%ReplayWindow/64] &^= 1 << (c % 64)
		}
	}
	w.top = ctr
}
