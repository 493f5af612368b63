package record

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/pattern"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestTimeline(t *testing.T) {
	l := timeline{rate: 90000}
	for i, tc := range []struct {
		ts      uint32
		arrival time.Duration
		want    uint64
	}{
		{0xfffff000, time.Second, 90000},                                     // placed by the clock
		{0x00000770, 1050 * time.Millisecond, 96000},                         // by RTP, over its wrap
		{0x00001ee0, 1500 * time.Millisecond, 102000},                        // jitter is no matter
		{0x00001ee0, 1500 * time.Millisecond, 102001},                        // never twice the same
		{77, 3500 * time.Millisecond, 102001 + 180000},                       // a new sender: by the clock
		{0x7fffffff, 3600 * time.Millisecond, 282001 + 9000},                 // no leap into the future
		{0x7fffffff + 90000*60, 63600 * time.Millisecond, 291001 + 90000*60}, // a minute's pause
	} {
		if got := l.at(tc.ts, tc.arrival); got != tc.want {
			t.Errorf("%d: %d, want %d", i, got, tc.want)
		}
	}
}

func TestFileNames(t *testing.T) {
	for _, tc := range []struct {
		f    Frame
		part int
		want string
	}{
		{Frame{Participant: "AbCdEfGhIjKlMnOpQrStUv", Source: "camera", Codec: codec.VP9}, 1, "AbCdEfGhIjKlMnOpQrStUv-camera.vp9.ivf"},
		{Frame{Participant: "AbCdEfGhIjKlMnOpQrStUv", Name: "Ann O'Nym", Source: "mic", Codec: codec.Opus}, 2, "AnnONym-AbCdEfGh-mic-2.ogg"},
		{Frame{Participant: "../../../../etc/passwd", Name: "../..", Source: "mic", Codec: codec.Opus}, 1, "etcpasswd-mic.ogg"},
		{Frame{Participant: "-rf", Name: strings.Repeat("x", 99), Source: "a/b", Codec: codec.AV1}, 1, strings.Repeat("x", 24) + "-rf-ab.av1.ivf"},
	} {
		if got := fileName(tc.f, tc.part); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.f, got, tc.want)
		}
	}
}

// patternFrames plays the pattern as a participant would send it.
func patternFrames(t *testing.T, c codec.Codec) []Frame {
	t.Helper()
	src, err := pattern.Video(c)
	if c == codec.Opus {
		src, err = pattern.Tone()
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []Frame
	at := time.Duration(0)
	for _, f := range src {
		data := f.Data
		if c == codec.AV1 {
			data = codec.TrimDelimiters(nil, data)
		}
		out = append(out, Frame{
			Participant: "AbCdEfGhIjKlMnOpQrStUv", Source: "camera", Codec: c, Key: f.Key, Data: data,
			Timestamp: 1000 + uint32(at*time.Duration(c.ClockRate())/time.Second), Arrival: start.Add(at),
		})
		at += f.Duration
	}
	return out
}

func record(t *testing.T, frames []Frame) (*Recorder, []File) {
	t.Helper()
	r, err := New(filepath.Join(t.TempDir(), "sub", "rec"), start)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames {
		if err := r.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return r, r.Files()
}

// What is recorded decodes, in full, with an independent decoder.
func TestRecordingsDecode(t *testing.T) {
	if _, err := exec.LookPath("ffprobe"); err != nil {
		t.Skip("ffprobe is not installed: recordings not checked by decoding them")
	}
	for c, want := range map[codec.Codec]string{
		codec.VP8: "vp8,640,360,60", codec.VP9: "vp9,640,360,60", codec.AV1: "av1,640,360,60", codec.Opus: "opus,201",
	} {
		_, files := record(t, patternFrames(t, c))
		if len(files) != 1 {
			t.Fatalf("%s: %d files", c, len(files))
		}
		out, err := exec.Command("ffprobe", "-v", "error", "-count_frames", "-show_entries",
			"stream=codec_name,width,height,nb_read_frames", "-of", "csv=p=0", files[0].Path).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: ffprobe says %q, want %q (%v)", c, got, want, err)
		}
	}
}

func TestCodecChangeAndStart(t *testing.T) {
	a, b := patternFrames(t, codec.VP8), patternFrames(t, codec.VP9)
	// Starts in the middle, changes codec in the middle: both begin at a key frame.
	_, files := record(t, slices.Concat(a[10:30], b[5:31], a[45:60]))
	var got []string
	for _, f := range files {
		got = append(got, fmt.Sprintf("%s %d", filepath.Base(f.Path), f.Frames))
	}
	want := []string{
		"AbCdEfGhIjKlMnOpQrStUv-camera.vp8.ivf 15",
		"AbCdEfGhIjKlMnOpQrStUv-camera-2.vp9.ivf 16",
		"AbCdEfGhIjKlMnOpQrStUv-camera-3.vp8.ivf 15",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestFileCountIsBounded(t *testing.T) {
	r, err := New(t.TempDir(), start)
	if err != nil {
		t.Fatal(err)
	}
	a, b := patternFrames(t, codec.VP8)[0], patternFrames(t, codec.VP9)[0]
	var last error
	for i := range 2*maxParts - 1 { // ends with the codec that the open file is not of
		last = r.Write([]Frame{a, b}[i%2])
	}
	if !errors.Is(last, ErrTooManyFiles) || len(r.Files()) != maxParts {
		t.Errorf("%v, %d files", last, len(r.Files()))
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Ids that begin alike and equal names are in the hands of others.
func TestNamesakes(t *testing.T) {
	f := patternFrames(t, codec.VP8)[0]
	f.Name = "Bob"
	g, h := f, f
	g.Participant = f.Participant[:8] + "else"
	h.Participant, h.Name = f.Participant[:8]+"third", "bob"
	_, files := record(t, []Frame{f, g, h, f})
	var got []string
	for _, file := range files {
		got = append(got, fmt.Sprintf("%s %d", filepath.Base(file.Path), file.Frames))
	}
	want := []string{
		"Bob-AbCdEfGh-camera.vp8.ivf 2", "2-Bob-AbCdEfGh-camera.vp8.ivf 1", "3-bob-AbCdEfGh-camera.vp8.ivf 1",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	f := patternFrames(t, codec.VP8)[0]
	for i := range 2 {
		r, err := New(dir, start)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Write(f); (err != nil) != (i == 1) || i == 1 && !errors.Is(err, os.ErrExist) {
			t.Errorf("recording %d: %v", i, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestJunkAudioIsSkipped(t *testing.T) {
	_, files := record(t, []Frame{{Participant: "p", Source: "mic", Codec: codec.Opus, Arrival: start, Data: []byte{0xfb}}})
	if len(files) != 1 {
		t.Fatalf("%+v", files)
	}
	st, err := os.Stat(files[0].Path)
	if err != nil || st.Size() == 0 || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
}
