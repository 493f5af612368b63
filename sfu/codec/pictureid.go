package codec

import "encoding/binary"

// pictureID reads the PictureID that VP8 and VP9 descriptors have in the same
// form (RFC 7741 section 4.2, RFC 9628 section 4.2): 7 bits in one byte, or 15
// in two if the first bit is set. A size of 0 means that b is too short.
func pictureID(b []byte) (id uint16, size int) {
	switch {
	case len(b) >= 1 && b[0]&0x80 == 0:
		return uint16(b[0]), 1
	case len(b) >= 2:
		return binary.BigEndian.Uint16(b) & 0x7FFF, 2
	}
	return 0, 0
}
