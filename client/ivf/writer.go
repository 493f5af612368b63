package ivf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/sotto-sfu/sotto/client/codec"
)

// Writer writes frames one after the other. Not safe for concurrent use.
type Writer struct {
	out    io.Writer
	header Header
	frames uint64
	last   uint64 // time stamps
	first  uint64
	buf    []byte
}

// NewWriter writes the file's header. Zero Width and Height are allowed: players
// read the size from the stream. Errors: an audio codec, or the output's.
func NewWriter(out io.Writer, h Header) (*Writer, error) {
	w := &Writer{out: out, header: h}
	b, err := w.fileHeader()
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(b); err != nil {
		return nil, fmt.Errorf("ivf: writing the file header: %w", err)
	}
	return w, nil
}

func (w *Writer) fileHeader() ([]byte, error) {
	name, ok := fourCC[w.header.Codec]
	if !ok {
		return nil, fmt.Errorf("ivf: no video codec: %q", w.header.Codec)
	}
	b := make([]byte, 0, headerLen)
	b = append(b, "DKIF"...)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, headerLen)
	b = append(b, name...)
	b = binary.LittleEndian.AppendUint16(b, uint16(w.header.Width))
	b = binary.LittleEndian.AppendUint16(b, uint16(w.header.Height))
	b = binary.LittleEndian.AppendUint32(b, w.header.TimebaseDen)
	b = binary.LittleEndian.AppendUint32(b, w.header.TimebaseNum)
	b = binary.LittleEndian.AppendUint32(b, w.length())
	return append(b, 0, 0, 0, 0), nil
}

// length is the stream's end in units of the time base, the last frame as long as the
// others on average. Some call the field a number of frames, which is the same where the
// time base is the frame rate; players read a duration from it.
func (w *Writer) length() uint32 {
	if w.frames < 2 {
		return uint32(w.frames)
	}
	return uint32(min(w.last+(w.last-w.first)/(w.frames-1), math.MaxUint32))
}

// WriteFrame appends one frame with its time stamp in units of the time base.
// AV1 temporal units are given exactly one delimiter each, as files have it.
func (w *Writer) WriteFrame(frame []byte, ticks uint64) error {
	w.buf = append(w.buf[:0], make([]byte, frameHeaderLen)...)
	if w.header.Codec == codec.AV1 {
		w.buf = codec.DelimitUnit(w.buf, frame)
	} else {
		w.buf = append(w.buf, frame...)
	}
	size := len(w.buf) - frameHeaderLen
	if size > MaxFrame {
		return fmt.Errorf("ivf: a frame of %d bytes", size)
	}
	binary.LittleEndian.PutUint32(w.buf, uint32(size))
	binary.LittleEndian.PutUint64(w.buf[4:], ticks)
	if _, err := w.out.Write(w.buf); err != nil {
		return fmt.Errorf("ivf: writing a frame: %w", err)
	}
	if w.frames == 0 {
		w.first = ticks
	}
	w.frames, w.last = w.frames+1, ticks
	return nil
}

// Close writes the length of the stream into the header where the output can seek. It
// does not close the output.
func (w *Writer) Close() error {
	s, ok := w.out.(io.WriteSeeker)
	if !ok {
		return nil
	}
	b, err := w.fileHeader()
	if err != nil {
		return err
	}
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("ivf: finishing: %w", err)
	}
	if _, err := s.Write(b); err != nil {
		return fmt.Errorf("ivf: finishing: %w", err)
	}
	if _, err := s.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("ivf: finishing: %w", err)
	}
	return nil
}
