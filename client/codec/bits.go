package codec

// bitReader reads big-endian bit fields. Reading past the end gives zeros and sets
// short, so that a parser checks once at its end.
type bitReader struct {
	data  []byte
	pos   int // in bits
	short bool
}

// read returns the next n ≤ 32 bits.
func (r *bitReader) read(n int) uint32 {
	var v uint32
	for range n {
		v <<= 1
		if i := r.pos >> 3; i < len(r.data) {
			v |= uint32(r.data[i]>>(7-r.pos&7)) & 1
		} else {
			r.short = true
		}
		r.pos++
	}
	return v
}

func (r *bitReader) flag() bool { return r.read(1) == 1 }

// uvlc skips a variable-length number (AV1 specification §4.10.3).
func (r *bitReader) uvlc() {
	zeros := 0
	for !r.short && !r.flag() {
		zeros++
	}
	r.read(min(zeros, 32))
}
