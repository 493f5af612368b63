package rtpext_test

import "math/bits"

// The other direction of the dependency descriptor, for tests only, written from the
// syntax tables of the AV1 RTP specification, appendix A.8.2, and apart from the parser.

type ddFrame struct {
	start, end    bool
	template      int // index
	number        uint16
	structure     *ddStructure // attached if attach, else only to know the sizes
	attach        bool
	activeTargets int    // -1: absent
	dtis          []int  // custom, nil: absent
	fdiffs        []int  // custom, nil: absent
	chains        []int  // custom, nil: absent
	trailing      []byte // zero padding
}

type ddStructure struct {
	idOffset  int
	targets   int
	templates []ddTemplate
	protected []int // chain of each decode target; nil: no chains
	numChains int
	width     []int // nil: absent
	height    []int
}

type ddTemplate struct {
	spatial, temporal int
	dtis              []int
	fdiffs            []int
	chains            []int
}

type bitWriter struct {
	b []byte
	n int
}

func (w *bitWriter) put(v uint32, n int) {
	for i := n - 1; i >= 0; i-- {
		if w.n%8 == 0 {
			w.b = append(w.b, 0)
		}
		if v>>i&1 == 1 {
			w.b[w.n/8] |= 0x80 >> (w.n % 8)
		}
		w.n++
	}
}

func (w *bitWriter) flag(v bool) {
	if v {
		w.put(1, 1)
	} else {
		w.put(0, 1)
	}
}

// ns writes a value below n in the non-symmetric code (AV1 specification §4.10.7).
func (w *bitWriter) ns(v, n uint32) {
	size := bits.Len32(n)
	m := uint32(1)<<size - n
	if v < m {
		w.put(v, size-1)
	} else {
		w.put(v+m, size)
	}
}

func (f ddFrame) encode() []byte {
	var w bitWriter
	s := f.structure
	w.flag(f.start)
	w.flag(f.end)
	w.put(uint32((s.idOffset+f.template)%64), 6)
	w.put(uint32(f.number), 16)
	if !f.attach && f.activeTargets < 0 && f.dtis == nil && f.fdiffs == nil && f.chains == nil {
		return w.b
	}
	w.flag(f.attach)
	w.flag(f.activeTargets >= 0)
	w.flag(f.dtis != nil)
	w.flag(f.fdiffs != nil)
	w.flag(f.chains != nil)
	if f.attach {
		s.encode(&w)
	}
	if f.activeTargets >= 0 {
		w.put(uint32(f.activeTargets), s.targets)
	}
	for _, v := range f.dtis {
		w.put(uint32(v), 2)
	}
	if f.fdiffs != nil {
		for _, v := range f.fdiffs {
			nibbles := (bits.Len32(uint32(v-1)) + 3) / 4
			nibbles = max(nibbles, 1)
			w.put(uint32(nibbles), 2)
			w.put(uint32(v-1), 4*nibbles)
		}
		w.put(0, 2)
	}
	for _, v := range f.chains {
		w.put(uint32(v), 8)
	}
	return append(w.b, f.trailing...)
}

func (s *ddStructure) encode(w *bitWriter) {
	w.put(uint32(s.idOffset), 6)
	w.put(uint32(s.targets-1), 5)
	for i, t := range s.templates {
		switch {
		case i+1 == len(s.templates):
			w.put(3, 2)
		case s.templates[i+1].spatial > t.spatial:
			w.put(2, 2)
		case s.templates[i+1].temporal > t.temporal:
			w.put(1, 2)
		default:
			w.put(0, 2)
		}
	}
	for _, t := range s.templates {
		for _, v := range t.dtis {
			w.put(uint32(v), 2)
		}
	}
	for _, t := range s.templates {
		for _, v := range t.fdiffs {
			w.put(1, 1)
			w.put(uint32(v-1), 4)
		}
		w.put(0, 1)
	}
	w.ns(uint32(s.numChains), uint32(s.targets+1))
	if s.numChains > 0 {
		for _, v := range s.protected {
			w.ns(uint32(v), uint32(s.numChains))
		}
		for _, t := range s.templates {
			for _, v := range t.chains {
				w.put(uint32(v), 4)
			}
		}
	}
	w.flag(s.width != nil)
	for i := range s.width {
		w.put(uint32(s.width[i]-1), 16)
		w.put(uint32(s.height[i]-1), 16)
	}
}

// l1t3 is a key frame of one spatial and three temporal layers.
func l1t3(number uint16) ddFrame {
	return ddFrame{
		start: true, number: number, attach: true, activeTargets: -1,
		structure: &ddStructure{
			idOffset: 60, targets: 3, numChains: 1, protected: []int{0, 0, 0},
			templates: []ddTemplate{
				{temporal: 0, dtis: []int{2, 2, 2}, chains: []int{0}},
				{temporal: 0, dtis: []int{2, 2, 2}, fdiffs: []int{4}, chains: []int{4}},
				{temporal: 1, dtis: []int{0, 1, 2}, fdiffs: []int{2}, chains: []int{2}},
				{temporal: 2, dtis: []int{0, 0, 1}, fdiffs: []int{1}, chains: []int{1}},
				{temporal: 2, dtis: []int{0, 0, 1}, fdiffs: []int{1}, chains: []int{3}},
			},
			width: []int{1280}, height: []int{720},
		},
	}
}
