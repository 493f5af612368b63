package codec_test

import (
	"testing"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
)

// smallStructure is the shortest descriptor with a structure: key frame 0x0102 of one
// decode target and one template.
var smallStructure = append([]byte{0x80, 0x01, 0x02}, packBits(
	"10000"+ // attached, nothing else
		"000000"+"00000"+ // template id offset 0, one decode target
		"11"+"10"+"0"+ // one template, indication "switch", no frame diffs
		"0"+"0", // no chains, no sizes
)...)

func packBits(bits string) []byte {
	b := make([]byte, (len(bits)+7)/8)
	for i, c := range bits {
		if c == '1' {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return b
}

func TestInspect(t *testing.T) {
	tests := []struct {
		name    string
		codec   codec.Codec
		payload []byte
		marker  bool
		dd      []byte
		want    codec.Frame
	}{
		{"padding only", codec.VP8, nil, true, nil, codec.Frame{}},
		{"audio", codec.Opus, []byte{1}, false, nil, codec.Frame{Start: true, End: true}},
		{"unknown codec", codec.Unknown, []byte{0x10, 0}, false, nil, codec.Frame{Start: true, End: true}},

		{"VP8 key", codec.VP8, []byte{0x10, 0x00, 0xAA}, false, nil, codec.Frame{Key: true, Start: true}},
		{"VP8 delta", codec.VP8, []byte{0x10, 0x01, 0xAA}, true, nil, codec.Frame{Start: true, End: true}},
		{"VP8 middle of a key frame is no start", codec.VP8, []byte{0x00, 0x00, 0xAA}, false, nil, codec.Frame{}},
		{"VP8 second partition is no start", codec.VP8, []byte{0x11, 0x00, 0xAA}, false, nil, codec.Frame{}},
		{"VP8 descriptor without frame", codec.VP8, []byte{0x10}, false, nil, codec.Frame{Start: true}},
		{"VP8 malformed", codec.VP8, []byte{0x90}, false, nil, codec.Frame{}},
		{"VP8 key behind a long descriptor", codec.VP8, []byte{0x90, 0xE0, 0x80, 0x01, 0x05, 0x40, 0x00}, false, nil, codec.Frame{Key: true, Start: true, Temporal: 1}},
		{"VP8 key with descriptor extension", codec.VP8, []byte{0x10, 0x00}, false, smallStructure, codec.Frame{Key: true, Start: true, HasNumber: true, Number: 0x0102}},
		{"VP8 byte decides, not the structure", codec.VP8, []byte{0x10, 0x01}, false, smallStructure, codec.Frame{Start: true, HasNumber: true, Number: 0x0102}},

		{"VP9 key", codec.VP9, []byte{0x08, 0xFF}, false, nil, codec.Frame{Key: true, Start: true}},
		{"VP9 delta", codec.VP9, []byte{0x4C, 0x00}, false, nil, codec.Frame{Start: true, End: true}},
		{"VP9 key that is none by its descriptor", codec.VP9, []byte{0x08, 0xFF}, false, append([]byte{0x00}, smallStructure[1:]...), codec.Frame{HasNumber: true, Number: 0x0102}},
		{"VP9 middle of a key frame", codec.VP9, []byte{0x00, 0xFF}, false, nil, codec.Frame{}},
		{"VP9 upper layer of a key picture", codec.VP9, []byte{0x28, 0x03, 0x00, 0xFF}, false, nil, codec.Frame{Start: true, Spatial: 1}},
		{"VP9 malformed", codec.VP9, []byte{0x80}, false, nil, codec.Frame{}},

		{"AV1 new sequence", codec.AV1, []byte{0x18, 0x0A}, true, nil, codec.Frame{Key: true, Start: true, End: true}},
		{"AV1 delta", codec.AV1, []byte{0x10, 0x32}, false, nil, codec.Frame{Start: true}},
		{"AV1 continuation", codec.AV1, []byte{0x90, 0x32}, true, nil, codec.Frame{End: true}},
		{"AV1 structure", codec.AV1, []byte{0x10, 0x0A}, false, smallStructure, codec.Frame{Key: true, Start: true, HasNumber: true, Number: 0x0102}},
		{"AV1 without a known structure", codec.AV1, []byte{0x18, 0x0A}, false, []byte{0xC0, 0, 9}, codec.Frame{Start: true, End: true, HasNumber: true, Number: 9}},
		{"AV1 malformed structure: N stands", codec.AV1, []byte{0x18, 0x0A}, false, []byte{0xC0, 0, 9, 0x80}, codec.Frame{Key: true, Start: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := rtpext.Packet{Payload: tt.payload, Marker: tt.marker, DD: tt.dd}
			got := codec.NewInspector(tt.codec).Inspect(&p)
			if want := codec.ReadCounters(tt.codec, tt.payload); got.Counters != want {
				t.Errorf("counters %+v, want %+v", got.Counters, want)
			}
			got.Counters = codec.Counters{}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestInspectorRemembersTheStructure(t *testing.T) {
	i := codec.NewInspector(codec.AV1)
	if i.Structure() != nil || i.Codec() != codec.AV1 {
		t.Error("a new inspector knows too much")
	}
	i.Inspect(&rtpext.Packet{Payload: []byte{0x18}, DD: smallStructure})
	if s := i.Structure(); s == nil || s.DecodeTargets != 1 || len(s.Templates) != 1 {
		t.Fatalf("structure %+v", i.Structure())
	}
	got := i.Inspect(&rtpext.Packet{Payload: []byte{0x10}, DD: []byte{0x40, 0x01, 0x03}})
	if want := (codec.Frame{End: true, HasNumber: true, Number: 0x0103}); got != want {
		t.Errorf("delta: %+v", got)
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]codec.Codec{
		"opus": codec.Opus, "audio/opus": codec.Opus, "video/VP8": codec.VP8, "vp9": codec.VP9, "video/AV1": codec.AV1,
		"": codec.Unknown, "unknown": codec.Unknown, "video/H264": codec.Unknown,
	} {
		if got := codec.ByName(name); got != want {
			t.Errorf("ByName(%q) = %v", name, got)
		}
	}
	if codec.Opus.ClockRate() != 48000 || codec.AV1.ClockRate() != 90000 || codec.Unknown.ClockRate() != 0 {
		t.Error("wrong clock rate")
	}
	if codec.Opus.Video() || !codec.VP8.Video() || codec.Unknown.Video() {
		t.Error("wrong kind")
	}
	if codec.VP9.String() != "VP9" || codec.Codec(77).String() != "unknown" {
		t.Error("wrong name")
	}
}

func TestNoAllocations(t *testing.T) {
	for c := codec.Opus; c <= codec.AV1; c++ {
		i := codec.NewInspector(c)
		p := rtpext.Packet{Payload: []byte{0x18, 0, 0, 0}, DD: smallStructure}
		if n := testing.AllocsPerRun(1000, func() { i.Inspect(&p) }); n != 0 {
			t.Errorf("%v: %v allocations a packet", c, n)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add(uint8(codec.VP8), []byte{0x10, 0x00}, smallStructure, true)
	f.Add(uint8(codec.VP9), []byte{0x28, 0x03, 0x00, 0xFF}, []byte{}, false)
	f.Add(uint8(codec.AV1), []byte{0x18}, []byte{0xC0, 0, 9}, false)
	f.Fuzz(func(t *testing.T, c uint8, payload, dd []byte, marker bool) {
		i := codec.NewInspector(codec.Codec(c % 6))
		p := rtpext.Packet{Payload: payload, Marker: marker}
		if len(dd) > 0 {
			p.DD = dd
		}
		got := i.Inspect(&p)
		if got.Key && !got.Start {
			t.Fatalf("a key frame that does not start: %+v", got)
		}
		if got.Key && got.Spatial != 0 {
			t.Fatalf("a key frame above the lowest layer: %+v", got)
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	i := codec.NewInspector(codec.VP8)
	p := rtpext.Packet{Payload: []byte{0x10, 0x01, 0xAA}}
	b.ReportAllocs()
	for b.Loop() {
		i.Inspect(&p)
	}
}
