package forward

// counters are the newest sent values of the numbers that receivers use to tell which
// frame depends on which: the dependency descriptor's frame number (16 bits), and the picture id (15
// bits) and TL0PICIDX (8 bits) of VP8 and VP9. They continue across sources: a
// receiver takes a frame whose number steps back for an old one, and libwebrtc drops
// even a key frame with a frame number below the last one's.
type counters struct {
	hasFrame, hasPicture, hasTL0 bool

	frame   uint16
	picture uint16
	tl0     uint8
}

// next is what to add to the numbers of p, the first packet of a source, so that they
// follow the newest sent. What was never sent before starts as the publisher has it.
func (c *counters) next(p *Packet) (frame, picture uint16, tl0 uint8) {
	if p.HasFrame && c.hasFrame {
		frame = c.frame + 1 - p.Frame
	}
	if p.HasPicture && c.hasPicture {
		picture = c.picture + 1 - p.Picture
	}
	if p.HasTL0 && c.hasTL0 {
		tl0 = c.tl0 + 1 - p.TL0
	}
	return frame, picture, tl0
}

// note remembers the numbers of a packet that is sent, as far as they are new.
func (c *counters) note(p *Packet, d *Decision) {
	if p.HasFrame && (!c.hasFrame || int16(d.Frame-c.frame) > 0) {
		c.hasFrame, c.frame = true, d.Frame
	}
	if picture := p.Picture + d.PictureOffset; p.HasPicture && (!c.hasPicture || int16((picture-c.picture)<<1) > 0) {
		c.hasPicture, c.picture = true, picture
	}
	if tl0 := p.TL0 + d.TL0Offset; p.HasTL0 && (!c.hasTL0 || int8(tl0-c.tl0) > 0) {
		c.hasTL0, c.tl0 = true, tl0
	}
}
