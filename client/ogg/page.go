package ogg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	pageHeaderLen = 27
	maxSegments   = 255
	// noGranule marks a page on which no packet ends (RFC 3533 §6).
	noGranule = ^uint64(0)
)

// The flags of a page.
const (
	flagContinued = 1 // the first packet began on an earlier page
	flagFirst     = 2 // of the stream
	flagLast      = 4
)

// ErrFormat: not an Ogg file with one Opus stream, or damaged.
var ErrFormat = errors.New("ogg: not an Opus file, or damaged")

// page is one page. Segments of 255 bytes are continued by the next one.
type page struct {
	flags    byte
	granule  uint64
	serial   uint32
	index    uint32
	segments []byte
	body     []byte
}

var crcTable = func() (table [256]uint32) {
	for i := range table {
		c := uint32(i) << 24
		for range 8 {
			if c&0x80000000 != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		table[i] = c
	}
	return table
}()

// crc is the checksum of RFC 3533 §6: polynomial 0x04c11db7, unreflected, from 0.
func crc(sum uint32, b []byte) uint32 {
	for _, x := range b {
		sum = sum<<8 ^ crcTable[byte(sum>>24)^x]
	}
	return sum
}

// append encodes the page at the end of b.
func (p *page) append(b []byte) []byte {
	at := len(b)
	b = append(b, "OggS"...)
	b = append(b, 0, p.flags)
	b = binary.LittleEndian.AppendUint64(b, p.granule)
	b = binary.LittleEndian.AppendUint32(b, p.serial)
	b = binary.LittleEndian.AppendUint32(b, p.index)
	b = append(b, 0, 0, 0, 0, byte(len(p.segments)))
	b = append(b, p.segments...)
	b = append(b, p.body...)
	binary.LittleEndian.PutUint32(b[at+22:], crc(0, b[at:]))
	return b
}

// readPage reads one page into p, whose memory it uses again. Errors: io.EOF at the
// end of the file, ErrFormat, or the input's.
func readPage(in io.Reader, p *page) error {
	var h [pageHeaderLen]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		return truncated(err)
	}
	if string(h[:4]) != "OggS" || h[4] != 0 {
		return fmt.Errorf("%w: no page where one must begin", ErrFormat)
	}
	p.flags = h[5]
	p.granule = binary.LittleEndian.Uint64(h[6:])
	p.serial = binary.LittleEndian.Uint32(h[14:])
	p.index = binary.LittleEndian.Uint32(h[18:])
	p.segments = append(p.segments[:0], make([]byte, h[26])...)
	if _, err := io.ReadFull(in, p.segments); err != nil {
		return truncated(err)
	}
	size := 0
	for _, s := range p.segments {
		size += int(s)
	}
	p.body = append(p.body[:0], make([]byte, size)...) // at most 255·255 bytes
	if _, err := io.ReadFull(in, p.body); err != nil {
		return truncated(err)
	}
	want := binary.LittleEndian.Uint32(h[22:])
	clear(h[22:26])
	if crc(crc(crc(0, h[:]), p.segments), p.body) != want {
		return fmt.Errorf("%w: wrong checksum", ErrFormat)
	}
	return nil
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: cut off in a page", ErrFormat)
	}
	return fmt.Errorf("ogg: reading a page: %w", err)
}
