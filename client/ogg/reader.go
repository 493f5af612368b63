package ogg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxPacket bounds one packet, in bytes: 120 ms of 510 kbit/s are 7,650.
const maxPacket = 64 << 10

// Reader reads Opus packets one after the other. Not safe for concurrent use.
type Reader struct {
	in     io.Reader
	page   page
	serial uint32
	first  bool
	// what is left of the page
	segments, body []byte
	packet         []byte
	channels       int
}

// NewReader reads the two header packets (RFC 7845 §5). Errors: ErrFormat or the
// input's.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: in, first: true}
	head, err := r.next()
	if err != nil {
		return nil, unexpectedEnd(err)
	}
	if len(head) < 19 || !bytes.HasPrefix(head, []byte("OpusHead")) || head[8] > 15 {
		return nil, fmt.Errorf("%w: the stream is not Opus", ErrFormat)
	}
	r.channels = int(head[9])
	if r.channels < 1 || r.channels > 2 || head[18] != 0 {
		return nil, fmt.Errorf("%w: %d channels; calls carry one or two", ErrFormat, r.channels)
	}
	tags, err := r.next()
	if err != nil {
		return nil, unexpectedEnd(err)
	}
	if !bytes.HasPrefix(tags, []byte("OpusTags")) {
		return nil, fmt.Errorf("%w: no tags", ErrFormat)
	}
	return r, nil
}

func unexpectedEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: no stream in it", ErrFormat)
	}
	return err
}

// Channels is 1 or 2.
func (r *Reader) Channels() int { return r.channels }

// Next returns the next packet and its length in samples of 48 kHz. The packet is
// valid until the next call. Errors: io.EOF at the end of the stream, ErrFormat, or
// the input's.
func (r *Reader) Next() (packet []byte, samples int, err error) {
	for {
		p, err := r.next()
		if err != nil {
			return nil, 0, err
		}
		if len(p) == 0 {
			continue
		}
		n := Samples(p)
		if n == 0 {
			return nil, 0, fmt.Errorf("%w: a damaged packet", ErrFormat)
		}
		return p, n, nil
	}
}

// next joins the segments of one packet, over as many pages as it takes.
func (r *Reader) next() ([]byte, error) {
	r.packet = r.packet[:0]
	for {
		for len(r.segments) > 0 {
			n := int(r.segments[0])
			r.packet = append(r.packet, r.body[:n]...)
			r.segments, r.body = r.segments[1:], r.body[n:]
			if len(r.packet) > maxPacket {
				return nil, fmt.Errorf("%w: a packet over %d bytes", ErrFormat, maxPacket)
			}
			if n < 255 {
				return r.packet, nil
			}
		}
		if err := r.turn(); err != nil {
			if errors.Is(err, io.EOF) && len(r.packet) > 0 {
				return nil, fmt.Errorf("%w: the last packet is cut off", ErrFormat)
			}
			return nil, err
		}
	}
}

// turn reads the next page of the stream.
func (r *Reader) turn() error {
	if err := readPage(r.in, &r.page); err != nil {
		return err
	}
	if r.first {
		r.first, r.serial = false, r.page.serial
		if r.page.flags&flagFirst == 0 {
			return fmt.Errorf("%w: does not begin with a stream's first page", ErrFormat)
		}
	} else if r.page.serial != r.serial {
		return fmt.Errorf("%w: more than one stream in the file", ErrFormat)
	}
	if continued := r.page.flags&flagContinued != 0; continued != (len(r.packet) > 0) {
		return fmt.Errorf("%w: a page is missing", ErrFormat)
	}
	r.segments, r.body = r.page.segments, r.page.body
	return nil
}
