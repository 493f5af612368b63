package codec

import "errors"

// ErrDescriptor is a payload that ends before its descriptor does.
var ErrDescriptor = errors.New("payload descriptor: too short")

// VP8Descriptor is the payload descriptor of RFC 7741 §4.2.
type VP8Descriptor struct {
	Len          int  // bytes before the frame's own
	NonReference bool // N: may be dropped without hurting other frames
	Start        bool // S: first packet of a partition
	Partition    uint8
	HasPictureID bool
	PictureID    uint16 // 7 or 15 bits
	HasTL0       bool
	TL0          uint8
	HasTID       bool
	TID          uint8
	LayerSync    bool // Y: frames of this layer after this one need nothing older from it
	HasKeyIndex  bool
	KeyIndex     uint8

	// PictureAt and TL0At are where the two stand, in bytes from the front.
	PictureAt, TL0At int
}

// Parse reads the descriptor at the front of a payload.
func (d *VP8Descriptor) Parse(b []byte) error {
	*d = VP8Descriptor{}
	if len(b) < 1 {
		return ErrDescriptor
	}
	d.NonReference = b[0]&0x20 != 0
	d.Start = b[0]&0x10 != 0
	d.Partition = b[0] & 0x07
	if b[0]&0x80 == 0 { // X
		d.Len = 1
		return nil
	}
	if len(b) < 2 {
		return ErrDescriptor
	}
	flags, at := b[1], 2
	if flags&0x80 != 0 { // I
		size := 0
		if d.PictureID, size = pictureID(b[at:]); size == 0 {
			return ErrDescriptor
		}
		d.HasPictureID, d.PictureAt = true, at
		at += size
	}
	if flags&0x40 != 0 { // L
		if len(b) < at+1 {
			return ErrDescriptor
		}
		d.HasTL0, d.TL0, d.TL0At = true, b[at], at
		at++
	}
	if flags&0x30 != 0 { // T or K share a byte
		if len(b) < at+1 {
			return ErrDescriptor
		}
		if flags&0x20 != 0 {
			d.HasTID, d.TID, d.LayerSync = true, b[at]>>6, b[at]&0x20 != 0
		}
		if flags&0x10 != 0 {
			d.HasKeyIndex, d.KeyIndex = true, b[at]&0x1F
		}
		at++
	}
	d.Len = at
	return nil
}

// vp8Key is the inverse of the P bit of RFC 7741 §4.3. In a sealed stream it is the synthetic
// byte in front of the ciphertext: 0x00 on key frames, 0x01 on others.
func vp8Key(frameByte byte) bool { return frameByte&1 == 0 }
