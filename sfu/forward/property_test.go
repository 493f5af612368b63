package forward_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

// world is a few publishers, a network that delays, loses, repeats and recovers, and
// one slot. It checks after each step what a receiver of the slot relies on.
type world struct {
	t        *rapid.T
	f        *forward.Forwarder
	video    bool
	now      time.Time
	sources  []*publisherSim
	received map[forward.Source]seqnum.Full // newest number offered to the slot

	sent     map[seqnum.Full]sentPacket
	bySource map[origin]seqnum.Full
	offered  map[origin]bool // offered after the start of the run under way
	run      []seqnum.Full   // numbers sent since the last start, in order of sending
	runIn    map[seqnum.Full]seqnum.Full
	runStart seqnum.Full
	lastTS   uint32
	frame    uint16 // newest sent, as the next two
	picture  uint16
	tl0      uint8
	anySent  bool
	segments int // upper bound of rewriting changes
}

type origin struct {
	source forward.Source
	seq    seqnum.Full
}

type sentPacket struct {
	origin
	timestamp uint32
	in        forward.Packet
	segments  int // changes so far
}

type publisherSim struct {
	source  forward.Source
	seq     seqnum.Full
	ts      uint32
	frame   uint16
	pending []forward.Packet // sent, not arrived
	gone    []forward.Packet // arrived or lost: may come (again)
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, now: epoch, received: map[forward.Source]seqnum.Full{},
		sent: map[seqnum.Full]sentPacket{}, bySource: map[origin]seqnum.Full{},
		offered: map[origin]bool{}, runIn: map[seqnum.Full]seqnum.Full{},
	}
	w.video = rapid.Bool().Draw(t, "video")
	if w.video {
		w.f = forward.NewVideo(90000)
	} else {
		w.f = forward.NewAudio(48000)
	}
	for i := range 3 {
		w.sources = append(w.sources, &publisherSim{
			source: forward.Source(i + 1),
			seq:    seqnum.Full(rapid.IntRange(65536, 140000).Draw(t, "seq")),
			ts:     rapid.Uint32().Draw(t, "ts"),
			frame:  rapid.Uint16().Draw(t, "frame"),
		})
	}
	return w
}

func (w *world) publisher() *publisherSim {
	return w.sources[rapid.IntRange(0, len(w.sources)-1).Draw(w.t, "publisher")]
}

// publish makes the next packet of somebody.
func (w *world) publish() {
	p := w.publisher()
	p.seq++
	kind := rapid.IntRange(0, 9).Draw(w.t, "kind")
	if kind < 6 { // a new frame
		p.ts += 3000
		p.frame++
	}
	p.pending = append(p.pending, forward.Packet{
		Source: p.source, Seq: p.seq, Timestamp: p.ts, Frame: p.frame, HasFrame: true,
		HasPicture: true, Picture: (p.frame + 77) & 0x7FFF, HasTL0: true, TL0: uint8(p.frame * 3),
		Key: kind < 2, Padding: kind == 9,
	})
}

// arrive delivers, loses or repeats a packet.
func (w *world) arrive() {
	p := w.publisher()
	if len(p.pending) > 0 && rapid.IntRange(0, 3).Draw(w.t, "new") > 0 {
		i := 0
		if rapid.Bool().Draw(w.t, "reorder") {
			i = rapid.IntRange(0, len(p.pending)-1).Draw(w.t, "index")
		}
		pkt := p.pending[i]
		p.pending = append(p.pending[:i:i], p.pending[i+1:]...)
		p.gone = append(p.gone, pkt)
		if rapid.IntRange(0, 9).Draw(w.t, "loss") > 0 {
			w.offer(pkt)
		}
	} else if len(p.gone) > 0 { // a repeat, or a recovery
		w.offer(p.gone[rapid.IntRange(0, len(p.gone)-1).Draw(w.t, "again")])
	}
}

func (w *world) rebind() {
	p := w.publisher()
	switch rapid.IntRange(0, 4).Draw(w.t, "how") {
	case 0:
		w.f.Unbind()
	case 1:
		w.f.Move(p.source, w.received[p.source])
	default:
		w.f.Bind(p.source, w.received[p.source])
	}
}

func (w *world) wait() {
	w.now = w.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(w.t, "ms")) * time.Millisecond)
}

func (w *world) offer(p forward.Packet) {
	o := origin{p.Source, p.Seq}
	newest := p.Seq > w.received[p.Source]
	w.received[p.Source] = max(w.received[p.Source], p.Seq)
	before := w.f.Current()
	d := w.f.Forward(&p, w.now)
	if p.Padding {
		w.segments++
	}
	if d.Started {
		w.segments++
	}
	if d.Started {
		w.runStart = p.Seq
	}
	if w.f.Current() == p.Source && (before == p.Source || d.Started) && p.Seq >= w.runStart {
		w.offered[o] = true
	}
	if d.Verdict != forward.Send {
		if d.Verdict == forward.PaddingOnly && !p.Padding {
			w.t.Fatalf("media dropped as padding: %+v", p)
		}
		if d.Verdict == forward.AwaitingKey && (!w.video || w.f.Awaited() != p.Source) {
			w.t.Fatalf("awaits a key frame, but not of %+v", p)
		}
		if d.Verdict == forward.Repeat && newest {
			w.t.Fatalf("news dropped as a repeat: %+v", p)
		}
		return
	}
	w.check(p, d)
}

// check holds a packet that is to be sent against everything sent before.
func (w *world) check(p forward.Packet, d forward.Decision) {
	t, o := w.t, origin{p.Source, p.Seq}
	picture, tl0 := (p.Picture+d.PictureOffset)&0x7FFF, p.TL0+d.TL0Offset
	if old, ok := w.sent[d.Seq]; ok {
		t.Fatalf("number %d used for %+v and %+v", d.Seq, old.origin, o)
	}
	// One packet may go out twice only if its source was bound anew in between, which
	// the floor given to Bind forbids.
	if out, ok := w.bySource[o]; ok {
		t.Fatalf("%+v went out as %d and %d", o, out, d.Seq)
	}
	if d.Started {
		if w.video && !p.Key {
			t.Fatalf("started without a key frame: %+v", p)
		}
		if w.anySent && int32(d.Timestamp-w.lastTS) <= 0 {
			t.Fatalf("timestamp steps back by %d at a start", w.lastTS-d.Timestamp)
		}
		if next := w.frame + 1; w.anySent && d.Frame != next {
			t.Fatalf("a start with frame %d, want %d", d.Frame, next)
		}
		if next := (w.picture + 1) & 0x7FFF; w.anySent && picture != next {
			t.Fatalf("a start with picture %d, want %d", picture, next)
		}
		if next := w.tl0 + 1; w.anySent && tl0 != next {
			t.Fatalf("a start with TL0PICIDX %d, want %d", tl0, next)
		}
		for out := range w.sent {
			if out >= d.Seq {
				t.Fatalf("started at %d, %d was sent before", d.Seq, out)
			}
		}
		w.run, w.runIn = w.run[:0], map[seqnum.Full]seqnum.Full{}
	} else {
		first := w.run[0]
		if d.Seq <= first || p.Seq <= w.runIn[first] {
			t.Fatalf("%+v is from before the start", o)
		}
		if !w.anySent {
			t.Fatalf("the first packet does not say Started")
		}
	}
	// Within a run the receiver sees the publisher's order.
	for _, out := range w.run {
		if (out < d.Seq) != (w.runIn[out] < p.Seq) {
			t.Fatalf("%d→%d and %d→%d are crossed", w.runIn[out], out, p.Seq, d.Seq)
		}
		if in := w.sent[out].in; in.Timestamp-w.sent[out].timestamp != p.Timestamp-d.Timestamp {
			t.Fatalf("two timestamp offsets in one run")
		}
	}
	w.sent[d.Seq] = sentPacket{origin: o, timestamp: d.Timestamp, in: p, segments: w.segments}
	w.bySource[o] = d.Seq
	w.run = append(w.run, d.Seq)
	w.runIn[d.Seq] = p.Seq
	if !w.anySent || int32(d.Timestamp-w.lastTS) > 0 {
		w.lastTS = d.Timestamp
	}
	if !w.anySent || int16(d.Frame-w.frame) > 0 {
		w.frame, w.picture, w.tl0 = d.Frame, picture, tl0
	}
	w.anySent = true
}

// finish checks what holds at the end: NACKs lead to the right packets, and a hole
// stands for a packet that the slot was not given.
func (w *world) finish() {
	if !w.anySent {
		return
	}
	t, last := w.t, w.f.LastOut()
	first := last
	for out := range w.sent {
		first = min(first, out)
		if out > last {
			t.Fatalf("%d was sent, but the last number is %d", out, last)
		}
	}
	for out := max(first, last-forward.Window+1); out <= last; out++ {
		got, ok := w.f.Origin(out.Wire())
		s, was := w.sent[out]
		switch {
		case !ok && w.segments-s.segments < 31 && was:
			t.Fatalf("%d was sent, but its origin is forgotten", out)
		case !ok:
		case got.Out != out:
			t.Fatalf("asked for %d, told of %d", out, got.Out)
		case was && (got.Source != s.source || got.Seq != s.seq || s.in.Timestamp+got.TimestampOffset != s.timestamp):
			t.Fatalf("%d was %+v, Origin says %+v", out, s, got)
		case !was && w.offered[origin{got.Source, got.Seq}]:
			t.Fatalf("%d is a hole, though %+v was offered", out, got)
		}
	}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(10, 400).Draw(t, "steps") {
			switch n := rapid.IntRange(0, 99).Draw(t, "step"); {
			case n < 45:
				w.publish()
			case n < 90:
				w.arrive()
			case n < 95:
				w.wait()
			default:
				w.rebind()
			}
		}
		w.finish()
	})
}

// Without loss upstream, and with each packet arriving once in order, nothing
// that happens (padding, switches) leaves a hole.
func TestGaplessWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(10, 400).Draw(t, "steps") {
			w.publish()
			for _, p := range w.sources {
				for _, pkt := range p.pending {
					w.offer(pkt)
				}
				p.pending = nil
			}
			switch rapid.IntRange(0, 19).Draw(t, "event") {
			case 0:
				w.rebind()
			case 1:
				w.wait()
			}
		}
		w.finish()
		if got := len(w.sent); w.anySent {
			first := w.f.LastOut()
			for out := range w.sent {
				first = min(first, out)
			}
			if span := int(w.f.LastOut() - first + 1); span != got {
				t.Fatalf("%d packets under %d numbers", got, span)
			}
		}
	})
}

// A fuzzer may find an order of calls that no network model draws.
func FuzzForward(f *testing.F) {
	f.Add([]byte{0x80, 0x01, 0x02, 0x13, 0x24, 0x99, 0x05})
	f.Add([]byte{0x81, 0x41, 0x02, 0xC1, 0x03, 0xFF, 0x00})
	f.Fuzz(func(t *testing.T, script []byte) {
		fw := forward.NewVideo(90000)
		now := epoch
		seqs := [2]seqnum.Full{65536, 131000}
		used := map[seqnum.Full]bool{}
		for _, op := range script {
			s := forward.Source(op&1 + 1)
			switch op >> 6 {
			case 0: // the next packet
				seqs[op&1]++
			case 1: // one from the past
			case 2:
				fw.Bind(s, seqs[op&1])
				continue
			case 3:
				seqs[op&1] += seqnum.Full(op&0x3E) * 40
				now = now.Add(time.Duration(op&0x3E) * time.Second)
				fw.Move(s, seqs[op&1])
				continue
			}
			seq := seqs[op&1]
			if op>>6 == 1 {
				seq -= seqnum.Full(op >> 1 & 0x0F)
			}
			p := forward.Packet{Source: s, Seq: seq, Timestamp: uint32(seq), Key: op&0x20 != 0, Padding: op&0x1E == 0x1E}
			d := fw.Forward(&p, now)
			if d.Verdict != forward.Send {
				continue
			}
			if used[d.Seq] {
				t.Fatalf("number %d used twice", d.Seq)
			}
			used[d.Seq] = true
			o, ok := fw.Origin(d.Seq.Wire())
			if !ok || o.Source != s || o.Seq != seq || o.Out != d.Seq || p.Timestamp+o.TimestampOffset != d.Timestamp {
				t.Fatalf("sent %+v as %+v, Origin says %+v", p, d, o)
			}
		}
	})
}
