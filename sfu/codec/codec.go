package codec

import "strings"

// Codec is one of the codecs that Sotto negotiates.
type Codec uint8

// The codecs. There are few because the cost of an SDP grows with codecs × sections.
const (
	Unknown Codec = iota
	Opus
	VP8
	VP9
	AV1
)

var names = [...]string{Unknown: "unknown", Opus: "opus", VP8: "VP8", VP9: "VP9", AV1: "AV1"}

// String is the codec's name in an SDP rtpmap line.
func (c Codec) String() string {
	if int(c) >= len(names) {
		return names[Unknown]
	}
	return names[c]
}

// ByName finds a codec by its rtpmap name ("VP8") or MIME type ("video/VP8"), in any case.
func ByName(name string) Codec {
	if i := strings.IndexByte(name, '/'); i >= 0 {
		name = name[i+1:]
	}
	for c := Opus; c <= AV1; c++ {
		if strings.EqualFold(name, names[c]) {
			return c
		}
	}
	return Unknown
}

// Video reports whether decoding starts at key frames only.
func (c Codec) Video() bool { return c >= VP8 }

// ClockRate is the rate of the codec's RTP timestamps in Hz (RFC 7587 §4.1, RFC 7741
// §4.1, RFC 9628 §4.1, AV1 RTP specification §4.1), zero for Unknown.
func (c Codec) ClockRate() uint32 {
	switch {
	case c == Opus:
		return 48000
	case c.Video():
		return 90000
	}
	return 0
}
