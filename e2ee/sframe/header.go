package sframe

import (
	"encoding/binary"
	"math/bits"
)

// MaxHeaderLen is the length in bytes of the longest header: the config byte and
// two 64-bit numbers.
const MaxHeaderLen = 1 + 8 + 8

// maxInline is the largest value that fits into the config byte itself.
const maxInline = 7

// Header is the clear, authenticated start of every frame (RFC 9605 §4.3):
//
//	 0 1 2 3 4 5 6 7
//	+-+-----+-+-----+------------+------------+
//	|X|  K  |Y|  C  |   KID...   |   CTR...   |
//	+-+-----+-+-----+------------+------------+
//
// X (Y) tells whether K (C) is the number itself, 0 to 7, or the length in bytes,
// less one, of a big-endian number that follows.
type Header struct {
	KID uint64 // which key
	CTR uint64 // which frame under that key
}

// Len is the length in bytes of the encoded header, 1 to MaxHeaderLen.
func (h Header) Len() int { return 1 + extraLen(h.KID) + extraLen(h.CTR) }

// Append encodes h at the end of b, in the one minimal form.
func (h Header) Append(b []byte) []byte {
	at := len(b)
	b = append(b, 0)
	k, b := appendField(b, h.KID)
	c, b := appendField(b, h.CTR)
	b[at] = k<<4 | c
	return b
}

// ParseHeader reads the header at the start of b and returns its length in bytes.
// A number not encoded in the fewest bytes is refused, as RFC 9605 §4.3 demands
// of senders: one (KID, CTR) must have one spelling. Error: ErrMalformed.
func ParseHeader(b []byte) (Header, int, error) {
	if len(b) == 0 {
		return Header{}, 0, ErrMalformed
	}
	config := b[0]
	kid, n, ok := parseField(config>>4, b[1:])
	if !ok {
		return Header{}, 0, ErrMalformed
	}
	ctr, m, ok := parseField(config&0x0f, b[1+n:])
	if !ok {
		return Header{}, 0, ErrMalformed
	}
	return Header{KID: kid, CTR: ctr}, 1 + n + m, nil
}

// extraLen is how many bytes v needs after the config byte.
func extraLen(v uint64) int {
	if v <= maxInline {
		return 0
	}
	return (bits.Len64(v) + 7) / 8
}

// appendField returns v's four bits of the config byte, and b with v's own bytes.
func appendField(b []byte, v uint64) (nibble byte, _ []byte) {
	n := extraLen(v)
	if n == 0 {
		return byte(v), b
	}
	var be [8]byte
	binary.BigEndian.PutUint64(be[:], v)
	return 0x8 | byte(n-1), append(b, be[8-n:]...)
}

// parseField reads the number that a nibble of the config byte announces, and
// returns how many bytes of b it took. Not ok: truncated or not minimal.
func parseField(nibble byte, b []byte) (v uint64, n int, ok bool) {
	if nibble&0x8 == 0 {
		return uint64(nibble), 0, true
	}
	n = int(nibble&0x7) + 1
	if len(b) < n {
		return 0, 0, false
	}
	for _, x := range b[:n] {
		v = v<<8 | uint64(x)
	}
	return v, n, extraLen(v) == n
}
