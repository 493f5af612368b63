package codec

// Counters are the numbers in a VP8 or VP9 payload descriptor by which a receiver
// finds out what a frame depends on. They must run on when a slot changes its source:
// libwebrtc keeps what it learned from about 50 earlier TL0PICIDX values, and drops frames whose
// numbers it takes for old ones, key frame or not.
//
// Senders that use the dependency descriptor leave them out.
type Counters struct {
	HasPicture bool
	Picture    uint16 // PictureID: 15 bits, or 7 in the short form
	HasTL0     bool
	TL0        uint8 // TL0PICIDX

	pictureAt, tl0At int
}

// ReadCounters reads the counters of a payload, none if it has none or is malformed.
func ReadCounters(c Codec, payload []byte) Counters {
	switch c {
	case VP8:
		var d VP8Descriptor
		if d.Parse(payload) == nil {
			return d.counters()
		}
	case VP9:
		var d VP9Descriptor
		if d.Parse(payload) == nil {
			return d.counters()
		}
	}
	return Counters{}
}

// Shift adds to the counters in a copy of the payload they were read from.
func (c *Counters) Shift(payload []byte, picture uint16, tl0 uint8) {
	if c.HasPicture && picture != 0 {
		v := c.Picture + picture
		if b := payload[c.pictureAt:]; b[0]&0x80 != 0 { // M: the long form
			b[0], b[1] = 0x80|byte(v>>8), byte(v)
		} else {
			b[0] = byte(v) & 0x7F
		}
	}
	if c.HasTL0 {
		payload[c.tl0At] = c.TL0 + tl0
	}
}

func (d *VP8Descriptor) counters() Counters {
	return Counters{
		HasPicture: d.HasPictureID, Picture: d.PictureID, HasTL0: d.HasTL0, TL0: d.TL0,
		pictureAt: d.PictureAt, tl0At: d.TL0At,
	}
}

func (d *VP9Descriptor) counters() Counters {
	return Counters{
		HasPicture: d.HasPictureID, Picture: d.PictureID, HasTL0: d.HasTL0, TL0: d.TL0,
		pictureAt: d.PictureAt, tl0At: d.TL0At,
	}
}
