package wire

import "encoding/binary"

// Writer appends encodings to B. The zero value is ready for use.
type Writer struct{ B []byte }

// U8 writes a uint8.
func (w *Writer) U8(v uint8) { w.B = append(w.B, v) }

// U16 writes a uint16.
func (w *Writer) U16(v uint16) { w.B = binary.BigEndian.AppendUint16(w.B, v) }

// U32 writes a uint32.
func (w *Writer) U32(v uint32) { w.B = binary.BigEndian.AppendUint32(w.B, v) }

// U64 writes a uint64.
func (w *Writer) U64(v uint64) { w.B = binary.BigEndian.AppendUint64(w.B, v) }

// Raw writes b as it is.
func (w *Writer) Raw(b []byte) { w.B = append(w.B, b...) }

// Length writes a variable-size length prefix in its shortest form. n must be below 1<<30.
func (w *Writer) Length(n int) {
	switch {
	case n < 1<<6:
		w.U8(uint8(n))
	case n < 1<<14:
		w.U16(uint16(n) | 0x4000)
	case n < 1<<30:
		w.U32(uint32(n) | 0x8000_0000)
	default:
		panic("wire: vector of 2^30 bytes or more")
	}
}

// Opaque writes an opaque<V>.
func (w *Writer) Opaque(b []byte) {
	w.Length(len(b))
	w.Raw(b)
}

// Optional writes a presence octet.
func (w *Writer) Optional(present bool) {
	if present {
		w.U8(1)
	} else {
		w.U8(0)
	}
}

// Vector writes what body writes as a T<V>.
func (w *Writer) Vector(body func()) {
	start := len(w.B)
	body()
	n := len(w.B) - start
	var prefix Writer
	prefix.Length(n)
	p := len(prefix.B)
	w.B = append(w.B, prefix.B...)
	copy(w.B[start+p:], w.B[start:start+n])
	copy(w.B[start:], prefix.B)
}
