package codec

// The OBU types that matter here (AV1 specification §6.2.2).
const (
	obuSequenceHeader    = 1
	obuTemporalDelimiter = 2
)

// temporalDelimiter is the whole OBU, with its size field.
var temporalDelimiter = []byte{obuTemporalDelimiter<<3 | 2, 0}

// obu is one open bitstream unit within a temporal unit.
type obu struct {
	kind    byte
	raw     []byte // header, size field and payload
	payload []byte
}

// nextOBU cuts the first OBU off b (AV1 specification §5.3, §5.4). Not ok: b is
// empty or not in the low-overhead format.
func nextOBU(b []byte) (o obu, rest []byte, ok bool) {
	if len(b) == 0 || b[0]&0x80 != 0 { // obu_forbidden_bit
		return obu{}, nil, false
	}
	head := 1
	if b[0]&0x04 != 0 { // obu_extension_flag
		head = 2
	}
	size := len(b) - head
	if b[0]&0x02 != 0 { // obu_has_size_field
		if len(b) < head {
			return obu{}, nil, false
		}
		v, n, ok := leb128(b[head:])
		if !ok || v > uint64(len(b)-head-n) {
			return obu{}, nil, false
		}
		head += n
		size = int(v)
	}
	if size < 0 {
		return obu{}, nil, false
	}
	return obu{kind: b[0] >> 3 & 0xf, raw: b[:head+size], payload: b[head : head+size]}, b[head+size:], true
}

// leb128 reads a little-endian base-128 number of at most 5 bytes: what is longer
// would not fit the 32 bits that AV1 specification §4.10.5 allows.
func leb128(b []byte) (v uint64, n int, ok bool) {
	for i := 0; i < len(b) && i < 5; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1, v < 1<<32
		}
	}
	return 0, 0, false
}

// TrimDelimiters appends to dst the temporal unit without its temporal delimiters.
// RTP leaves them out (AV1 RTP payload format §5), and a delimiter in the middle of
// a recorded unit would split it. A unit that does not parse is taken as it is.
func TrimDelimiters(dst, unit []byte) []byte {
	at := len(dst)
	for rest := unit; len(rest) > 0; {
		o, after, ok := nextOBU(rest)
		if !ok {
			return append(dst[:at], unit...)
		}
		if o.kind != obuTemporalDelimiter {
			dst = append(dst, o.raw...)
		}
		rest = after
	}
	return dst
}

// DelimitUnit appends to dst the temporal unit with exactly one delimiter, at its
// start, as files have it.
func DelimitUnit(dst, unit []byte) []byte {
	return TrimDelimiters(append(dst, temporalDelimiter...), unit)
}

// inspectAV1 takes a temporal unit with a sequence header for a key frame: an
// encoder for real-time use writes one at each key frame and nowhere else.
func inspectAV1(b []byte) Info {
	for rest := b; len(rest) > 0; {
		o, after, ok := nextOBU(rest)
		if !ok {
			return Info{}
		}
		if o.kind == obuSequenceHeader {
			return inspectSequenceHeader(o.payload)
		}
		rest = after
	}
	return Info{}
}

// inspectSequenceHeader reads as far as the frame size (AV1 specification §5.5.1).
func inspectSequenceHeader(b []byte) Info {
	r := &bitReader{data: b}
	r.read(4) // seq_profile, still_picture
	if r.flag() {
		r.read(5) // reduced_still_picture_header: only seq_level_idx
	} else {
		skipOperatingPoints(r)
	}
	wBits, hBits := int(r.read(4))+1, int(r.read(4))+1
	w, h := int(r.read(wBits))+1, int(r.read(hBits))+1
	if r.short {
		return Info{}
	}
	return Info{Key: true, Width: w, Height: h}
}

func skipOperatingPoints(r *bitReader) {
	delayBits := 0
	if r.flag() { // timing_info_present_flag
		r.read(32)
		r.read(32)
		if r.flag() { // equal_picture_interval
			r.uvlc()
		}
		if r.flag() { // decoder_model_info_present_flag
			delayBits = int(r.read(5)) + 1
			r.read(32)
			r.read(10)
		}
	}
	displayDelay := r.flag()
	for range r.read(5) + 1 {
		r.read(12) // operating_point_idc
		if r.read(5) > 7 {
			r.read(1) // seq_tier
		}
		if delayBits > 0 && r.flag() {
			r.read(delayBits)
			r.read(delayBits)
			r.read(1)
		}
		if displayDelay && r.flag() {
			r.read(4)
		}
	}
}
