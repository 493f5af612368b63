package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/ivf"
	"github.com/sotto-sfu/sotto/client/ogg"
)

const (
	// maxFiles bounds the files of one recording, maxParts those of one source:
	// senders decide when a new one is due.
	maxFiles = 1024
	maxParts = 32
	// maxNameLen bounds what of a participant's name goes into a file's name.
	maxNameLen = 24
)

// ErrTooManyFiles: the recording has as many files as it may have. The frame was
// not recorded; the files go on.
var ErrTooManyFiles = errors.New("record: too many files")

// Frame is one decrypted frame.
type Frame struct {
	Participant string // an id; what is no letter, digit, - or _ in it is left out
	Name        string // as the participant calls itself; may be empty
	Source      string
	Codec       codec.Codec
	Timestamp   uint32 // RTP
	Arrival     time.Time
	Key         bool
	Data        []byte
}

// File is one file of the recording.
type File struct {
	Path   string      `json:"path"`
	Codec  codec.Codec `json:"codec"`
	Frames int         `json:"frames"`
	Bytes  int64       `json:"bytes"` // of frames, without the container
}

// Recorder writes the files of one recording. Not safe for concurrent use.
type Recorder struct {
	dir     string
	start   time.Time
	sources map[sourceID]*source
	files   []*File
}

type sourceID struct{ participant, source string }

// source is one participant's source: the file open now, and its place in time.
type source struct {
	file  *File
	media mediaFile
	parts int
}

// mediaFile is what IVF and Ogg files have in common.
type mediaFile interface {
	write(f Frame, arrival time.Duration) error
	close() error
}

// New makes the folder if need be. start is where the time line begins.
func New(dir string, start time.Time) (*Recorder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("record: making the folder: %w", err)
	}
	return &Recorder{dir: dir, start: start, sources: make(map[sourceID]*source)}, nil
}

// Write appends one frame. Video begins with a key frame; frames before it are
// skipped without error. Errors: ErrTooManyFiles, or the file system's.
func (r *Recorder) Write(f Frame) error {
	if len(f.Data) == 0 {
		return nil
	}
	id := sourceID{f.Participant, f.Source}
	s := r.sources[id]
	if s == nil || s.file == nil || s.file.Codec != f.Codec {
		if f.Codec.Video() && !f.Key {
			return nil
		}
		if len(r.files) >= maxFiles || s != nil && s.parts >= maxParts {
			return ErrTooManyFiles
		}
		if s == nil {
			s = &source{}
			r.sources[id] = s
		}
		if err := r.open(s, f); err != nil {
			return err
		}
	}
	if err := s.media.write(f, f.Arrival.Sub(r.start)); err != nil {
		return fmt.Errorf("record: %s: %w", filepath.Base(s.file.Path), err)
	}
	s.file.Frames++
	s.file.Bytes += int64(len(f.Data))
	return nil
}

// open closes the source's file, if any, and begins the next.
func (r *Recorder) open(s *source, f Frame) error {
	if s.file != nil {
		media := s.media
		s.file, s.media = nil, nil
		if err := media.close(); err != nil {
			return fmt.Errorf("record: finishing a file: %w", err)
		}
	}
	s.parts++
	path := filepath.Join(r.dir, r.unused(fileName(f, s.parts)))
	// O_EXCL: a recording must not overwrite another one.
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	media, err := newMediaFile(out, f)
	if err != nil {
		out.Close()
		return err
	}
	s.file, s.media = &File{Path: path, Codec: f.Codec}, media
	r.files = append(r.files, s.file)
	return nil
}

// unused makes a name that no file of this recording has. Participants choose their
// names and the server their ids: both together must not end a recording. Some
// file systems take Bob for bob.
func (r *Recorder) unused(name string) string {
	for n, plain := 2, name; ; n++ {
		if !slices.ContainsFunc(r.files, func(f *File) bool { return strings.EqualFold(filepath.Base(f.Path), name) }) {
			return name
		}
		name = fmt.Sprintf("%d-%s", n, plain)
	}
}

// Close finishes all files. It goes on after an error and returns the first.
func (r *Recorder) Close() error {
	var errs []error
	for _, s := range r.sources {
		if s.media != nil {
			errs = append(errs, s.media.close())
			s.media = nil
		}
	}
	return errors.Join(errs...)
}

// Files lists what was written so far, oldest first.
func (r *Recorder) Files() []File {
	out := make([]File, len(r.files))
	for i, f := range r.files {
		out[i] = *f
	}
	return out
}

// fileName is name-participant-source[-part].ext, from safe characters alone.
func fileName(f Frame, part int) string {
	name := safe(f.Participant, 22)
	if n := safe(f.Name, maxNameLen); n != "" {
		name = n + "-" + safe(f.Participant, 8)
	}
	name += "-" + safe(f.Source, 16)
	if part > 1 {
		name += fmt.Sprintf("-%d", part)
	}
	if f.Codec.Video() {
		return name + "." + string(f.Codec) + ".ivf"
	}
	return name + ".ogg"
}

// safe keeps at most n ASCII letters, digits, hyphens and underscores.
func safe(s string, n int) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		ok := c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if ok && b.Len() < n {
			b.WriteByte(c)
		}
	}
	return strings.TrimLeft(b.String(), "-")
}

func newMediaFile(out *os.File, f Frame) (mediaFile, error) {
	if !f.Codec.Video() {
		buf := bufio.NewWriter(out)
		w, err := ogg.NewWriter(buf, f.Timestamp)
		if err != nil {
			return nil, err
		}
		return &audioFile{out: out, buf: buf, ogg: w, line: timeline{rate: int64(f.Codec.ClockRate())}}, nil
	}
	info := codec.Inspect(f.Codec, f.Data)
	w, err := ivf.NewWriter(out, ivf.Header{
		Codec: f.Codec, Width: info.Width, Height: info.Height,
		TimebaseNum: 1, TimebaseDen: f.Codec.ClockRate(),
	})
	if err != nil {
		return nil, err
	}
	return &videoFile{out: out, ivf: w, line: timeline{rate: int64(f.Codec.ClockRate())}}, nil
}

type videoFile struct {
	out  io.Closer
	ivf  *ivf.Writer
	line timeline
}

func (v *videoFile) write(f Frame, arrival time.Duration) error {
	return v.ivf.WriteFrame(f.Data, v.line.at(f.Timestamp, arrival))
}

func (v *videoFile) close() error { return errors.Join(v.ivf.Close(), v.out.Close()) }

type audioFile struct {
	out  io.Closer
	buf  *bufio.Writer
	ogg  *ogg.Writer
	line timeline
}

func (a *audioFile) write(f Frame, arrival time.Duration) error {
	if ogg.Samples(f.Data) == 0 {
		return nil // whatever it is, it is no Opus: nothing a player could use
	}
	return a.ogg.WritePacket(f.Data, a.line.at(f.Timestamp, arrival))
}

func (a *audioFile) close() error {
	return errors.Join(a.ogg.Close(), a.buf.Flush(), a.out.Close())
}
