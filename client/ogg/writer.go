package ogg

import (
	"encoding/binary"
	"fmt"
	"io"
)

// emptyPacket is an Opus packet of one empty 20 ms frame: decoders take it for one
// lost on the way or left out in silence (RFC 6716 §3.2.1), and fade out.
const (
	emptyPacket  = 31 << 3
	emptySamples = 960
)

// Writer writes Opus packets one after the other. Not safe for concurrent use.
type Writer struct {
	out    io.Writer
	page   page
	at     uint64 // samples written
	buf    []byte
	closed bool
}

// NewWriter writes the two header packets (RFC 7845 §5). serial may be any number.
func NewWriter(out io.Writer, serial uint32) (*Writer, error) {
	w := &Writer{out: out, page: page{serial: serial}}
	head := append([]byte("OpusHead"), 1, 2)             // version, channels: decoders make two of one
	head = binary.LittleEndian.AppendUint16(head, 0)     // pre-skip: the recording may start anywhere
	head = binary.LittleEndian.AppendUint32(head, 48000) // the original rate, for information
	head = binary.LittleEndian.AppendUint16(head, 0)     // gain
	head = append(head, 0)                               // mapping family
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), 5)
	tags = append(tags, "sotto"...)
	tags = binary.LittleEndian.AppendUint32(tags, 0)
	if err := w.write(flagFirst, head); err != nil {
		return nil, err
	}
	if err := w.write(0, tags); err != nil {
		return nil, err
	}
	return w, nil
}

// WritePacket appends one packet that begins at sample `at` of 48 kHz from the start
// of the recording, and fills the time since the packet before. A packet that begins
// earlier than the one before it ended is put right behind it.
// Error: not an Opus packet, or the output's.
func (w *Writer) WritePacket(packet []byte, at uint64) error {
	n := Samples(packet)
	if n == 0 || len(packet) > maxPacket {
		return fmt.Errorf("ogg: not an Opus packet")
	}
	if at > w.at {
		if err := w.fill((at - w.at) / emptySamples); err != nil {
			return err
		}
	}
	w.at += uint64(n)
	return w.write(0, packet)
}

// fill writes n empty packets, as many to a page as it holds.
func (w *Writer) fill(n uint64) error {
	for n > 0 {
		k := min(n, maxSegments)
		w.page.segments, w.page.body = w.page.segments[:0], w.page.body[:0]
		for range k {
			w.page.segments = append(w.page.segments, 1)
			w.page.body = append(w.page.body, emptyPacket)
		}
		w.at += k * emptySamples
		n -= k
		if err := w.flush(0, w.at); err != nil {
			return err
		}
	}
	return nil
}

// write puts one packet on pages of its own.
func (w *Writer) write(flags byte, packet []byte) error {
	for {
		w.page.segments = w.page.segments[:0]
		body := packet
		done := false
		for len(w.page.segments) < maxSegments && !done {
			n := min(len(packet), 255)
			w.page.segments = append(w.page.segments, byte(n))
			packet = packet[n:]
			done = n < 255
		}
		w.page.body = append(w.page.body[:0], body[:len(body)-len(packet)]...)
		granule := w.at
		if !done {
			granule = noGranule
		}
		if err := w.flush(flags, granule); err != nil || done {
			return err
		}
		flags = flagContinued
	}
}

func (w *Writer) flush(flags byte, granule uint64) error {
	w.page.flags, w.page.granule = flags, granule
	w.buf = w.page.append(w.buf[:0])
	w.page.index++
	if _, err := w.out.Write(w.buf); err != nil {
		return fmt.Errorf("ogg: writing a page: %w", err)
	}
	return nil
}

// Close marks the end of the stream. It does not close the output.
func (w *Writer) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	w.page.segments, w.page.body = w.page.segments[:0], w.page.body[:0]
	return w.flush(flagLast, w.at)
}
