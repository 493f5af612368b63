package rtpframe

import (
	"errors"
	"fmt"

	"github.com/sotto-sfu/sotto/client/codec"
)

// MaxFrame bounds one sealed frame, in bytes. Real-time encoders stay far below.
const MaxFrame = 4 << 20

// DefaultPayload is how many bytes of RTP payload fit a packet on any usual path:
// 1,200 bytes of UDP payload, less RTP header, extensions, SRTP tag and what
// retransmission and TCP framing add.
const DefaultPayload = 1140

// minPayload leaves room for every descriptor and some frame.
const minPayload = 64

// Errors of Packetize.
var (
	ErrFrameSize = errors.New("rtpframe: frame empty or too large")
	ErrFrameForm = errors.New("rtpframe: not a sealed frame of this codec")
)

// Packetizer cuts the sealed frames of one stream into RTP payloads. Not safe for
// concurrent use.
type Packetizer struct {
	codec      codec.Codec
	maxPayload int
	// pictureID counts frames modulo 2^15. Receivers take a step of one for "needs
	// the frame before", which is true of every frame that is not a key frame.
	pictureID uint16
	payloads  [][]byte
	buf       []byte
}

// NewPacketizer makes payloads of at most maxPayload bytes. pictureID is where VP8
// and VP9 start to count.
func NewPacketizer(c codec.Codec, maxPayload int, pictureID uint16) (*Packetizer, error) {
	if c.ClockRate() == 0 {
		return nil, fmt.Errorf("rtpframe: unknown codec %q", c)
	}
	if maxPayload < minPayload {
		return nil, fmt.Errorf("rtpframe: payloads of %d bytes are too small", maxPayload)
	}
	return &Packetizer{codec: c, maxPayload: maxPayload, pictureID: pictureID & 0x7fff}, nil
}

// Packetize cuts one sealed frame. The payloads are valid until the next call; the
// last one goes into the packet with the marker bit. Errors: ErrFrameSize,
// ErrFrameForm.
func (p *Packetizer) Packetize(sealed []byte, key bool) ([][]byte, error) {
	if len(sealed) == 0 || len(sealed) > MaxFrame {
		return nil, ErrFrameSize
	}
	p.payloads, p.buf = p.payloads[:0], p.buf[:0]
	switch p.codec {
	case codec.Opus:
		// One packet whatever the size: Opus has no fragments (RFC 7587 §4.2).
		if len(sealed) > p.maxPayload {
			return nil, ErrFrameSize
		}
		p.payloads = append(p.payloads, append(p.buf, sealed...))
		return p.payloads, nil
	case codec.AV1:
		head, body, ok := splitOBU(sealed)
		if !ok {
			return nil, ErrFrameForm
		}
		// The OBU goes without its size field, as §4.5 recommends and Chromium's
		// packetizer does. Its header is the first byte of the first fragment.
		p.cut([]byte{head}, body, 1, func(b []byte, first, last bool) []byte {
			return append(b, av1Aggregation(first, last, key))
		})
	case codec.VP8:
		p.cut(nil, sealed, 4, func(b []byte, first, _ bool) []byte {
			return appendVP8(b, p.pictureID, first)
		})
	case codec.VP9:
		p.cut(nil, sealed, 3, func(b []byte, first, last bool) []byte {
			return appendVP9(b, p.pictureID, first, last, key)
		})
	}
	p.pictureID = (p.pictureID + 1) & 0x7fff
	return p.payloads, nil
}

// cut spreads head ‖ body over payloads that each begin with a descriptor of n bytes.
func (p *Packetizer) cut(head, body []byte, n int, descriptor func(b []byte, first, last bool) []byte) {
	room := p.maxPayload - n
	total := len(head) + len(body)
	count := (total + room - 1) / room
	if need := total + count*n; cap(p.buf) < need {
		p.buf = make([]byte, 0, need) // the payloads below point into it: it must not move
	}
	// Equal shares: a short last packet would cost the same and help nobody.
	for i := range count {
		size := total*(i+1)/count - total*i/count
		at := len(p.buf)
		p.buf = descriptor(p.buf, i == 0, i == count-1)
		if k := min(size, len(head)); k > 0 {
			p.buf = append(p.buf, head[:k]...)
			head, size = head[k:], size-k
		}
		p.buf = append(p.buf, body[:size]...)
		body = body[size:]
		p.payloads = append(p.payloads, p.buf[at:len(p.buf):len(p.buf)])
	}
}
