package codec_test

import (
	"errors"
	"testing"

	"github.com/pion/rtp/codecs"

	"github.com/sotto-sfu/sotto/sfu/codec"
)

func TestVP8Descriptor(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want codec.VP8Descriptor
		err  error
	}{
		{name: "empty", err: codec.ErrDescriptor},
		{name: "one byte", in: []byte{0x10, 0}, want: codec.VP8Descriptor{Len: 1, Start: true}},
		{name: "partition and N", in: []byte{0x23}, want: codec.VP8Descriptor{Len: 1, NonReference: true, Partition: 3}},
		{name: "X cut off", in: []byte{0x90}, err: codec.ErrDescriptor},
		{name: "X without fields", in: []byte{0x90, 0x00}, want: codec.VP8Descriptor{Len: 2, Start: true}},
		{name: "short picture id", in: []byte{0x90, 0x80, 0x7F}, want: codec.VP8Descriptor{Len: 3, Start: true, HasPictureID: true, PictureID: 127, PictureAt: 2}},
		{name: "long picture id", in: []byte{0x90, 0x80, 0xFF, 0xFE}, want: codec.VP8Descriptor{Len: 4, Start: true, HasPictureID: true, PictureID: 0x7FFE, PictureAt: 2}},
		{name: "picture id cut off", in: []byte{0x90, 0x80}, err: codec.ErrDescriptor},
		{name: "long picture id cut off", in: []byte{0x90, 0x80, 0x80}, err: codec.ErrDescriptor},
		{
			name: "everything", in: []byte{0x90, 0xF0, 0x81, 0x02, 0x33, 0xA5},
			want: codec.VP8Descriptor{
				Len: 6, Start: true, HasPictureID: true, PictureID: 0x102, PictureAt: 2, HasTL0: true, TL0: 0x33, TL0At: 4,
				HasTID: true, TID: 2, LayerSync: true, HasKeyIndex: true, KeyIndex: 5,
			},
		},
		{name: "key index without TID", in: []byte{0x80, 0x10, 0xE5}, want: codec.VP8Descriptor{Len: 3, HasKeyIndex: true, KeyIndex: 5}},
		{name: "TL0 cut off", in: []byte{0x80, 0x40}, err: codec.ErrDescriptor},
		{name: "TID cut off", in: []byte{0x80, 0x20}, err: codec.ErrDescriptor},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got codec.VP8Descriptor
			if err := got.Parse(tt.in); !errors.Is(err, tt.err) {
				t.Fatalf("Parse: %v, want %v", err, tt.err)
			}
			if tt.err == nil && got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestVP9Descriptor(t *testing.T) {
	tests := []struct {
		name string
		in   []byte
		want codec.VP9Descriptor
		err  error
	}{
		{name: "empty", err: codec.ErrDescriptor},
		{name: "nothing but flags", in: []byte{0x0D}, want: codec.VP9Descriptor{Len: 1, Start: true, End: true, NotReference: true}},
		{name: "delta", in: []byte{0x48}, want: codec.VP9Descriptor{Len: 1, Predicted: true, Start: true}},
		{name: "short picture id", in: []byte{0x80, 0x05}, want: codec.VP9Descriptor{Len: 2, HasPictureID: true, PictureID: 5, PictureAt: 1}},
		{name: "long picture id", in: []byte{0x80, 0x81, 0x05}, want: codec.VP9Descriptor{Len: 3, HasPictureID: true, PictureID: 0x105, PictureAt: 1}},
		{name: "picture id cut off", in: []byte{0x80}, err: codec.ErrDescriptor},
		{name: "long picture id cut off", in: []byte{0x80, 0x80}, err: codec.ErrDescriptor},
		{
			name: "layers, not flexible", in: []byte{0x20, 0x55, 0x77},
			want: codec.VP9Descriptor{Len: 3, HasLayers: true, TID: 2, SwitchUp: true, SID: 2, InterLayer: true, HasTL0: true, TL0: 0x77, TL0At: 2},
		},
		{name: "layers, flexible", in: []byte{0x30, 0x02}, want: codec.VP9Descriptor{Len: 2, Flexible: true, HasLayers: true, SID: 1}},
		{name: "layers cut off", in: []byte{0x20}, err: codec.ErrDescriptor},
		{name: "TL0 cut off", in: []byte{0x20, 0x00}, err: codec.ErrDescriptor},
		{name: "three references", in: []byte{0x50, 0x03, 0x05, 0x06}, want: codec.VP9Descriptor{Len: 4, Predicted: true, Flexible: true}},
		{name: "four references", in: []byte{0x50, 0x03, 0x05, 0x07, 0x08}, err: codec.ErrDescriptor},
		{name: "references cut off", in: []byte{0x50, 0x03}, err: codec.ErrDescriptor},
		{
			name: "structure with sizes and pictures",
			in:   []byte{0x02, 0x38, 0, 1, 0, 2, 0, 3, 0, 4, 0x02, 0x04, 0x01, 0x08, 0x01, 0x02},
			want: codec.VP9Descriptor{Len: 16, HasStructure: true, SpatialLayers: 2},
		},
		{name: "structure cut off", in: []byte{0x02}, err: codec.ErrDescriptor},
		{name: "sizes cut off", in: []byte{0x02, 0x10, 0, 0, 0}, err: codec.ErrDescriptor},
		{name: "pictures cut off", in: []byte{0x02, 0x08, 2, 0x00}, err: codec.ErrDescriptor},
		{name: "picture references cut off", in: []byte{0x02, 0x08, 1, 0x0C, 0, 0}, err: codec.ErrDescriptor},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got codec.VP9Descriptor
			if err := got.Parse(tt.in); !errors.Is(err, tt.err) {
				t.Fatalf("Parse: %v, want %v", err, tt.err)
			}
			if tt.err == nil && got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestAV1Aggregation(t *testing.T) {
	var a codec.AV1Aggregation
	if err := a.Parse(nil); !errors.Is(err, codec.ErrDescriptor) {
		t.Errorf("empty: %v", err)
	}
	if err := a.Parse([]byte{0xA8}); err != nil || a != (codec.AV1Aggregation{Continues: true, Elements: 2, NewSequence: true}) {
		t.Errorf("%v %+v", err, a)
	}
	if err := a.Parse([]byte{0x50}); err != nil || a != (codec.AV1Aggregation{Continued: true, Elements: 1}) {
		t.Errorf("%v %+v", err, a)
	}
}

// Where both accept a payload, Pion's depacketizer must see the same descriptor.
func FuzzVP8Descriptor(f *testing.F) {
	f.Add([]byte{0x90, 0xF0, 0x81, 0x02, 0x33, 0xA5, 0x00})
	f.Add([]byte{0x10, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d codec.VP8Descriptor
		if d.Parse(b) != nil {
			return
		}
		if d.Len < 1 || d.Len > len(b) {
			t.Fatalf("length %d of %d", d.Len, len(b))
		}
		var p codecs.VP8Packet
		rest, err := p.Unmarshal(b)
		if err != nil {
			return
		}
		if len(rest) != len(b)-d.Len || d.HasPictureID && p.PictureID != d.PictureID || (p.S == 1) != d.Start || p.PID != d.Partition || p.TID != d.TID {
			t.Fatalf("%+v, Pion %+v", d, p)
		}
	})
}

func FuzzVP9Descriptor(f *testing.F) {
	f.Add([]byte{0x02, 0x38, 0, 1, 0, 2, 0, 3, 0, 4, 0x02, 0x04, 0x01, 0x08, 0x01, 0x02, 0xFF})
	f.Add([]byte{0xBA, 0x81, 0x05, 0x55, 0x77})
	f.Add([]byte{0xF8, 0x01, 0x02, 0x03, 0x02})
	f.Fuzz(func(t *testing.T, b []byte) {
		var d codec.VP9Descriptor
		if d.Parse(b) != nil {
			return
		}
		if d.Len < 1 || d.Len > len(b) {
			t.Fatalf("length %d of %d", d.Len, len(b))
		}
		var p codecs.VP9Packet
		rest, err := p.Unmarshal(b)
		if err != nil {
			return
		}
		if len(rest) != len(b)-d.Len || p.SID != d.SID || p.TID != d.TID || p.B != d.Start || p.P != d.Predicted || p.PictureID != d.PictureID {
			t.Fatalf("%+v, Pion %+v", d, p)
		}
	})
}
