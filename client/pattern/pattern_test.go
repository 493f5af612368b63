package pattern

import (
	"bytes"
	"image"
	"testing"
	"time"

	"golang.org/x/image/vp8"

	"github.com/sotto-sfu/sotto/client/codec"
)

func TestVideo(t *testing.T) {
	for _, c := range codec.Video {
		frames, err := Video(c)
		if err != nil {
			t.Fatal(err)
		}
		keys := 0
		var length time.Duration
		for i, f := range frames {
			length += f.Duration
			if !f.Key {
				continue
			}
			keys++
			if i%FrameRate != 0 {
				t.Errorf("%s: frame %d is a key frame", c, i)
			}
			if info := codec.Inspect(c, f.Data); info.Width != Width || info.Height != Height {
				t.Errorf("%s: frame %d says %dx%d", c, i, info.Width, info.Height)
			}
		}
		if len(frames) != 60 || keys != 4 || length.Round(time.Millisecond) != 4*time.Second {
			t.Errorf("%s: %d frames, %d key frames, %v", c, len(frames), keys, length)
		}
	}
	if _, err := Video(codec.Opus); err == nil {
		t.Error("Opus taken for a video codec")
	}
}

// The VP8 pattern shows what the package says it shows.
func TestPictureVP8(t *testing.T) {
	frames, err := Video(codec.VP8)
	if err != nil {
		t.Fatal(err)
	}
	d := vp8.NewDecoder()
	d.Init(bytes.NewReader(frames[0].Data), len(frames[0].Data))
	if _, err := d.DecodeFrameHeader(); err != nil {
		t.Fatal(err)
	}
	img, err := d.DecodeFrame()
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, Width, Height) {
		t.Fatalf("bounds %v", img.Bounds())
	}
	if err := Check(img); err != nil {
		t.Fatal(err)
	}
	black := image.NewGray(img.Bounds())
	if Check(black) == nil {
		t.Error("a black picture passes for the pattern")
	}
}

func TestTone(t *testing.T) {
	packets, err := Tone()
	if err != nil {
		t.Fatal(err)
	}
	var length time.Duration
	for i, p := range packets {
		if p.Duration != 20*time.Millisecond || len(p.Data) == 0 {
			t.Fatalf("packet %d: %v, %d bytes", i, p.Duration, len(p.Data))
		}
		length += p.Duration
	}
	if length < 4*time.Second || length > 4100*time.Millisecond {
		t.Errorf("the tone lasts %v", length)
	}
}
