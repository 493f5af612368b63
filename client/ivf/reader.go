package ivf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// Reader reads frames one after the other. Not safe for concurrent use.
type Reader struct {
	in     io.Reader
	header Header
	buf    []byte
}

// NewReader reads the file's header. Errors: ErrFormat, an unknown codec, or the
// input's.
func NewReader(in io.Reader) (*Reader, error) {
	var b [headerLen]byte
	if _, err := io.ReadFull(in, b[:]); err != nil {
		return nil, truncated("file header", err)
	}
	length := int(binary.LittleEndian.Uint16(b[6:]))
	if string(b[:4]) != "DKIF" || binary.LittleEndian.Uint16(b[4:]) != 0 || length < headerLen {
		return nil, fmt.Errorf("%w: bad file header", ErrFormat)
	}
	h := Header{
		Width:       int(binary.LittleEndian.Uint16(b[12:])),
		Height:      int(binary.LittleEndian.Uint16(b[14:])),
		TimebaseDen: binary.LittleEndian.Uint32(b[16:]),
		TimebaseNum: binary.LittleEndian.Uint32(b[20:]),
	}
	for c, name := range fourCC {
		if string(b[8:12]) == name {
			h.Codec = c
		}
	}
	if h.Codec == "" {
		return nil, fmt.Errorf("%w: codec %q is none of VP80, VP90, AV01", ErrFormat, b[8:12])
	}
	if h.TimebaseDen == 0 || h.TimebaseNum == 0 || h.TimebaseDen > maxTimebase || h.TimebaseNum > maxTimebase {
		return nil, fmt.Errorf("%w: time base %d/%d", ErrFormat, h.TimebaseNum, h.TimebaseDen)
	}
	if _, err := io.CopyN(io.Discard, in, int64(length-headerLen)); err != nil {
		return nil, truncated("file header", err)
	}
	return &Reader{in: in, header: h}, nil
}

// Header is what the file says about its stream.
func (r *Reader) Header() Header { return r.header }

// Next returns the next frame and its time from the start of the stream. The frame
// is valid until the next call. Errors: io.EOF at the end of the file, ErrFormat,
// or the input's.
func (r *Reader) Next() (frame []byte, at time.Duration, err error) {
	var b [frameHeaderLen]byte
	if _, err := io.ReadFull(r.in, b[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, io.EOF
		}
		return nil, 0, truncated("frame header", err)
	}
	size := binary.LittleEndian.Uint32(b[:])
	if size > MaxFrame {
		return nil, 0, fmt.Errorf("%w: a frame of %d bytes", ErrFormat, size)
	}
	at, ok := ticksToTime(binary.LittleEndian.Uint64(b[4:]), r.header)
	if !ok {
		return nil, 0, fmt.Errorf("%w: time stamp out of range", ErrFormat)
	}
	if r.buf, err = readN(r.in, r.buf[:0], int(size)); err != nil {
		return nil, 0, truncated("frame", err)
	}
	return r.buf, at, nil
}

// readN reads exactly n bytes, growing buf as they come: a header that lies about
// the size costs no memory.
func readN(in io.Reader, buf []byte, n int) ([]byte, error) {
	for len(buf) < n {
		step := min(n-len(buf), max(64<<10, len(buf)))
		at := len(buf)
		if cap(buf) < at+step {
			buf = append(make([]byte, 0, at+step), buf...)
		}
		buf = buf[:at+step]
		if _, err := io.ReadFull(in, buf[at:]); err != nil {
			return buf[:0], err
		}
	}
	return buf, nil
}

// ticksToTime computes ticks·num/den seconds; not ok where it overflows.
func ticksToTime(ticks uint64, h Header) (time.Duration, bool) {
	hi, lo := bits.Mul64(ticks, uint64(h.TimebaseNum)*uint64(time.Second))
	if hi >= uint64(h.TimebaseDen) {
		return 0, false
	}
	v, _ := bits.Div64(hi, lo, uint64(h.TimebaseDen))
	return time.Duration(v), v < 1<<62
}

// truncated turns the end of the input in the middle of something into ErrFormat.
func truncated(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off in a %s", ErrFormat, what)
	}
	return fmt.Errorf("ivf: reading a %s: %w", what, err)
}
