package ivf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
)

func file(t testing.TB, h Header, frames ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if err := w.WriteFrame([]byte(f), uint64(i)*6000); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var header = Header{Codec: codec.VP8, Width: 640, Height: 360, TimebaseNum: 1, TimebaseDen: 90000}

func TestRoundTrip(t *testing.T) {
	for _, c := range codec.Video {
		h := header
		h.Codec = c
		r, err := NewReader(bytes.NewReader(file(t, h, "\x32\x01a", "\x32\x01b")))
		if err != nil {
			t.Fatal(err)
		}
		if r.Header() != h {
			t.Errorf("header %+v, want %+v", r.Header(), h)
		}
		for i, want := range []string{"\x32\x01a", "\x32\x01b"} {
			if c == codec.AV1 {
				want = "\x12\x00" + want
			}
			got, at, err := r.Next()
			if err != nil || string(got) != want || at != time.Duration(i)*time.Second/15 {
				t.Errorf("%s: frame %d: %q at %v, %v", c, i, got, at, err)
			}
		}
		if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", c, err)
		}
	}
}

// In a file that can seek, the header tells how long the stream is.
func TestLength(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.ivf")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(f, header)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(3) {
		if err := w.WriteFrame([]byte("x"), 1000+i*6000); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if n := binary.LittleEndian.Uint32(b[24:]); n != 1000+3*6000 || len(b) != 32+3*13 {
		t.Errorf("length %d in the header, %d bytes", n, len(b))
	}
}

func TestRefuses(t *testing.T) {
	good := file(t, header, "one", "two")
	change := func(at int, b ...byte) []byte {
		out := bytes.Clone(good)
		copy(out[at:], b)
		return out
	}
	for _, tc := range []struct {
		name string
		in   []byte
	}{
		{"empty", nil},
		{"cut header", good[:31]},
		{"magic", change(0, 'X')},
		{"version", change(4, 1)},
		{"header length", change(6, 31)},
		{"header longer than the file", change(6, 0xff, 0xff)},
		{"codec", change(8, 'H', '2', '6', '4')},
		{"time base 0", change(16, 0, 0, 0, 0)},
		{"time base huge", change(20, 0xff, 0xff, 0xff, 0xff)},
		{"frame header cut", good[:40]},
		{"frame cut", good[:len(good)-1]},
		{"frame huge", change(32, 0xff, 0xff, 0xff, 0xff)},
		{"time huge", change(36, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
	} {
		if err := readAll(tc.in); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := NewWriter(io.Discard, Header{Codec: codec.Opus}); err == nil {
		t.Error("Opus in IVF accepted")
	}
}

func readAll(b []byte) error {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	for {
		if _, _, err := r.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func FuzzReader(f *testing.F) {
	good := file(f, header, "one", "two")
	f.Add(good)
	f.Add(good[:40])
	big := bytes.Clone(good)
	binary.LittleEndian.PutUint32(big[32:], MaxFrame)
	f.Add(big)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := readAll(b); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("%v", err)
		}
	})
}

// A header that promises a huge frame costs no memory.
func TestLyingSize(t *testing.T) {
	b := file(t, header, "one")
	binary.LittleEndian.PutUint32(b[32:], MaxFrame)
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Next()
	if !errors.Is(err, ErrFormat) || cap(r.buf) > 1<<17 {
		t.Errorf("%v, %d bytes reserved", err, cap(r.buf))
	}
}
