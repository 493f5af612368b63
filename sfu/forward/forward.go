package forward

import (
	"time"

	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

// Source names an incoming layer. The numbers are the caller's; zero is none.
type Source uint32

// Limits of what a Forwarder remembers.
const (
	// Window is how many outgoing numbers back a late packet is still accepted and a
	// NACK still answered. At 250 packets a second it is 4 s.
	Window = 1024
	// MaxGap is the longest gap upstream that is passed on as loss. A longer one cannot
	// be repaired in time: the slot starts afresh instead.
	MaxGap = 1000
	// maxSegments is how many changes of rewriting (switches, runs of padding) are
	// remembered for late packets and NACKs.
	maxSegments = 32
	// maxStep is the longest step of the timestamp at a switch, in ticks: 3.3 h of video. A longer one
	// would look like a step backwards in 32-bit serial arithmetic.
	maxStep = 1 << 30
)

// Packet is what the decision needs to know of an incoming packet.
type Packet struct {
	Source    Source
	Seq       seqnum.Full
	Timestamp uint32
	// Key marks the first packet of a key frame. Ignored for audio.
	Key bool
	// Padding marks a packet without payload.
	Padding bool
	// HasFrame says that a dependency descriptor gave a frame number.
	HasFrame bool
	Frame    uint16
	// HasPicture and HasTL0 say that the payload descriptor has these counters.
	HasPicture bool
	Picture    uint16 // 15 bits
	HasTL0     bool
	TL0        uint8
}

// Verdict is what becomes of a packet.
type Verdict uint8

// The verdicts. All but Send mean drop.
const (
	Send        Verdict = iota
	NotBound            // the slot does not show this source
	AwaitingKey         // video does not start here: somebody should ask for a key frame
	TooOld              // from before the start or switch point, or beyond memory
	Repeat              // went out before
	PaddingOnly         // carried nothing; its gap is closed
	numVerdicts
)

var verdictNames = [numVerdicts]string{"send", "not_bound", "awaiting_key", "too_old", "repeat", "padding"}

// String is a short name, fit for a metric label.
func (v Verdict) String() string {
	if v >= numVerdicts {
		return "unknown"
	}
	return verdictNames[v]
}

// Decision is the answer for one packet: the numbers to send it under, if Verdict is Send.
type Decision struct {
	Verdict Verdict
	// Started marks the first packet after a start or switch: the moment to send a sender
	// report, and, for audio, to set the marker (RFC 3551 §4.1).
	Started   bool
	Frame     uint16 // the dependency descriptor's frame number, if the packet has one
	Timestamp uint32
	Seq       seqnum.Full
	// To be added to the payload descriptor's counters, if it has them.
	PictureOffset uint16
	TL0Offset     uint8
}

// Origin says where an outgoing packet came from, and how to rewrite it again.
type Origin struct {
	Source Source
	Seq    seqnum.Full // the publisher's number: the key of the packet cache
	Out    seqnum.Full // the number it has in the slot
	// The offsets are to be added to the packet's own numbers.
	TimestampOffset uint32
	FrameOffset     uint16
	PictureOffset   uint16
	TL0Offset       uint8
}

// Forwarder is the state of one slot. It is small enough to have thousands, and not
// safe for concurrent use: the caller guards each with its own lock.
type Forwarder struct {
	clockRate int64
	needKey   bool
	started   bool // something was sent since New

	current Source      // being forwarded, zero if none
	next    Source      // to be forwarded from its next starting point on, zero if none
	floor   seqnum.Full // next does not start at or before this number

	firstIn   seqnum.Full // where the current source started
	highestIn seqnum.Full // newest packet of the current source

	lastOut  seqnum.Full // newest number sent or kept free
	lastTS   uint32      // newest timestamp sent
	lastTSAt time.Time   // when it was first sent
	counters counters    // newest sent

	segments segments
	sent     [Window / 64]uint64 // bit out%Window: the number went out
}

// NewVideo returns a forwarder that starts at key frames only. clockRate is in Hz.
func NewVideo(clockRate uint32) *Forwarder {
	return &Forwarder{clockRate: int64(clockRate), needKey: true}
}

// NewAudio returns a forwarder that starts at any packet. clockRate is in Hz.
func NewAudio(clockRate uint32) *Forwarder {
	return &Forwarder{clockRate: int64(clockRate)}
}

// Bind shows another source: the one shown until now stops at once, the new one begins at
// its next starting point after the packet numbered from (its newest packet now, zero if none came).
// Binding what is already shown or awaited changes nothing.
func (f *Forwarder) Bind(s Source, from seqnum.Full) {
	if s == f.current {
		f.next = 0
		return
	}
	f.current = 0
	if s != f.next {
		f.next, f.floor = s, from
	}
}

// Move is Bind without the pause: the source shown now goes on until the new one
// starts. For another layer of the same picture.
func (f *Forwarder) Move(s Source, from seqnum.Full) {
	switch s {
	case f.current:
		f.next = 0
	case f.next:
	default:
		f.next, f.floor = s, from
	}
}

// Unbind shows nothing. Numbers sent before can still be asked for with Origin.
func (f *Forwarder) Unbind() { f.current, f.next = 0, 0 }

// Current is the source being forwarded, zero if none.
func (f *Forwarder) Current() Source { return f.current }

// Awaited is the source whose starting point is awaited, zero if none. While it is
// not zero on a video slot, a key frame of it should be asked for.
func (f *Forwarder) Awaited() Source { return f.next }

// Forward decides about one packet. now is when it came in; it must not run backwards.
func (f *Forwarder) Forward(p *Packet, now time.Time) Decision {
	switch {
	case p.Source == 0:
		return Decision{Verdict: NotBound}
	case p.Source == f.current:
		if p.Seq <= f.highestIn {
			return f.late(p, now)
		}
		if p.Seq-f.highestIn <= MaxGap {
			return f.newest(p, now)
		}
		// Beyond repair, or the sender started over: wait for a new starting point,
		// which may be this very packet.
		f.current = 0
		if f.next == 0 {
			f.next, f.floor = p.Source, f.highestIn
		}
		return f.start(p, now)
	case p.Source == f.next:
		return f.start(p, now)
	}
	return Decision{Verdict: NotBound}
}

// start begins a new run of numbers with p, if p is a starting point of f.next.
func (f *Forwarder) start(p *Packet, now time.Time) Decision {
	switch {
	case p.Source != f.next:
		return Decision{Verdict: NotBound}
	case p.Padding:
		return Decision{Verdict: PaddingOnly}
	case p.Seq <= f.floor:
		return Decision{Verdict: TooOld}
	case f.needKey && !p.Key:
		return Decision{Verdict: AwaitingKey}
	}
	seg := segment{source: p.Source, firstIn: p.Seq}
	if !f.started {
		f.started = true
		// Below 2^14: if the packets around a rollover were the first to be lost, the
		// receiver would guess SRTP's rollover counter wrong (RFC 3711 §3.3.1).
		f.lastOut = seqnum.Cycle + p.Seq&0x3FFF
		f.lastTS, f.lastTSAt = p.Timestamp, now
	} else {
		f.lastTS += f.step(now)
		f.lastTSAt = now
		seg.timestamp = f.lastTS - p.Timestamp
	}
	seg.frame, seg.picture, seg.tl0 = f.counters.next(p)
	seg.firstOut = f.lastOut + 1
	f.segments.push(seg)
	f.current, f.next = p.Source, 0
	f.firstIn, f.highestIn = p.Seq, p.Seq
	f.reserve(seg.firstOut)
	f.mark(seg.firstOut)
	d := decision(p, &seg, seg.firstOut)
	d.Started = true
	f.counters.note(p, &d)
	return d
}

// step is how far the timestamp moves at a switch: by the time since it last moved,
// but always forward.
func (f *Forwarder) step(now time.Time) uint32 {
	elapsed := now.Sub(f.lastTSAt)
	// Seconds and the rest apart: their product with the clock rate fits 63 bits.
	ticks := int64(elapsed/time.Second)*f.clockRate +
		int64(elapsed%time.Second)*f.clockRate/int64(time.Second)
	return uint32(min(max(ticks, 1), maxStep))
}

// newest handles a packet ahead of all others of the current source.
func (f *Forwarder) newest(p *Packet, now time.Time) Decision {
	seg := f.segments.newest()
	out := seg.out(p.Seq)
	f.highestIn = p.Seq
	if p.Padding {
		// The numbers before it stay free for packets that may still come; its own goes to
		// the next packet.
		f.reserve(out - 1)
		if seg.firstIn == p.Seq { // nothing was sent since the padding before
			seg.firstIn++
		} else {
			next := *seg
			next.firstIn, next.firstOut = p.Seq+1, out
			f.segments.push(next)
		}
		return Decision{Verdict: PaddingOnly}
	}
	f.reserve(out)
	f.mark(out)
	return f.sending(p, seg, out, now)
}

// late handles a packet that is not ahead of all others: reordered, recovered or repeated.
func (f *Forwarder) late(p *Packet, now time.Time) Decision {
	if p.Seq < f.firstIn {
		return Decision{Verdict: TooOld}
	}
	seg, end := f.segments.incoming(p.Seq)
	if seg == nil {
		return Decision{Verdict: TooOld}
	}
	out := seg.out(p.Seq)
	switch {
	case end != 0 && out >= end:
		return Decision{Verdict: Repeat} // padding whose gap was closed
	case out <= f.lastOut-Window:
		return Decision{Verdict: TooOld}
	case f.marked(out):
		return Decision{Verdict: Repeat}
	}
	// Late padding is sent too, without its padding: a number was kept free for it, and
	// the receiver would ask for it again and again.
	f.mark(out)
	return f.sending(p, seg, out, now)
}

// sending is the decision for a packet of a run under way.
func (f *Forwarder) sending(p *Packet, seg *segment, out seqnum.Full, now time.Time) Decision {
	d := decision(p, seg, out)
	if int32(d.Timestamp-f.lastTS) > 0 {
		f.lastTS, f.lastTSAt = d.Timestamp, now
	}
	f.counters.note(p, &d)
	return d
}

func decision(p *Packet, seg *segment, out seqnum.Full) Decision {
	return Decision{
		Seq:           out,
		Timestamp:     p.Timestamp + seg.timestamp,
		Frame:         p.Frame + seg.frame,
		PictureOffset: seg.picture,
		TL0Offset:     seg.tl0,
	}
}

// Origin says which packet an outgoing number stands for, to answer a NACK. It
// returns false for numbers not used yet or too far back. The number may have been
// kept free for a packet that never came through: the packet cache knows.
func (f *Forwarder) Origin(wire uint16) (Origin, bool) {
	if !f.started {
		return Origin{}, false
	}
	out := seqnum.Near(f.lastOut, wire)
	if out > f.lastOut || out <= f.lastOut-Window {
		return Origin{}, false
	}
	seg := f.segments.outgoing(out)
	if seg == nil {
		return Origin{}, false
	}
	return Origin{
		Source: seg.source, Seq: seg.in(out), Out: out,
		TimestampOffset: seg.timestamp, FrameOffset: seg.frame,
		PictureOffset: seg.picture, TL0Offset: seg.tl0,
	}, true
}

// TimestampOffset is what to add to a timestamp of the current source to get the
// slot's, to translate a sender report. It returns false while nothing is forwarded.
func (f *Forwarder) TimestampOffset() (Source, uint32, bool) {
	if f.current == 0 {
		return 0, 0, false
	}
	return f.current, f.segments.newest().timestamp, true
}

// LastOut is the newest number sent or kept free, zero before the first packet.
func (f *Forwarder) LastOut() seqnum.Full {
	if !f.started {
		return 0
	}
	return f.lastOut
}

// reserve moves lastOut up to out; the numbers it passes are free until marked.
func (f *Forwarder) reserve(out seqnum.Full) {
	for n := f.lastOut + 1; n <= out; n++ {
		f.sent[n%Window/64] &^= 1 << (n % 64)
	}
	f.lastOut = max(f.lastOut, out)
}

func (f *Forwarder) mark(out seqnum.Full) { f.sent[out%Window/64] |= 1 << (out % 64) }

func (f *Forwarder) marked(out seqnum.Full) bool {
	return f.sent[out%Window/64]&(1<<(out%64)) != 0
}
