package play

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/pattern"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func clip(loop bool, keys string) *Clip {
	c := &Clip{Codec: codec.VP8, Loop: loop}
	for i, k := range keys {
		c.Frames = append(c.Frames, pattern.Frame{Data: []byte{byte(i)}, Key: k == 'K', Duration: 2 * time.Millisecond})
	}
	return c
}

func TestCursor(t *testing.T) {
	for _, tc := range []struct {
		name string
		clip *Clip
		seek int // before the n-th frame
		want []int
	}{
		{"to the end", clip(false, "KdKd"), -1, []int{0, 1, 2, 3}},
		{"round and round", clip(true, "Kdd"), -1, []int{0, 1, 2, 0, 1, 2}},
		{"on to the next key frame", clip(true, "KdddKd"), 2, []int{0, 1, 4, 5, 0, 1}},
		{"over the end", clip(true, "Kddd"), 2, []int{0, 1, 0, 1, 2, 3}},
		{"no key frame follows", clip(false, "Kddd"), 2, []int{0, 1, 2, 3}},
		{"at a key frame", clip(true, "KKK"), 1, []int{0, 1, 2, 0, 1, 2}},
	} {
		c := cursor{clip: tc.clip}
		var got []int
		for i := range 6 {
			if i == tc.seek {
				c.seekKey()
			}
			f, at, ok := c.take()
			if !ok {
				break
			}
			if want := time.Duration(i) * 2 * time.Millisecond; at != want {
				t.Errorf("%s: frame %d at %v", tc.name, i, at)
			}
			got = append(got, int(f.Data[0]))
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

// sink notes what is written.
type sink struct {
	got   []string
	ask   func()
	askAt int
	fail  error
}

func (s *sink) WriteFrame(f []byte, key bool, at time.Duration) error {
	s.got = append(s.got, fmt.Sprintf("%d %v %v", f[0], key, at))
	if len(s.got) == s.askAt {
		s.ask()
	}
	return s.fail
}

func (s *sink) OnKeyFrameRequest(f func()) { s.ask = f }

func TestRun(t *testing.T) {
	s := &sink{askAt: 2}
	begin := time.Now()
	if err := Run(t.Context(), s, clip(false, "KdddKd")); err != nil {
		t.Fatal(err)
	}
	want := []string{"0 true 0s", "1 false 2ms", "4 true 4ms", "5 false 6ms"}
	if !slices.Equal(s.got, want) {
		t.Errorf("%q", s.got)
	}
	if took := time.Since(begin); took < 6*time.Millisecond {
		t.Errorf("took %v: faster than the media", took)
	}
	if s.ask != nil {
		t.Error("the handler was left behind")
	}
}

func TestRunEnds(t *testing.T) {
	boom := errors.New("boom")
	if err := Run(t.Context(), &sink{fail: boom}, clip(true, "K")); !errors.Is(err, boom) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Run(ctx, &sink{}, clip(true, "Kdd")); err != nil {
		t.Errorf("%v", err)
	}
}

func TestOpen(t *testing.T) {
	for _, tc := range []struct {
		file   string
		codec  codec.Codec
		frames int
		each   time.Duration
	}{
		{"pattern.vp8.ivf", codec.VP8, 60, time.Second / 15},
		{"pattern.vp9.ivf", codec.VP9, 60, time.Second / 15},
		{"pattern.av1.ivf", codec.AV1, 60, time.Second / 15},
		{"tone.ogg", codec.Opus, 201, 20 * time.Millisecond},
	} {
		c, err := Open(filepath.Join("..", "pattern", tc.file))
		if err != nil {
			t.Errorf("%s: %v", tc.file, err)
			continue
		}
		d := c.Frames[len(c.Frames)-1].Duration
		if c.Codec != tc.codec || len(c.Frames) != tc.frames || !c.Frames[0].Key || (d-tc.each).Abs() > time.Millisecond {
			t.Errorf("%s: %s, %d frames, %v", tc.file, c.Codec, len(c.Frames), d)
		}
	}
	dir := t.TempDir()
	for name, content := range map[string]string{"x.ivf": "junk", "x.ogg": "", "x.mp4": "x"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !errors.Is(err, ErrMedia) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(filepath.Join(dir, "absent.ivf")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
