package sframe

// MaxFramesPerKey is how many frames one sender seals before it demands a new base
// key: at 200 frames a second, eight months. The 64-bit counter would last longer; the bound keeps
// AES-GCM's confidentiality margin comfortable even with large frames (2^42 blocks
// of 10 kB frames leave a distinguishing advantage near 2^-45), and keeps CTR exact in
// JavaScript numbers.
const MaxFramesPerKey = 1 << 32

// counter hands out each value of [0, limit) once, in order. It cannot be set back,
// never wraps, and stays exhausted.
type counter struct {
	next  uint64
	limit uint64
}

// take returns the next value; not ok when none is left.
func (c *counter) take() (v uint64, ok bool) {
	if c.next >= c.limit {
		return 0, false
	}
	v = c.next
	c.next++
	return v, true
}
