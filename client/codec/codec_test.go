package codec

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestInspect(t *testing.T) {
	// The sequence header of a 640x360 stream.
	const seq = "0a0e0000000cc4ff6736be4408081410"
	for _, tc := range []struct {
		name string
		c    Codec
		hex  string
		want Info
	}{
		{"VP8 key", VP8, "5002009d012a80026801", Info{Key: true, Width: 640, Height: 360}},
		{"VP8 key, scaling bits ignored", VP8, "5002009d012a80426881", Info{Key: true, Width: 640, Height: 360}},
		{"VP8 delta", VP8, "5102009d012a80026801", Info{}},
		{"VP8 key, wrong start code", VP8, "5002009d012b80026801", Info{}},
		{"VP8 cut", VP8, "5002009d012a800268", Info{}},
		{"VP9 key, profile 0", VP9, "8249834200" + "27f01678", Info{Key: true, Width: 640, Height: 360}},
		{"VP9 delta", VP9, "8649834200" + "27f01678", Info{}},
		{"VP9 show existing", VP9, "88", Info{}},
		{"VP9 wrong sync", VP9, "8249834300" + "27f01678", Info{}},
		{"VP9 cut", VP9, "824983420027f0", Info{}},
		{"AV1 key", AV1, "1200" + seq + "3200", Info{Key: true, Width: 640, Height: 360}},
		{"AV1 key without delimiter", AV1, seq + "3200", Info{Key: true, Width: 640, Height: 360}},
		{"AV1 delta", AV1, "12003201ff", Info{}},
		{"AV1 cut", AV1, "0a0e0000", Info{}},
		{"Opus", Opus, "f8", Info{Key: true}},
		{"Opus DTX", Opus, "", Info{}},
		{"unknown codec", "h264", "65", Info{}},
	} {
		if got := Inspect(tc.c, unhex(t, tc.hex)); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestDelimiters(t *testing.T) {
	for _, tc := range []struct{ name, in, trimmed string }{
		{"none", "3201ff", "3201ff"},
		{"one", "12003201ff", "3201ff"},
		{"one in the middle", "3201ff12003201ee", "3201ff3201ee"},
		{"without size field at the end", "120030ff", "30ff"},
		{"with extension", "1600003201ff", "3201ff"},
		{"damaged", "12003205ff", "12003205ff"},
		{"empty", "", ""},
	} {
		in := unhex(t, tc.in)
		if got := TrimDelimiters(nil, in); hex.EncodeToString(got) != tc.trimmed {
			t.Errorf("%s: trimmed to %x, want %s", tc.name, got, tc.trimmed)
		}
		if got := DelimitUnit(nil, in); hex.EncodeToString(got) != "1200"+tc.trimmed {
			t.Errorf("%s: delimited to %x", tc.name, got)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range append([]Codec{Opus}, Video...) {
		if got, ok := FromMimeType(c.MimeType()); !ok || got != c {
			t.Errorf("%s: %q gives %q", c, c.MimeType(), got)
		}
		if got, err := Parse(string(c)); err != nil || got != c {
			t.Errorf("%s: %q, %v", c, got, err)
		}
	}
	if _, ok := FromMimeType("video/H264"); ok {
		t.Error("H264 accepted")
	}
	if _, ok := FromMimeType(""); ok {
		t.Error("empty type accepted")
	}
	if _, err := Parse("h264"); err == nil {
		t.Error("h264 accepted")
	}
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte{0x82, 0x49, 0x83, 0x42, 0, 0x27, 0xf0, 0x16, 0x78})
	f.Add([]byte("\x12\x00\x0a\x0e\x00\x00\x00\x0c\xc4\xff\x67\x36\xbe\x44\x08\x08\x14\x10\x32\x00"))
	f.Add([]byte{0x50, 2, 0, 0x9d, 1, 0x2a, 0x80, 2, 0x68, 1})
	f.Add([]byte{0x0a, 0x80, 0x80, 0x80, 0x80, 0x10})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range Video {
			if i := Inspect(c, b); !i.Key && (i.Width != 0 || i.Height != 0) || i.Width < 0 || i.Width > 1<<16 {
				t.Fatalf("%s: %+v", c, i)
			}
		}
		trimmed := TrimDelimiters(nil, b)
		if again := TrimDelimiters(nil, trimmed); !bytes.Equal(again, trimmed) {
			t.Fatalf("trimming twice differs: %x, %x", trimmed, again)
		}
	})
}
