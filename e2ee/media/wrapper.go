package media

// VP8's one clear byte, where the packetizer looks for the P bit of the VP8
// payload header (RFC 6386 §9.1): 0 says key frame.
const (
	vp8Key   = 0x00
	vp8Delta = 0x01
)

// AV1's fake OBU header (AV1 specification §5.3.2): type<<3 | has_size. A sequence header marks
// a key frame to packetizers and relays, a frame OBU anything else.
const (
	obuHasSize  = 0x02
	obuKey      = 1<<3 | obuHasSize // OBU_SEQUENCE_HEADER
	obuDelta    = 6<<3 | obuHasSize // OBU_FRAME
	obuTemporal = 2<<3 | obuHasSize // OBU_TEMPORAL_DELIMITER, always of length 0

	maxLEB128 = 8 // AV1 specification §4.10.5
)

// vp8Metadata are VP8's clear bytes as authenticated metadata, kept here so that
// the frame path need not allocate them.
var vp8Metadata = [2][]byte{{vp8Key}, {vp8Delta}}

// wrapLen is the length of the wrapper around n bytes of SFrame ciphertext.
func wrapLen(c Codec, n int) int {
	switch c {
	case VP8:
		return 1
	case AV1:
		return 1 + leb128Len(n)
	}
	return 0
}

// appendWrapper writes the wrapper that precedes n bytes of ciphertext.
func appendWrapper(dst []byte, c Codec, t FrameType, n int) []byte {
	switch c {
	case VP8:
		if t == Key {
			return append(dst, vp8Key)
		}
		return append(dst, vp8Delta)
	case AV1:
		if t == Key {
			return appendLEB128(append(dst, obuKey), n)
		}
		return appendLEB128(append(dst, obuDelta), n)
	}
	return dst
}

// metadata is what SFrame authenticates besides its header: the clear bytes that
// nothing on the way may rewrite.
func metadata(c Codec, t FrameType) []byte {
	if c != VP8 {
		return nil
	}
	if t == Key {
		return vp8Metadata[0]
	}
	return vp8Metadata[1]
}

// unwrap splits a received frame into ciphertext and the type that the wrapper
// claims. Codecs without a wrapper claim nothing: marked is false.
func unwrap(c Codec, b []byte) (sealed []byte, claim FrameType, marked bool, err error) {
	switch c {
	case Opus, VP9:
		return b, 0, false, nil
	case VP8:
		switch b[0] {
		case vp8Key:
			return b[1:], Key, true, nil
		case vp8Delta:
			return b[1:], Delta, true, nil
		}
	case AV1:
		if len(b) >= 2 && b[0] == obuTemporal && b[1] == 0 {
			b = b[2:] // put there by a depacketizer
		}
		if len(b) == 0 {
			break
		}
		n := skipLEB128(b[1:])
		switch {
		case n == 0:
		case b[0] == obuKey:
			return b[1+n:], Key, true, nil
		case b[0] == obuDelta:
			return b[1+n:], Delta, true, nil
		}
	}
	return nil, 0, false, ErrMalformed
}

// leb128Len is the length of v in AV1's variable-length code.
func leb128Len(v int) int {
	n := 1
	for v >>= 7; v > 0; v >>= 7 {
		n++
	}
	return n
}

func appendLEB128(dst []byte, v int) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

// skipLEB128 is the length of the number at the start of b, 0 if there is none.
// Its value is not looked at: packetizers on the way may rewrite it, and the
// ciphertext's own tag tells whether the bytes behind it are the right ones.
func skipLEB128(b []byte) int {
	for i := range min(len(b), maxLEB128) {
		if b[i]&0x80 == 0 {
			return i + 1
		}
	}
	return 0
}
