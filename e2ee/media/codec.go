package media

import "fmt"

// Codec tells which wrapper goes around the ciphertext.
type Codec uint8

// The codecs of a call.
const (
	Opus Codec = iota + 1
	VP8
	VP9
	AV1
)

// String is the codec's name as in SDP, in lower case.
func (c Codec) String() string {
	switch c {
	case Opus:
		return "opus"
	case VP8:
		return "vp8"
	case VP9:
		return "vp9"
	case AV1:
		return "av1"
	}
	return fmt.Sprintf("codec(%d)", uint8(c))
}

// FrameType is the first byte of every plaintext: what the encoder said the frame
// is, authenticated and hidden.
type FrameType uint8

// The frame types. The values are on the wire.
const (
	Delta FrameType = 0x00 // a video frame that needs earlier ones
	Key   FrameType = 0x01 // a video frame that needs none
	Audio FrameType = 0x02
)

// String names the type in lower case.
func (t FrameType) String() string {
	switch t {
	case Delta:
		return "delta"
	case Key:
		return "key"
	case Audio:
		return "audio"
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// fits reports whether frames of type t occur with codec c.
func (t FrameType) fits(c Codec) bool {
	switch c {
	case Opus:
		return t == Audio
	case VP8, VP9, AV1:
		return t == Delta || t == Key
	}
	return false
}
