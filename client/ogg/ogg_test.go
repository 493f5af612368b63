package ogg

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"
)

type packet struct {
	data string
	at   uint64
}

func file(t interface{ Fatal(...any) }, packets ...packet) []byte {
	var b bytes.Buffer
	w, err := NewWriter(&b, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := w.WritePacket([]byte(p.data), p.at); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func readAll(b []byte) (packets []string, samples int, err error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, 0, err
	}
	for {
		p, n, err := r.Next()
		if errors.Is(err, io.EOF) {
			return packets, samples, nil
		}
		if err != nil {
			return packets, samples, err
		}
		packets = append(packets, string(p))
		samples += n
	}
}

func TestSamples(t *testing.T) {
	for _, tc := range []struct {
		packet string
		want   int
	}{
		{"", 0},
		{"\x00", 480},      // SILK 10 ms
		{"\x08", 960},      // SILK 20 ms
		{"\x18", 2880},     // SILK 60 ms
		{"\x68", 960},      // hybrid 20 ms
		{"\x80", 120},      // CELT 2.5 ms
		{"\xf8", 960},      // CELT 20 ms
		{"\xf9", 1920},     // two frames
		{"\xfb\x03", 2880}, // three
		{"\xfb\x06", 5760}, // 120 ms
		{"\xfb\x07", 0},    // more is forbidden
		{"\x1b\x03", 0},    // 180 ms
		{"\xfb", 0},        // cut
		{"\xfb\x00", 0},    // no frames
	} {
		if got := Samples([]byte(tc.packet)); got != tc.want {
			t.Errorf("%x: %d samples, want %d", tc.packet, got, tc.want)
		}
	}
}

// Packets of any size come back as they were, also such as fill a segment or a
// page exactly.
func TestRoundTrip(t *testing.T) {
	var in []packet
	at := uint64(0)
	for _, n := range []int{1, 254, 255, 256, 510, 1275, 255 * 255, 255*255 + 1, 60000, 3} {
		in = append(in, packet{"\xf8" + string(bytes.Repeat([]byte{byte(n)}, n-1)), at})
		at += 960
	}
	got, samples, err := readAll(file(t, in...))
	if err != nil || len(got) != len(in) || samples != len(in)*960 {
		t.Fatalf("%d packets, %d samples, %v", len(got), samples, err)
	}
	for i := range in {
		if got[i] != in[i].data {
			t.Errorf("packet %d of %d bytes came back with %d", i, len(in[i].data), len(got[i]))
		}
	}
}

// Whatever was left out, the recording is as long as the time it covers, to 20 ms.
func TestGapsAreFilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []packet
		at := uint64(0)
		for range rapid.IntRange(1, 8).Draw(t, "packets") {
			at += uint64(rapid.SampledFrom([]int{0, 0, 100, 960, 5000, 480000}).Draw(t, "gap"))
			in = append(in, packet{"\xf8abc", at})
			at += 960
		}
		got, samples, err := readAll(file(t, in...))
		if err != nil {
			t.Fatal(err)
		}
		if short := int(at) - samples; short < 0 || short >= 960 {
			t.Fatalf("%d samples recorded of %d", samples, at)
		}
		n := 0
		for _, p := range got {
			if p == "\xf8abc" {
				n++
			} else if p != "\xf8" {
				t.Fatalf("a packet %x from nowhere", p)
			}
		}
		if n != len(in) {
			t.Fatalf("%d packets of %d", n, len(in))
		}
	})
}

func TestOverlap(t *testing.T) {
	got, samples, err := readAll(file(t, packet{"\xf8a", 0}, packet{"\xf8b", 100}, packet{"\xf8c", 0}))
	if err != nil || len(got) != 3 || samples != 2880 {
		t.Errorf("%q, %d, %v", got, samples, err)
	}
}

func TestRefuses(t *testing.T) {
	good := file(t, packet{"\xf8abcdef", 0})
	change := func(at int, b byte) []byte {
		out := bytes.Clone(good)
		out[at] = b
		return out
	}
	second := file(t, packet{"\xf8x", 0})
	for i := range second {
		if bytes.HasPrefix(second[i:], []byte("OggS")) {
			second[i+14]++ // another serial; the checksum catches it first, which is as good
		}
	}
	for _, tc := range []struct {
		name string
		in   []byte
	}{
		{"empty", nil},
		{"magic", change(0, 'X')},
		{"version", change(4, 1)},
		{"checksum", change(30, 0xff)},
		{"cut", good[:len(good)-1]},
		{"cut in the header", good[:20]},
		{"other stream", append(bytes.Clone(good[:len(good)-27]), second[47+27+1+16:]...)},
		{"not Opus", remade(t, func(p *page) { copy(p.body, "OpusHexd") })},
		{"three channels", remade(t, func(p *page) { p.body[9] = 3 })},
		{"not a first page", remade(t, func(p *page) { p.flags = 0 })},
	} {
		if _, _, err := readAll(tc.in); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	w, err := NewWriter(io.Discard, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WritePacket(nil, 0); err == nil {
		t.Error("an empty packet was written")
	}
}

// remade is a good file whose first page was changed before its checksum was made.
func remade(t *testing.T, change func(*page)) []byte {
	t.Helper()
	in := bytes.NewReader(file(t, packet{"\xf8abcdef", 0}))
	var out []byte
	for first := true; ; first = false {
		var p page
		err := readPage(in, &p)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if first {
			change(&p)
		}
		out = p.append(out)
	}
}

func FuzzReader(f *testing.F) {
	good := file(f, packet{"\xf8abc", 0}, packet{"\xf8abc", 96000})
	f.Add(good)
	f.Add(good[:60])
	f.Fuzz(func(t *testing.T, b []byte) {
		// Checksums would keep the fuzzer outside: put right ones in.
		for i := 0; i+27 <= len(b); i++ {
			if !bytes.HasPrefix(b[i:], []byte("OggS")) {
				continue
			}
			end := i + 27 + int(b[i+26])
			if end > len(b) {
				break
			}
			for _, s := range b[i+27 : end] {
				end += int(s)
			}
			if end > len(b) {
				break
			}
			clear(b[i+22 : i+26])
			sum := crc(0, b[i:end])
			b[i+22], b[i+23], b[i+24], b[i+25] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
		}
		if _, _, err := readAll(b); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatal(err)
		}
	})
}
