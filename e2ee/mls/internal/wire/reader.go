package wire

import (
	"encoding/binary"
	"errors"
)

// Errors of the reader. They are sticky: the first one stays.
var (
	ErrTruncated  = errors.New("input ends inside a value")
	ErrTrailing   = errors.New("bytes left after the value")
	ErrNonMinimal = errors.New("length prefix is not in its shortest form")
	ErrPrefix     = errors.New("length prefix has the reserved form")
	ErrOptional   = errors.New("presence octet is neither 0 nor 1")
)

// Bound is the largest size in bytes of a vector, and the error for one that exceeds it.
type Bound struct {
	Max int
	Err error
}

// Reader decodes one buffer. Slices it returns alias the buffer.
type Reader struct {
	buf      []byte
	off, end int
	err      error
}

// NewReader returns a reader over b, which the caller must not change while results are in use.
func NewReader(b []byte) *Reader { return &Reader{buf: b, end: len(b)} }

// Err returns the first error met.
func (r *Reader) Err() error { return r.err }

// Fail records err unless an earlier error is recorded.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Pos returns the offset in the buffer, for use with Since.
func (r *Reader) Pos() int { return r.off }

// Since returns the bytes from offset pos up to here, or nil after an error.
func (r *Reader) Since(pos int) []byte {
	if r.err != nil {
		return nil
	}
	return r.buf[pos:r.off:r.off]
}

// More reports whether bytes are left and no error has occurred: the condition of element loops.
func (r *Reader) More() bool { return r.err == nil && r.off < r.end }

// Rest returns the unread bytes and consumes them.
func (r *Reader) Rest() []byte { return r.Take(r.end - r.off) }

// Done returns the first error, or ErrTrailing if bytes are left.
func (r *Reader) Done() error {
	if r.err == nil && r.off != r.end {
		r.err = ErrTrailing
	}
	return r.err
}

// Take returns the next n bytes.
func (r *Reader) Take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > r.end-r.off {
		r.err = ErrTruncated
		return nil
	}
	b := r.buf[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// U8 reads a uint8.
func (r *Reader) U8() uint8 {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads a uint16.
func (r *Reader) U16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

// U32 reads a uint32.
func (r *Reader) U32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 reads a uint64.
func (r *Reader) U64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// Length reads a variable-size length prefix (RFC 9420 §2.1.2).
func (r *Reader) Length() int {
	first := r.U8()
	switch first >> 6 {
	case 0:
		return int(first)
	case 1:
		n := int(first&0x3f)<<8 | int(r.U8())
		if r.err == nil && n < 1<<6 {
			r.err = ErrNonMinimal
		}
		return n
	case 2:
		n := int(first&0x3f)<<24 | int(r.U8())<<16 | int(r.U16())
		if r.err == nil && n < 1<<14 {
			r.err = ErrNonMinimal
		}
		return n
	default:
		r.Fail(ErrPrefix)
		return 0
	}
}

// Opaque reads an opaque<V> within bound. The result is never nil on success.
func (r *Reader) Opaque(bound Bound) []byte {
	n := r.Length()
	if r.err == nil && n > bound.Max {
		r.err = bound.Err
	}
	return r.Take(n)
}

// Optional reads the presence octet of an optional<T>.
func (r *Reader) Optional() bool {
	switch r.U8() {
	case 0:
		return false
	case 1:
		return r.err == nil
	default:
		r.Fail(ErrOptional)
		return false
	}
}

// Vector reads a T<V> within bound, calling item until its bytes are used up.
func (r *Reader) Vector(bound Bound, item func(*Reader)) {
	n := r.Length()
	if r.err != nil {
		return
	}
	if n > bound.Max {
		r.err = bound.Err
		return
	}
	if n > r.end-r.off {
		r.err = ErrTruncated
		return
	}
	outer := r.end
	r.end = r.off + n
	for r.More() {
		before := r.off
		item(r)
		if r.err == nil && r.off == before {
			r.err = ErrTruncated // an item that reads nothing would loop for ever
		}
	}
	r.end = outer
}
