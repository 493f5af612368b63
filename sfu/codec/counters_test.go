package codec_test

import (
	"bytes"
	"testing"

	"github.com/sotto-sfu/sotto/sfu/codec"
)

func TestShift(t *testing.T) {
	tests := []struct {
		name     string
		codec    codec.Codec
		in, want []byte
		picture  uint16
		tl0      uint8
	}{
		{"VP8 long", codec.VP8, []byte{0x90, 0xE0, 0x81, 0x02, 0x33, 0x20, 0xAA}, []byte{0x90, 0xE0, 0x82, 0x01, 0x32, 0x20, 0xAA}, 0xFF, 0xFF},
		{"VP8 long rolls over in 15 bits", codec.VP8, []byte{0x80, 0x80, 0xFF, 0xFF}, []byte{0x80, 0x80, 0x80, 0x01}, 2, 9},
		{"VP8 short rolls over in 7 bits", codec.VP8, []byte{0x80, 0x80, 0x7F, 0xAA}, []byte{0x80, 0x80, 0x01, 0xAA}, 2, 9},
		{"VP8 without counters", codec.VP8, []byte{0x10, 0x00, 0xAA}, []byte{0x10, 0x00, 0xAA}, 1, 1},
		{"VP9 not flexible", codec.VP9, []byte{0xA8, 0x80, 0x05, 0x00, 0x77, 0xAA}, []byte{0xA8, 0x80, 0x07, 0x00, 0x78, 0xAA}, 2, 1},
		{"VP9 flexible has no TL0PICIDX", codec.VP9, []byte{0xB8, 0x05, 0x00, 0x77}, []byte{0xB8, 0x07, 0x00, 0x77}, 2, 1},
		{"VP9 malformed", codec.VP9, []byte{0x80}, []byte{0x80}, 2, 1},
		{"AV1 has none", codec.AV1, []byte{0x80, 0x80, 0x01}, []byte{0x80, 0x80, 0x01}, 2, 1},
		{"no shift", codec.VP8, []byte{0x90, 0xE0, 0x81, 0x02, 0x33, 0x20}, []byte{0x90, 0xE0, 0x81, 0x02, 0x33, 0x20}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := codec.ReadCounters(tt.codec, tt.in)
			got := bytes.Clone(tt.in)
			c.Shift(got, tt.picture, tt.tl0)
			if !bytes.Equal(got, tt.want) {
				t.Errorf("got  %x\nwant %x", got, tt.want)
			}
		})
	}
}

func FuzzShift(f *testing.F) {
	f.Add(true, []byte{0x90, 0xE0, 0x81, 0x02, 0x33, 0x20, 0xAA}, uint16(0x7FFF), uint8(1))
	f.Add(false, []byte{0xA8, 0x80, 0x05, 0x00, 0x77, 0xAA}, uint16(2), uint8(255))
	f.Fuzz(func(t *testing.T, vp8 bool, payload []byte, picture uint16, tl0 uint8) {
		kind := codec.VP9
		if vp8 {
			kind = codec.VP8
		}
		before := codec.ReadCounters(kind, payload)
		got := bytes.Clone(payload)
		before.Shift(got, picture, tl0)
		after := codec.ReadCounters(kind, got)
		if after.HasPicture != before.HasPicture || after.HasTL0 != before.HasTL0 {
			t.Fatalf("%+v became %+v", before, after)
		}
		if before.HasTL0 && after.TL0 != before.TL0+tl0 {
			t.Fatalf("TL0PICIDX %d + %d = %d", before.TL0, tl0, after.TL0)
		}
		if (after.Picture-before.Picture-picture)&0x7F != 0 && before.HasPicture {
			t.Fatalf("picture %d + %d = %d", before.Picture, picture, after.Picture)
		}
		// Back again: nothing else may have changed.
		after.Shift(got, -picture, -tl0)
		if !bytes.Equal(got, payload) {
			t.Fatalf("%x came back as %x", payload, got)
		}
	})
}
