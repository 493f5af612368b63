package rtpext_test

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/sfu/rtpext"
)

func TestDDKeyAndDelta(t *testing.T) {
	var p rtpext.DDParser
	var d rtpext.DD
	if p.Structure() != nil {
		t.Error("a structure before the first packet")
	}
	key := l1t3(0xFFFF)
	if err := p.Parse(key.encode(), &d); err != nil {
		t.Fatal(err)
	}
	if !d.Attached || !d.Start || d.End || d.FrameNumber != 0xFFFF || d.ActiveTargets != 7 || !d.HasActive {
		t.Errorf("key frame: %+v", d)
	}
	s := p.Structure()
	if s == nil || s.DecodeTargets != 3 || len(s.Templates) != 5 || s.MaxTemporal != 2 || s.MaxSpatial != 0 || s.Width[0] != 1280 || s.Height[0] != 720 {
		t.Fatalf("structure: %+v", s)
	}
	if got := s.Templates[2].Indication(1); got != rtpext.Discardable {
		t.Errorf("template 2, target 1: %d", got)
	}

	delta := ddFrame{end: true, template: 4, number: 3, structure: key.structure, activeTargets: -1}
	b := delta.encode()
	if len(b) != 3 {
		t.Fatalf("a plain delta is %d bytes", len(b))
	}
	if err := p.Parse(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.Attached || d.Start || !d.End || d.Temporal != 2 || d.Spatial != 0 || d.FrameNumber != 3 || d.HasActive || d.Indication(2) != rtpext.Discardable {
		t.Errorf("delta: %+v", d)
	}
}

func TestDDErrors(t *testing.T) {
	key := l1t3(1)
	unknownTemplate := ddFrame{template: 5, structure: key.structure, activeTargets: -1}
	tests := []struct {
		name  string
		after []byte // parsed first, must succeed
		in    []byte
		want  error
	}{
		{"empty", nil, nil, rtpext.ErrDD},
		{"two bytes", nil, []byte{0x80, 1}, rtpext.ErrDD},
		{"delta without a structure", nil, []byte{0x80, 0, 1}, rtpext.ErrDDStructure},
		{"extended delta without a structure", nil, []byte{0x80, 0, 1, 0x40}, rtpext.ErrDDStructure},
		{"template beyond the structure", key.encode(), unknownTemplate.encode(), rtpext.ErrDDStructure},
		{"structure cut off", nil, key.encode()[:8], rtpext.ErrDD},
		{"custom indications cut off", key.encode(), []byte{0x3C, 0, 1, 0x20}, rtpext.ErrDD},
		{"custom chains cut off", key.encode(), []byte{0x3C, 0, 1, 0x08}, rtpext.ErrDD},
		{"custom diffs cut off", key.encode(), []byte{0x3C, 0, 1, 0x13}, rtpext.ErrDD},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p rtpext.DDParser
			var d rtpext.DD
			if tt.after != nil {
				if err := p.Parse(tt.after, &d); err != nil {
					t.Fatal(err)
				}
			}
			if err := p.Parse(tt.in, &d); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// Every prefix of a structure is malformed, and a malformed one leaves the good one in place.
func TestDDTruncatedStructureKeepsTheOld(t *testing.T) {
	var p rtpext.DDParser
	var d rtpext.DD
	whole := l1t3(1).encode()
	if err := p.Parse(whole, &d); err != nil {
		t.Fatal(err)
	}
	for n := 4; n < len(whole); n++ {
		if err := p.Parse(whole[:n], &d); !errors.Is(err, rtpext.ErrDD) {
			t.Errorf("%d of %d bytes: %v", n, len(whole), err)
		}
		delta := ddFrame{template: 2, number: 9, structure: l1t3(1).structure, activeTargets: -1}
		if err := p.Parse(delta.encode(), &d); err != nil || d.Temporal != 1 {
			t.Fatalf("after %d bytes, a delta: %v %+v", n, err, d)
		}
	}
}

func TestDDLayerLimits(t *testing.T) {
	for _, tt := range []struct {
		name      string
		templates []ddTemplate
		ok        bool
	}{
		{"four spatial layers", []ddTemplate{{}, {spatial: 1}, {spatial: 2}, {spatial: 3}}, true},
		{"five spatial layers", []ddTemplate{{}, {spatial: 1}, {spatial: 2}, {spatial: 3}, {spatial: 4}}, false},
		{"64 templates", make([]ddTemplate, 64), true},
		{"65 templates", make([]ddTemplate, 65), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.templates {
				tt.templates[i].dtis = []int{0}
			}
			f := ddFrame{start: true, attach: true, activeTargets: -1, structure: &ddStructure{targets: 1, templates: tt.templates}}
			var p rtpext.DDParser
			var d rtpext.DD
			if err := p.Parse(f.encode(), &d); (err == nil) != tt.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestSetFrameNumber(t *testing.T) {
	b := l1t3(7).encode()
	rtpext.SetFrameNumber(b, 0xABCD)
	var p rtpext.DDParser
	var d rtpext.DD
	if err := p.Parse(b, &d); err != nil || d.FrameNumber != 0xABCD {
		t.Errorf("%v %+v", err, d)
	}
}

// What the encoder writes, the parser reads: any structure, any custom field.
func TestDDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFrame(t)
		var p rtpext.DDParser
		var d rtpext.DD
		if err := p.Parse(f.encode(), &d); err != nil {
			t.Fatalf("key frame: %v", err)
		}
		s := p.Structure()
		if s.DecodeTargets != f.structure.targets || s.Chains != f.structure.numChains || len(s.Templates) != len(f.structure.templates) {
			t.Fatalf("structure: %+v", s)
		}
		for i, want := range f.structure.templates {
			got := &s.Templates[i]
			if int(got.Spatial) != want.spatial || int(got.Temporal) != want.temporal {
				t.Fatalf("template %d: %+v, want %+v", i, got, want)
			}
			for k, dti := range want.dtis {
				if int(got.Indication(k)) != dti {
					t.Fatalf("template %d target %d: %d, want %d", i, k, got.Indication(k), dti)
				}
			}
		}
		for i := range f.structure.width {
			if int(s.Width[i]) != f.structure.width[i] || int(s.Height[i]) != f.structure.height[i] {
				t.Fatalf("size %d: %d×%d", i, s.Width[i], s.Height[i])
			}
		}
		for range rapid.IntRange(1, 5).Draw(t, "frames") {
			f := drawDelta(t, f.structure)
			if err := p.Parse(f.encode(), &d); err != nil {
				t.Fatalf("delta: %v", err)
			}
			want := f.structure.templates[f.template]
			if d.Start != f.start || d.End != f.end || d.FrameNumber != f.number || d.Attached ||
				int(d.Spatial) != want.spatial || int(d.Temporal) != want.temporal {
				t.Fatalf("delta: %+v, want %+v", d, f)
			}
			if d.HasActive != (f.activeTargets >= 0) || d.HasActive && d.ActiveTargets != uint32(f.activeTargets) {
				t.Fatalf("active targets %b, want %b", d.ActiveTargets, f.activeTargets)
			}
			dtis := want.dtis
			if f.dtis != nil {
				dtis = f.dtis
			}
			for k, dti := range dtis {
				if int(d.Indication(k)) != dti {
					t.Fatalf("target %d: %d, want %d", k, d.Indication(k), dti)
				}
			}
		}
	})
}

func ints(t *rapid.T, name string, n, low, high int) []int {
	return rapid.SliceOfN(rapid.IntRange(low, high), n, n).Draw(t, name)
}

func drawFrame(t *rapid.T) ddFrame {
	s := &ddStructure{
		idOffset: rapid.IntRange(0, 63).Draw(t, "offset"),
		targets:  rapid.IntRange(1, rtpext.MaxDecodeTargets).Draw(t, "targets"),
	}
	s.numChains = rapid.IntRange(0, s.targets).Draw(t, "chains")
	if s.numChains > 0 {
		s.protected = ints(t, "protected", s.targets, 0, s.numChains-1)
	}
	spatial, temporal := 0, 0
	for range rapid.IntRange(1, 12).Draw(t, "templates") {
		s.templates = append(s.templates, ddTemplate{
			spatial: spatial, temporal: temporal,
			dtis:   ints(t, "dtis", s.targets, 0, 3),
			fdiffs: ints(t, "fdiffs", rapid.IntRange(0, 3).Draw(t, "diffs"), 1, 16),
			chains: ints(t, "chain diffs", s.numChains, 0, 15),
		})
		switch step := rapid.IntRange(0, 2).Draw(t, "step"); {
		case step == 1 && temporal < rtpext.MaxTemporal-1:
			temporal++
		case step == 2 && spatial < rtpext.MaxSpatial-1:
			spatial, temporal = spatial+1, 0
		}
	}
	if rapid.Bool().Draw(t, "sizes") {
		n := s.templates[len(s.templates)-1].spatial + 1
		s.width, s.height = ints(t, "width", n, 1, 65536), ints(t, "height", n, 1, 65536)
	}
	return ddFrame{
		start: true, attach: true, structure: s, activeTargets: -1,
		number: rapid.Uint16().Draw(t, "number"), template: rapid.IntRange(0, len(s.templates)-1).Draw(t, "template"),
	}
}

func drawDelta(t *rapid.T, s *ddStructure) ddFrame {
	f := ddFrame{
		start: rapid.Bool().Draw(t, "start"), end: rapid.Bool().Draw(t, "end"), structure: s, activeTargets: -1,
		number: rapid.Uint16().Draw(t, "number"), template: rapid.IntRange(0, len(s.templates)-1).Draw(t, "template"),
	}
	if rapid.Bool().Draw(t, "active") {
		f.activeTargets = rapid.IntRange(0, 1<<s.targets-1).Draw(t, "targets")
	}
	if rapid.Bool().Draw(t, "custom dtis") {
		f.dtis = ints(t, "dtis", s.targets, 0, 3)
	}
	if rapid.Bool().Draw(t, "custom fdiffs") {
		f.fdiffs = ints(t, "fdiffs", rapid.IntRange(0, 4).Draw(t, "diffs"), 1, 4096)
	}
	if rapid.Bool().Draw(t, "custom chains") {
		f.chains = ints(t, "chains", s.numChains, 0, 255)
	}
	return f
}

func FuzzDD(f *testing.F) {
	f.Add(l1t3(1).encode(), []byte{0x3C, 0, 2})
	f.Add([]byte{0x80, 0, 1, 0x80, 0, 0, 0, 0}, []byte{0, 0, 2, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var p rtpext.DDParser
		for _, b := range [][]byte{first, second} {
			var d rtpext.DD
			err := p.Parse(b, &d)
			if err == nil && p.Structure() == nil {
				t.Fatal("accepted without a structure")
			}
			if d.Spatial >= rtpext.MaxSpatial || d.Temporal >= rtpext.MaxTemporal {
				t.Fatalf("layer out of range: %+v", d)
			}
			if s := p.Structure(); s != nil && (len(s.Templates) == 0 || len(s.Templates) > rtpext.MaxTemplates || s.DecodeTargets > rtpext.MaxDecodeTargets) {
				t.Fatalf("structure out of range: %+v", s)
			}
		}
	})
}

func BenchmarkDDDelta(b *testing.B) {
	var p rtpext.DDParser
	var d rtpext.DD
	if err := p.Parse(l1t3(1).encode(), &d); err != nil {
		b.Fatal(err)
	}
	delta := []byte{0x3C, 0, 2}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Parse(delta, &d); err != nil {
			b.Fatal(err)
		}
	}
}
