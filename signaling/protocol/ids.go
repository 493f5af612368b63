package protocol

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// Bytes is an opaque byte string, base64url without padding on the wire
// (RFC 4648 section 5). Decoding is strict: no padding, no line breaks, no
// stray bits, so that one value has exactly one spelling.
type Bytes []byte

var errLineBreak = errors.New("not base64url without padding: line break")

var strictBase64 = base64.RawURLEncoding.Strict()

// MarshalJSON implements json.Marshaler.
func (b Bytes) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2+strictBase64.EncodedLen(len(b)))
	out = append(out, '"')
	out = strictBase64.AppendEncode(out, b)
	return append(out, '"'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	out, err := strictBase64.DecodeString(s)
	if err != nil {
		return fmt.Errorf("not base64url without padding: %w", err)
	}
	if strictBase64.EncodedLen(len(out)) != len(s) { // the decoder skips line breaks
		return errLineBreak
	}
	*b = out
	return nil
}

// Ids are 16 random or hashed bytes in base64url: 22 characters. They are kept
// as strings because they are only ever compared and used as map keys.
type (
	// CallID names a call and commits to its admission key: it is the first
	// 16 bytes of SHA-256("sotto/1 call id" ‖ admission key).
	CallID string
	// ParticipantID names one joining of a call. The server draws it; a device
	// that joins again gets another.
	ParticipantID string
	// DeviceID names a device: the first 16 bytes of
	// SHA-256("sotto/1 device id" ‖ device key).
	DeviceID string
	// SessionID names a signalling session, which outlives its WebSocket by
	// the resume window.
	SessionID string
)

// Source names one thing a participant can send.
type Source string

// The sources of a participant. Each has at most one track.
const (
	SourceMic         Source = "mic"
	SourceCamera      Source = "camera"
	SourceScreen      Source = "screen"
	SourceScreenAudio Source = "screen_audio"
)

// Sources lists every source in the order clients offer them.
var Sources = []Source{SourceMic, SourceCamera, SourceScreen, SourceScreenAudio}

// Video reports whether the source carries video.
func (s Source) Video() bool { return s == SourceCamera || s == SourceScreen }

// SourceState says what a source is doing.
type SourceState string

// The states of a source.
const (
	StateOff   SourceState = "off"   // nothing is being sent
	StateLive  SourceState = "live"  // media is being sent
	StateMuted SourceState = "muted" // held by its owner, sending paused
)
