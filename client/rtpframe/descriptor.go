package rtpframe

import (
	"errors"

	"github.com/pion/rtp/codecs"

	"github.com/sotto-sfu/sotto/client/codec"
)

// appendVP8 writes the payload descriptor of RFC 7741 §4.2: X, S on the first
// fragment, and a 15-bit picture id.
func appendVP8(b []byte, pictureID uint16, first bool) []byte {
	const x, s, i, m = 0x80, 0x10, 0x80, 0x80
	head := byte(x)
	if first {
		head |= s
	}
	return append(b, head, i, m|byte(pictureID>>8), byte(pictureID))
}

// appendVP9 writes the payload descriptor of RFC 9628 §4.2 for one layer in
// non-flexible mode: picture id, P on frames that need another, B and E at the ends,
// Z because no higher layer refers to this one. No scalability structure: it would
// tell the picture's size.
func appendVP9(b []byte, pictureID uint16, first, last, key bool) []byte {
	const i, p, beg, end, z, m = 0x80, 0x40, 0x08, 0x04, 0x01, 0x80
	head := byte(i | z)
	if !key {
		head |= p
	}
	if first {
		head |= beg
	}
	if last {
		head |= end
	}
	return append(b, head, m|byte(pictureID>>8), byte(pictureID))
}

// The aggregation header of the AV1 RTP payload format §4.4.
const (
	av1Z  = 0x80 // goes on from the packet before
	av1Y  = 0x40 // goes on in the next packet
	av1W  = 0x30 // how many elements; 0: each has its length before it
	av1W1 = 0x10
	av1N  = 0x08 // begins a coded video sequence
)

func av1Aggregation(first, last, key bool) byte {
	h := byte(av1W1)
	if !first {
		h |= av1Z
	}
	if !last {
		h |= av1Y
	}
	if first && key {
		h |= av1N
	}
	return h
}

const (
	obuHasSize   = 0x02
	obuExtension = 0x04
)

// splitOBU takes the fake OBU around a sealed AV1 frame apart: its header without
// the size flag, and what follows the size field.
func splitOBU(b []byte) (head byte, body []byte, ok bool) {
	if len(b) < 2 || b[0]&obuHasSize == 0 || b[0]&(obuExtension|0x80) != 0 {
		return 0, nil, false
	}
	size, n, ok := leb128(b[1:])
	if !ok || size != uint64(len(b)-1-n) {
		return 0, nil, false
	}
	return b[0] &^ obuHasSize, b[1+n:], true
}

func leb128(b []byte) (v uint64, n int, ok bool) {
	for i := 0; i < len(b) && i < 8; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1, true
		}
	}
	return 0, 0, false
}

// appendOBU is the inverse of splitOBU on a reassembled element, which must not be
// empty. One that brought its size field along is taken as it is.
func appendOBU(dst, element []byte) []byte {
	if element[0]&obuHasSize != 0 {
		return append(dst, element...)
	}
	dst = append(dst, element[0]|obuHasSize)
	n := uint64(len(element) - 1)
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(append(dst, byte(n)), element[1:]...)
}

var errDescriptor = errors.New("rtpframe: malformed payload descriptor")

// fragment is a video payload without its descriptor.
type fragment struct {
	body       []byte
	start, end bool // of a frame
}

// parse reads the payload descriptor of one video packet.
func parse(c codec.Codec, payload []byte, marker bool) (fragment, error) {
	switch c {
	case codec.VP8:
		var p codecs.VP8Packet
		body, err := p.Unmarshal(payload)
		if err != nil {
			return fragment{}, errDescriptor
		}
		return fragment{body: body, start: p.S == 1 && p.PID == 0, end: marker}, nil
	case codec.VP9:
		var p codecs.VP9Packet
		body, err := p.Unmarshal(payload)
		if err != nil {
			return fragment{}, errDescriptor
		}
		return fragment{body: body, start: p.B, end: p.E || marker}, nil
	case codec.AV1:
		return parseAV1(payload, marker)
	}
	return fragment{}, errDescriptor
}

// parseAV1 accepts one element a packet: a sealed frame is one OBU.
func parseAV1(b []byte, marker bool) (fragment, error) {
	if len(b) < 2 {
		return fragment{}, errDescriptor
	}
	head, body := b[0], b[1:]
	switch head & av1W {
	case av1W1:
	case 0:
		size, n, ok := leb128(body)
		if !ok || size != uint64(len(body)-n) {
			return fragment{}, errDescriptor
		}
		body = body[n:]
	default:
		return fragment{}, errDescriptor
	}
	if marker == (head&av1Y != 0) || len(body) == 0 {
		return fragment{}, errDescriptor
	}
	return fragment{body: body, start: head&av1Z == 0, end: marker}, nil
}
