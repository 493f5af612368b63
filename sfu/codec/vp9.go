package codec

// VP9Descriptor is the payload descriptor of RFC 9628 §4.2.
type VP9Descriptor struct {
	Len          int  // bytes before the frame's own
	Predicted    bool // P: depends on earlier pictures
	Flexible     bool // F
	Start        bool // B: first packet of a layer frame
	End          bool // E: last packet of a layer frame
	NotReference bool // Z: no higher spatial layer needs this one
	HasPictureID bool
	PictureID    uint16 // 7 or 15 bits
	HasLayers    bool
	TID          uint8
	SwitchUp     bool // U
	SID          uint8
	InterLayer   bool // D: depends on the spatial layer below
	HasTL0       bool
	TL0          uint8
	HasStructure bool // V: the packet carries a scalability structure
	// SpatialLayers is how many the structure announces, zero without one.
	SpatialLayers uint8

	// PictureAt and TL0At are where the two stand, in bytes from the front.
	PictureAt, TL0At int
}

// Parse reads the descriptor at the front of a payload.
func (d *VP9Descriptor) Parse(b []byte) error {
	*d = VP9Descriptor{}
	if len(b) < 1 {
		return ErrDescriptor
	}
	flags, at := b[0], 1
	d.Predicted = flags&0x40 != 0
	d.Flexible = flags&0x10 != 0
	d.Start = flags&0x08 != 0
	d.End = flags&0x04 != 0
	d.NotReference = flags&0x01 != 0
	if flags&0x80 != 0 { // I
		size := 0
		if d.PictureID, size = pictureID(b[at:]); size == 0 {
			return ErrDescriptor
		}
		d.HasPictureID, d.PictureAt = true, at
		at += size
	}
	if flags&0x20 != 0 { // L
		if len(b) < at+1 {
			return ErrDescriptor
		}
		d.HasLayers = true
		d.TID, d.SwitchUp, d.SID, d.InterLayer = b[at]>>5, b[at]&0x10 != 0, b[at]>>1&0x07, b[at]&0x01 != 0
		at++
		if !d.Flexible {
			if len(b) < at+1 {
				return ErrDescriptor
			}
			d.HasTL0, d.TL0, d.TL0At = true, b[at], at
			at++
		}
	}
	if d.Flexible && d.Predicted {
		// Up to three reference differences; the low bit says that another follows.
		for i := 0; ; i++ {
			if i == 3 || len(b) < at+1 {
				return ErrDescriptor
			}
			at++
			if b[at-1]&0x01 == 0 {
				break
			}
		}
	}
	if flags&0x02 != 0 { // V
		n, err := d.structure(b[at:])
		if err != nil {
			return err
		}
		at += n
	}
	d.Len = at
	return nil
}

// structure reads past the scalability structure (RFC 9628 §4.2.1) and returns its length.
func (d *VP9Descriptor) structure(b []byte) (int, error) {
	if len(b) < 1 {
		return 0, ErrDescriptor
	}
	head, at := b[0], 1
	d.HasStructure = true
	d.SpatialLayers = head>>5 + 1
	if head&0x10 != 0 { // Y: two 16-bit sizes a layer
		at += 4 * int(d.SpatialLayers)
	}
	if head&0x08 != 0 { // G: a group of pictures
		if len(b) < at+1 {
			return 0, ErrDescriptor
		}
		pictures := int(b[at])
		at++
		for range pictures {
			if len(b) < at+1 {
				return 0, ErrDescriptor
			}
			at += 1 + int(b[at]>>2&0x03) // R reference differences
		}
	}
	if len(b) < at {
		return 0, ErrDescriptor
	}
	return at, nil
}
