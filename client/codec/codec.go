package codec

import (
	"fmt"
	"strings"
)

// Codec names a codec, in the spelling of the command line and of reports.
type Codec string

// The codecs of a call.
const (
	Opus Codec = "opus"
	VP8  Codec = "vp8"
	VP9  Codec = "vp9"
	AV1  Codec = "av1"
)

// Video lists the video codecs in the order in which they are offered.
var Video = []Codec{VP8, VP9, AV1}

// Video reports whether c is a video codec.
func (c Codec) Video() bool { return c == VP8 || c == VP9 || c == AV1 }

// ClockRate is the rate of RTP timestamps in ticks a second, 0 for an unknown codec.
func (c Codec) ClockRate() uint32 {
	switch {
	case c == Opus:
		return 48000 // RFC 7587 §4.1: whatever the sampling rate is
	case c.Video():
		return 90000
	}
	return 0
}

// MimeType is the media type of SDP, e.g. "video/VP8", empty for an unknown codec.
func (c Codec) MimeType() string {
	switch {
	case c == Opus:
		return "audio/opus"
	case c.Video():
		return "video/" + strings.ToUpper(string(c))
	}
	return ""
}

// FromMimeType is the inverse of MimeType, not case-sensitive. Not ok: another codec.
func FromMimeType(mime string) (c Codec, ok bool) {
	for _, c := range []Codec{Opus, VP8, VP9, AV1} {
		if strings.EqualFold(mime, c.MimeType()) {
			return c, true
		}
	}
	return "", false
}

// Parse reads a codec's name as a person writes it.
func Parse(name string) (Codec, error) {
	c := Codec(strings.ToLower(name))
	if c.ClockRate() == 0 {
		return "", fmt.Errorf("unknown codec %q: want opus, vp8, vp9 or av1", name)
	}
	return c, nil
}

// Info is what a frame says about itself.
type Info struct {
	Key           bool // decodable without any earlier frame
	Width, Height int  // pixels; 0 where the frame does not say, as in any delta frame
}

// Inspect reads the start of one encoded frame. Bytes that make no sense give the
// zero Info. Every Opus packet is a key frame.
func Inspect(c Codec, frame []byte) Info {
	switch c {
	case Opus:
		return Info{Key: len(frame) > 0}
	case VP8:
		return inspectVP8(frame)
	case VP9:
		return inspectVP9(frame)
	case AV1:
		return inspectAV1(frame)
	}
	return Info{}
}
