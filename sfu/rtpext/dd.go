package rtpext

import (
	"encoding/binary"
	"errors"
)

// Errors of [DDParser.Parse].
var (
	ErrDD          = errors.New("dependency descriptor: malformed")
	ErrDDStructure = errors.New("dependency descriptor: refers to a structure not received")
)

// Limits of the dependency descriptor (AV1 RTP specification, appendix A.8).
const (
	MaxTemplates     = 64 // template ids have 6 bits
	MaxDecodeTargets = 32 // dt_cnt_minus_one has 5 bits
	MaxSpatial       = 4
	MaxTemporal      = 8

	ddMandatory = 3 // bytes that every descriptor has
)

// Indication says what a frame is to a decode target (appendix A.8.4, table A.1).
type Indication uint8

// The decode target indications, with the letters the specification gives them.
const (
	NotPresent  Indication = iota // "-": the target does not need the frame
	Discardable                   // "D": needed, but nothing later depends on it
	Switch                        // "S": the target can be switched to here
	Required                      // "R": needed by later frames
)

// Template is one line of the structure: what frames of this kind have in common.
type Template struct {
	Spatial, Temporal uint8
	indications       uint64 // two bits a decode target, target 0 lowest
}

// Indication is what frames of this template are to a decode target.
func (t *Template) Indication(target int) Indication {
	return Indication(t.indications >> (2 * uint(target)) & 3)
}

// Structure is the template dependency structure that a key frame attaches. Frame
// diffs and chains are read past and not kept: a forwarder that follows decode
// targets does not need them.
type Structure struct {
	DecodeTargets int
	Chains        int
	Templates     []Template
	// Width and Height are the render size of each spatial layer, zero when not stated.
	Width, Height [MaxSpatial]uint32
	MaxSpatial    uint8 // highest spatial id
	MaxTemporal   uint8 // highest temporal id

	idOffset uint8
	store    [MaxTemplates]Template
}

// DD is one frame's descriptor.
type DD struct {
	Start, End  bool // first and last packet of the frame
	FrameNumber uint16
	// Attached says that the packet carries a new structure: the frame is a key frame.
	Attached          bool
	Spatial, Temporal uint8
	// ActiveTargets has bit k set when decode target k is being sent. Valid if HasActive.
	ActiveTargets uint32
	HasActive     bool
	indications   uint64
}

// Indication is what the frame is to a decode target.
func (d *DD) Indication(target int) Indication {
	return Indication(d.indications >> (2 * uint(target)) & 3)
}

// DDParser reads the descriptors of one incoming stream. It remembers the latest
// structure, without which later descriptors mean nothing, so feed it packets that
// are not repeats of old ones. The zero value is ready to use.
type DDParser struct {
	current Structure
	next    Structure // parsed here first, so that a malformed one does not spoil current
	known   bool
}

// Structure is the latest attached structure, nil before the first.
func (p *DDParser) Structure() *Structure {
	if !p.known {
		return nil
	}
	return &p.current
}

// Parse reads one descriptor (appendix A.8.2). When the structure it refers to is not
// known it returns ErrDDStructure with Start, End and FrameNumber filled in, which is
// enough to forward the packet of a stream that is already flowing.
func (p *DDParser) Parse(b []byte, d *DD) error {
	*d = DD{}
	if len(b) < ddMandatory {
		return ErrDD
	}
	d.Start = b[0]&0x80 != 0
	d.End = b[0]&0x40 != 0
	templateID := b[0] & 0x3F
	d.FrameNumber = binary.BigEndian.Uint16(b[1:])

	r := bitReader{b: b, at: 8 * ddMandatory}
	var customDTIs, customFdiffs, customChains bool
	s := &p.current
	if len(b) > ddMandatory {
		d.Attached = r.flag()
		active := r.flag()
		customDTIs, customFdiffs, customChains = r.flag(), r.flag(), r.flag()
		if d.Attached {
			if !p.next.read(&r) {
				return ErrDD
			}
			s = &p.next
			d.ActiveTargets = uint32(1<<uint(s.DecodeTargets) - 1)
			d.HasActive = true
		} else if !p.known {
			return ErrDDStructure
		}
		if active {
			d.ActiveTargets = r.bits(s.DecodeTargets)
			d.HasActive = true
		}
	} else if !p.known {
		return ErrDDStructure
	}

	index := int((templateID - s.idOffset) & 0x3F)
	if index >= len(s.Templates) {
		if d.Attached {
			return ErrDD
		}
		return ErrDDStructure
	}
	t := &s.Templates[index]
	d.Spatial, d.Temporal, d.indications = t.Spatial, t.Temporal, t.indications
	if customDTIs {
		d.indications = r.indications(s.DecodeTargets)
	}
	if customFdiffs {
		for size := r.bits(2); size != 0 && !r.failed; size = r.bits(2) {
			r.bits(4 * int(size))
		}
	}
	if customChains {
		for range s.Chains {
			r.bits(8)
		}
	}
	if r.failed {
		return ErrDD
	}
	if d.Attached {
		// Swap by value: 64 small templates, and only on key frames.
		p.current = p.next
		p.current.Templates = p.current.store[:len(p.next.Templates)]
		p.known = true
	}
	return nil
}

// SetFrameNumber overwrites the frame number of a descriptor in place. The descriptor
// must be one that a Packet's DD held.
func SetFrameNumber(dd []byte, n uint16) { binary.BigEndian.PutUint16(dd[1:], n) }

// read parses template_dependency_structure (appendix A.8.2), false if malformed.
func (s *Structure) read(r *bitReader) bool {
	*s = Structure{}
	s.idOffset = uint8(r.bits(6))
	s.DecodeTargets = int(r.bits(5)) + 1
	count, ok := s.readLayers(r)
	if !ok {
		return false
	}
	s.Templates = s.store[:count]
	for i := range s.Templates {
		s.Templates[i].indications = r.indications(s.DecodeTargets)
	}
	for range s.Templates { // template_fdiffs: ends at the latest where the bytes do
		for r.flag() {
			r.bits(4)
		}
	}
	s.Chains = int(r.nonSymmetric(uint32(s.DecodeTargets) + 1))
	if s.Chains > 0 {
		for range s.DecodeTargets { // decode_target_protected_by
			r.nonSymmetric(uint32(s.Chains))
		}
		for range len(s.Templates) * s.Chains { // template_chain_fdiff
			r.bits(4)
		}
	}
	if r.flag() { // resolutions_present_flag
		for i := range int(s.MaxSpatial) + 1 {
			s.Width[i] = r.bits(16) + 1
			s.Height[i] = r.bits(16) + 1
		}
	}
	return !r.failed
}

// readLayers parses template_layers: the spatial and temporal id of each template,
// in the order in which they can only stay or rise.
func (s *Structure) readLayers(r *bitReader) (count int, ok bool) {
	var spatial, temporal uint8
	for {
		if count == MaxTemplates || spatial >= MaxSpatial || temporal >= MaxTemporal || r.failed {
			return 0, false
		}
		s.store[count] = Template{Spatial: spatial, Temporal: temporal}
		count++
		s.MaxTemporal = max(s.MaxTemporal, temporal)
		switch r.bits(2) { // next_layer_idc
		case 0:
		case 1:
			temporal++
		case 2:
			temporal = 0
			spatial++
		default:
			s.MaxSpatial = spatial
			return count, !r.failed
		}
	}
}

// bitReader reads big-endian bit fields. Past the end it returns zeros and remembers
// that it failed, so that callers check once.
type bitReader struct {
	b      []byte
	at     int // in bits
	failed bool
}

// bits reads an unsigned field of n ≤ 32 bits.
func (r *bitReader) bits(n int) uint32 {
	if r.at+n > 8*len(r.b) {
		r.failed = true
		return 0
	}
	var v uint32
	for n > 0 {
		have := 8 - r.at&7 // bits left in this byte
		take := min(have, n)
		part := r.b[r.at>>3] >> (have - take) & (1<<take - 1)
		v = v<<take | uint32(part)
		r.at += take
		n -= take
	}
	return v
}

func (r *bitReader) flag() bool { return r.bits(1) == 1 }

// indications reads one two-bit indication for each of n decode targets.
func (r *bitReader) indications(n int) uint64 {
	var v uint64
	for i := range n {
		v |= uint64(r.bits(2)) << (2 * i)
	}
	return v
}

// nonSymmetric reads ns(n), a value below n (appendix A.8.1; AV1 specification §4.10.7).
func (r *bitReader) nonSymmetric(n uint32) uint32 {
	w := 0
	for x := n; x != 0; x >>= 1 {
		w++
	}
	m := uint32(1)<<w - n
	v := r.bits(w - 1)
	if v < m {
		return v
	}
	return v<<1 - m + r.bits(1)
}
