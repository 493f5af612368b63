package ivf

import (
	"errors"

	"github.com/sotto-sfu/sotto/client/codec"
)

const (
	headerLen      = 32
	frameHeaderLen = 12
	// MaxFrame bounds one frame, in bytes. A raw 1080p picture has 3 MB; a coded
	// one larger than this is a damaged file.
	MaxFrame = 16 << 20
	// maxTimebase bounds both halves of the time base: more is a damaged file.
	maxTimebase = 1_000_000_000
)

// ErrFormat: not an IVF file, or damaged.
var ErrFormat = errors.New("ivf: not an IVF file, or damaged")

var fourCC = map[codec.Codec]string{codec.VP8: "VP80", codec.VP9: "VP90", codec.AV1: "AV01"}

// Header is what the file says about its stream.
type Header struct {
	Codec         codec.Codec
	Width, Height int // pixels, at most 65535
	// A time stamp of one is TimebaseNum/TimebaseDen seconds.
	TimebaseNum, TimebaseDen uint32
}
