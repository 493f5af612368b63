package pattern

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/ivf"
	"github.com/sotto-sfu/sotto/client/ogg"
)

// The picture of every video pattern.
const (
	Width     = 640 // pixels
	Height    = 360
	FrameRate = 15 // a second
	// BarsHeight is how far down the colour bars reach; below is what moves.
	BarsHeight = 240
)

// ToneHz is the frequency of the tone.
const ToneHz = 440

// Bars are the colours of the bars from left to right in red, green, blue: SMPTE
// bars at 75 %. They stand still, so that a test can sample a decoded picture.
var Bars = [7][3]uint8{
	{192, 192, 192}, {192, 192, 0}, {0, 192, 192}, {0, 192, 0}, {192, 0, 192}, {192, 0, 0}, {0, 0, 192},
}

//go:embed pattern.vp8.ivf
var fileVP8 []byte

//go:embed pattern.vp9.ivf
var fileVP9 []byte

//go:embed pattern.av1.ivf
var fileAV1 []byte

//go:embed tone.ogg
var fileTone []byte

// Frame is one encoded picture or Opus packet.
type Frame struct {
	Data     []byte
	Key      bool
	Duration time.Duration // until the next one
}

// Video returns the pattern's frames. They begin with a key frame, may be played
// round and round, and must not be changed. Error: c is no video codec.
func Video(c codec.Codec) ([]Frame, error) {
	switch c {
	case codec.VP8:
		return decodedVP8()
	case codec.VP9:
		return decodedVP9()
	case codec.AV1:
		return decodedAV1()
	}
	return nil, fmt.Errorf("pattern: no video codec: %q", c)
}

// Tone returns the packets of the tone, 20 ms each, which may be played round and
// round and must not be changed.
func Tone() ([]Frame, error) { return decodedTone() }

var (
	decodedVP8  = sync.OnceValues(func() ([]Frame, error) { return readVideo(codec.VP8, fileVP8) })
	decodedVP9  = sync.OnceValues(func() ([]Frame, error) { return readVideo(codec.VP9, fileVP9) })
	decodedAV1  = sync.OnceValues(func() ([]Frame, error) { return readVideo(codec.AV1, fileAV1) })
	decodedTone = sync.OnceValues(func() ([]Frame, error) { return readTone(fileTone) })
)

func readVideo(c codec.Codec, file []byte) ([]Frame, error) {
	r, err := ivf.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	var out []Frame
	for {
		data, _, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
		out = append(out, Frame{
			Data:     slices.Clone(data),
			Key:      codec.Inspect(c, data).Key,
			Duration: time.Second / FrameRate,
		})
	}
}

func readTone(file []byte) ([]Frame, error) {
	r, err := ogg.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("pattern: %w", err)
	}
	var out []Frame
	for {
		data, samples, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("pattern: %w", err)
		}
		out = append(out, Frame{
			Data:     slices.Clone(data),
			Key:      true,
			Duration: time.Duration(samples) * time.Second / 48000,
		})
	}
}
