package rtpframe

import (
	"maps"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
)

const (
	// VideoWait is how long a missing video packet may still come: several rounds
	// of asking for it again.
	VideoWait = 500 * time.Millisecond
	// AudioWait is the same for audio, which is asked for again by nobody: just
	// long enough for packets that overtook each other.
	AudioWait = 60 * time.Millisecond
	// maxHeld bounds the packets that wait for an earlier one: half a second of
	// 20 Mbit/s.
	maxHeld = 1024
	// maxJump is the step in sequence numbers from which on a stream is taken for
	// a new one instead of a gap to be waited for.
	maxJump = 4096
)

// Packet is what an assembler needs of an RTP packet.
type Packet struct {
	Codec     codec.Codec // from the payload type; may change within a stream
	Sequence  uint16
	Timestamp uint32
	Marker    bool
	Payload   []byte // without padding; kept until its frame is complete
}

// Frame is one whole sealed frame.
type Frame struct {
	Codec     codec.Codec
	Timestamp uint32
	Data      []byte // valid until the assembler is called again
	// Gap says that something between this frame and the one before is missing:
	// video that builds on the lost part cannot be decoded.
	Gap bool
}

// Stats count what happened to a stream's packets.
type Stats struct {
	Packets    uint64 // received, without repeated ones
	Lost       uint64 // never came, or too late
	Late       uint64 // came after they were given up, or were repeated
	Malformed  uint64 // with a payload descriptor that makes no sense
	Incomplete uint64 // video frames begun and given up
}

// Assembler joins the packets of one stream into frames, in order. Not safe for
// concurrent use.
type Assembler struct {
	wait    time.Duration
	started bool
	next    int64 // extended sequence number that continues the stream
	held    map[int64]Packet
	since   time.Time // since when next is missing while later ones are there

	frame    []byte // fragments so far
	out      []byte
	open     bool // a frame is being put together
	codec    codec.Codec
	ts       uint32
	gap      bool
	counters Stats
}

// NewAssembler waits so long for a missing packet: AudioWait or VideoWait.
func NewAssembler(wait time.Duration) *Assembler {
	return &Assembler{wait: wait, held: make(map[int64]Packet)}
}

// Stats returns the counters.
func (a *Assembler) Stats() Stats { return a.counters }

// Push takes the next packet and hands over the frames it completes.
func (a *Assembler) Push(p Packet, now time.Time, emit func(Frame)) {
	if !a.started {
		a.started, a.next = true, int64(p.Sequence)
	}
	// The nearest number to the expected one that ends in these 16 bits.
	ext := a.next + int64(int16(p.Sequence-uint16(a.next)))
	switch {
	case ext-a.next > maxJump || a.next-ext > maxJump:
		ext = int64(p.Sequence)
		a.restart(ext)
	case ext < a.next:
		a.counters.Late++
		return
	}
	if _, ok := a.held[ext]; ok {
		a.counters.Late++
		return
	}
	a.counters.Packets++
	a.held[ext] = p
	a.drain(now, emit)
}

// restart drops all that is held and goes on at ext.
func (a *Assembler) restart(ext int64) {
	a.counters.Packets -= uint64(len(a.held))
	a.counters.Lost += uint64(len(a.held))
	clear(a.held)
	a.since = time.Time{}
	a.abandon()
	a.gap = true
	a.next = ext
}

// drain takes packets in order as long as they are there, and gives up on one that
// is missing for too long.
func (a *Assembler) drain(now time.Time, emit func(Frame)) {
	for len(a.held) > 0 {
		if p, ok := a.held[a.next]; ok {
			delete(a.held, a.next)
			a.next++
			a.since = time.Time{}
			a.take(p, emit)
			continue
		}
		if a.since.IsZero() {
			a.since = now
		}
		if now.Sub(a.since) < a.wait && len(a.held) < maxHeld {
			return
		}
		first := slices.Min(slices.Collect(maps.Keys(a.held)))
		a.counters.Lost += uint64(first - a.next)
		a.next = first
		a.since = time.Time{}
		a.abandon()
		a.gap = true
	}
	a.since = time.Time{}
}

// take adds one packet to the frame being put together.
func (a *Assembler) take(p Packet, emit func(Frame)) {
	if len(p.Payload) == 0 {
		return // padding only: a bandwidth probe
	}
	if !p.Codec.Video() {
		a.abandon()
		emit(Frame{Codec: p.Codec, Timestamp: p.Timestamp, Data: p.Payload, Gap: a.gap})
		a.gap = false
		return
	}
	f, err := parse(p.Codec, p.Payload, p.Marker)
	if err != nil {
		a.counters.Malformed++
		a.abandon()
		a.gap = true
		return
	}
	if f.start {
		a.abandon()
		a.open, a.codec, a.ts = true, p.Codec, p.Timestamp
	}
	if !a.open {
		a.gap = true // the frame's start is missing, or it was given up
		return
	}
	if p.Codec != a.codec || p.Timestamp != a.ts || len(a.frame)+len(f.body) > MaxFrame {
		a.abandon()
		return
	}
	a.frame = append(a.frame, f.body...)
	if !f.end {
		return
	}
	a.open = false
	if len(a.frame) == 0 {
		return
	}
	data := a.frame
	if a.codec == codec.AV1 {
		a.out = appendOBU(a.out[:0], a.frame)
		data = a.out
	}
	a.frame = a.frame[:0]
	emit(Frame{Codec: a.codec, Timestamp: a.ts, Data: data, Gap: a.gap})
	a.gap = false
}

// abandon gives up the frame that is being put together, if any.
func (a *Assembler) abandon() {
	if a.open {
		a.counters.Incomplete++
		a.gap = true
	}
	a.open = false
	a.frame = a.frame[:0]
}
