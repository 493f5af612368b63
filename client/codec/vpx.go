package codec

// inspectVP8 reads the frame header of RFC 6386 §9.1: a 3-byte tag whose lowest bit
// is 0 on key frames, then a start code and two 14-bit sizes.
func inspectVP8(b []byte) Info {
	if len(b) < 3 || b[0]&1 != 0 {
		return Info{}
	}
	if len(b) < 10 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
		return Info{}
	}
	return Info{
		Key:    true,
		Width:  (int(b[6]) | int(b[7])<<8) & 0x3fff,
		Height: (int(b[8]) | int(b[9])<<8) & 0x3fff,
	}
}

// inspectVP9 reads the start of the uncompressed header (VP9 bitstream
// specification §6.2). In a superframe that is the header of its first frame.
func inspectVP9(b []byte) Info {
	r := &bitReader{data: b}
	if r.read(2) != 2 { // frame_marker
		return Info{}
	}
	profile := r.read(1) | r.read(1)<<1
	if profile == 3 {
		r.read(1) // reserved
	}
	if r.flag() { // show_existing_frame: a picture already sent
		return Info{}
	}
	if r.flag() { // frame_type: 0 is a key frame
		return Info{}
	}
	r.read(2) // show_frame, error_resilient_mode
	if r.read(24) != 0x498342 {
		return Info{}
	}
	if profile >= 2 {
		r.read(1) // ten_or_twelve_bit
	}
	const srgb = 7
	if r.read(3) != srgb {
		r.read(1) // color_range
		if profile&1 == 1 {
			r.read(3) // subsampling_x, subsampling_y, reserved
		}
	} else if profile&1 == 1 {
		r.read(1) // reserved
	}
	w, h := int(r.read(16))+1, int(r.read(16))+1
	if r.short {
		return Info{}
	}
	return Info{Key: true, Width: w, Height: h}
}
