package play

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/ivf"
	"github.com/sotto-sfu/sotto/client/ogg"
	"github.com/sotto-sfu/sotto/client/pattern"
)

// Limits of a file that is read into memory.
const (
	maxBytes  = 512 << 20
	maxFrames = 1 << 20
	// maxPause is the longest time between two frames: more is a damaged file.
	maxPause = time.Minute
)

// ErrMedia: the file cannot be sent.
var ErrMedia = errors.New("play: not media that can be sent")

// Clip is a piece of encoded media in memory.
type Clip struct {
	Codec  codec.Codec
	Loop   bool // begin again at the end
	Frames []pattern.Frame
}

// Pattern is the built-in moving picture in a video codec.
func Pattern(c codec.Codec) (*Clip, error) {
	frames, err := pattern.Video(c)
	if err != nil {
		return nil, err
	}
	return &Clip{Codec: c, Loop: true, Frames: frames}, nil
}

// Tone is the built-in tone.
func Tone() (*Clip, error) {
	frames, err := pattern.Tone()
	if err != nil {
		return nil, err
	}
	return &Clip{Codec: codec.Opus, Loop: true, Frames: frames}, nil
}

// Open reads an IVF or Ogg Opus file. Errors: ErrMedia wrapped with what is wrong, or
// the file system's.
func Open(path string) (*Clip, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ivf":
		return readIVF(f)
	case ".ogg", ".opus":
		return readOgg(f)
	}
	return nil, fmt.Errorf("%w: want a file ending in .ivf or .ogg", ErrMedia)
}

func readIVF(in io.Reader) (*Clip, error) {
	r, err := ivf.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	c := &Clip{Codec: r.Header().Codec}
	var times []time.Duration
	total := 0
	for {
		data, at, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMedia, err)
		}
		if n := len(times); n > 0 && (at < times[n-1] || at-times[n-1] > maxPause) {
			return nil, fmt.Errorf("%w: frame %d comes at %v, the one before at %v", ErrMedia, n, at, times[n-1])
		}
		if total += len(data); total > maxBytes || len(times) >= maxFrames {
			return nil, fmt.Errorf("%w: too large", ErrMedia)
		}
		times = append(times, at)
		c.Frames = append(c.Frames, pattern.Frame{Data: slices.Clone(data), Key: codec.Inspect(c.Codec, data).Key})
	}
	if len(c.Frames) == 0 || !c.Frames[0].Key {
		return nil, fmt.Errorf("%w: does not begin with a key frame", ErrMedia)
	}
	for i := range c.Frames {
		switch {
		case i+1 < len(times):
			c.Frames[i].Duration = times[i+1] - times[i]
		case i > 0:
			c.Frames[i].Duration = c.Frames[i-1].Duration // the last one: as the one before
		default:
			c.Frames[i].Duration = time.Second / 25
		}
	}
	return c, nil
}

func readOgg(in io.Reader) (*Clip, error) {
	r, err := ogg.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	c := &Clip{Codec: codec.Opus}
	total := 0
	for {
		data, samples, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMedia, err)
		}
		if total += len(data); total > maxBytes || len(c.Frames) >= maxFrames {
			return nil, fmt.Errorf("%w: too large", ErrMedia)
		}
		c.Frames = append(c.Frames, pattern.Frame{
			Data: slices.Clone(data), Key: true, Duration: time.Duration(samples) * time.Second / 48000,
		})
	}
	if len(c.Frames) == 0 {
		return nil, fmt.Errorf("%w: no packets in it", ErrMedia)
	}
	return c, nil
}
