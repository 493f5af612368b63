package forward_test

import (
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	alice forward.Source = 1
	bob   forward.Source = 2
)

// video packets of one source, 3000 ticks a frame, one packet a frame.
func pkt(s forward.Source, seq seqnum.Full) *forward.Packet {
	return &forward.Packet{Source: s, Seq: seq, Timestamp: uint32(seq) * 3000}
}

func key(s forward.Source, seq seqnum.Full) *forward.Packet {
	p := pkt(s, seq)
	p.Key = true
	return p
}

func padding(s forward.Source, seq seqnum.Full) *forward.Packet {
	p := pkt(s, seq)
	p.Padding = true
	return p
}

func want(t *testing.T, got forward.Decision, verdict forward.Verdict) forward.Decision {
	t.Helper()
	if got.Verdict != verdict {
		t.Fatalf("verdict %v, want %v", got.Verdict, verdict)
	}
	return got
}

// started is a video slot that shows alice from 70000 on, and the number of that packet.
func started(t *testing.T) (*forward.Forwarder, seqnum.Full) {
	t.Helper()
	f := forward.NewVideo(90000)
	f.Bind(alice, 0)
	d := want(t, f.Forward(key(alice, 70000), epoch), forward.Send)
	if !d.Started {
		t.Fatal("the first packet does not say Started")
	}
	return f, d.Seq
}

func TestStartsAtAKeyFrame(t *testing.T) {
	f := forward.NewVideo(90000)
	want(t, f.Forward(key(alice, 69990), epoch), forward.NotBound)
	f.Bind(alice, 69995)
	if f.Awaited() != alice || f.Current() != 0 || f.LastOut() != 0 {
		t.Errorf("awaited %d, current %d", f.Awaited(), f.Current())
	}
	want(t, f.Forward(key(alice, 69995), epoch), forward.TooOld) // the repeat of an old key frame
	want(t, f.Forward(pkt(alice, 69996), epoch), forward.AwaitingKey)
	want(t, f.Forward(padding(alice, 69997), epoch), forward.PaddingOnly)
	want(t, f.Forward(key(bob, 70000), epoch), forward.NotBound)
	d := want(t, f.Forward(key(alice, 70000), epoch), forward.Send)
	if d.Seq.Wire() >= 1<<15 {
		t.Errorf("starts at %d, where a rollover is near", d.Seq.Wire())
	}
	if f.Awaited() != 0 || f.Current() != alice {
		t.Errorf("awaited %d, current %d", f.Awaited(), f.Current())
	}
	want(t, f.Forward(pkt(alice, 69999), epoch), forward.TooOld)
	next := want(t, f.Forward(pkt(alice, 70001), epoch), forward.Send)
	if next.Seq != d.Seq+1 || next.Started || next.Timestamp != d.Timestamp+3000 {
		t.Errorf("next: %+v after %+v", next, d)
	}
	want(t, f.Forward(&forward.Packet{}, epoch), forward.NotBound)
}

func TestAudioStartsAtOnce(t *testing.T) {
	f := forward.NewAudio(48000)
	f.Bind(alice, 0)
	if d := want(t, f.Forward(pkt(alice, 70000), epoch), forward.Send); !d.Started {
		t.Error("the first packet does not say Started")
	}
	want(t, f.Forward(pkt(alice, 69999), epoch), forward.TooOld)
}

func TestGapsStayUntilRecovered(t *testing.T) {
	f, first := started(t)
	d := want(t, f.Forward(pkt(alice, 70003), epoch), forward.Send)
	if d.Seq != first+3 {
		t.Fatalf("after a gap of two: %d, want %d", d.Seq, first+3)
	}
	for _, seq := range []seqnum.Full{70002, 70001} {
		if d := want(t, f.Forward(pkt(alice, seq), epoch), forward.Send); d.Seq != first+seq-70000 || d.Timestamp != uint32(seq)*3000 {
			t.Errorf("recovered %d as %+v", seq, d)
		}
		want(t, f.Forward(pkt(alice, seq), epoch), forward.Repeat)
	}
	want(t, f.Forward(pkt(alice, 70003), epoch), forward.Repeat)
	want(t, f.Forward(key(alice, 70000), epoch), forward.Repeat)
}

func TestPaddingLeavesNoGap(t *testing.T) {
	f, first := started(t)
	want(t, f.Forward(padding(alice, 70001), epoch), forward.PaddingOnly)
	want(t, f.Forward(padding(alice, 70002), epoch), forward.PaddingOnly)
	if d := want(t, f.Forward(pkt(alice, 70003), epoch), forward.Send); d.Seq != first+1 {
		t.Errorf("after padding: %d, want %d", d.Seq, first+1)
	}
	// A gap with padding behind it: the gap stays, the padding does not.
	want(t, f.Forward(padding(alice, 70006), epoch), forward.PaddingOnly)
	if got := f.LastOut(); got != first+3 {
		t.Errorf("last number %d, want %d", got, first+3)
	}
	if d := want(t, f.Forward(pkt(alice, 70007), epoch), forward.Send); d.Seq != first+4 {
		t.Errorf("after the gap and padding: %d, want %d", d.Seq, first+4)
	}
	if d := want(t, f.Forward(pkt(alice, 70004), epoch), forward.Send); d.Seq != first+2 {
		t.Errorf("recovered: %d, want %d", d.Seq, first+2)
	}
	// Late padding fills the number kept free for it.
	if d := want(t, f.Forward(padding(alice, 70005), epoch), forward.Send); d.Seq != first+3 {
		t.Errorf("late padding: %d, want %d", d.Seq, first+3)
	}
	// Repeats of padding whose gap was closed must not take another's number.
	for _, seq := range []seqnum.Full{70001, 70002, 70006} {
		want(t, f.Forward(padding(alice, seq), epoch), forward.Repeat)
	}
}

func TestSwitch(t *testing.T) {
	f, first := started(t)
	f.Bind(bob, 500)
	want(t, f.Forward(pkt(alice, 70001), epoch), forward.NotBound) // stops at once
	want(t, f.Forward(pkt(bob, 600), epoch), forward.AwaitingKey)
	now := epoch.Add(2 * time.Second)
	d := want(t, f.Forward(key(bob, 601), now), forward.Send)
	if d.Seq != first+1 || !d.Started {
		t.Errorf("first of bob: %+v, want number %d", d, first+1)
	}
	if want := uint32(70000)*3000 + 2*90000; d.Timestamp != want {
		t.Errorf("timestamp %d, want %d: two seconds on", d.Timestamp, want)
	}
	src, offset, ok := f.TimestampOffset()
	if !ok || src != bob || uint32(601)*3000+offset != d.Timestamp {
		t.Errorf("TimestampOffset = %d, %d, %v", src, offset, ok)
	}
	want(t, f.Forward(pkt(bob, 600), now), forward.TooOld)
	want(t, f.Forward(pkt(alice, 70002), now), forward.NotBound)

	// Back to alice: what she sent before stays behind.
	f.Bind(alice, 70010)
	d = want(t, f.Forward(key(alice, 70011), now), forward.Send)
	if d.Seq != first+2 || d.Timestamp != uint32(70000)*3000+2*90000+1 {
		t.Errorf("back to alice within the same instant: %+v", d)
	}
	want(t, f.Forward(pkt(alice, 70005), now), forward.TooOld)
}

func TestMoveKeepsTheOldUntilTheNewStarts(t *testing.T) {
	f, first := started(t)
	f.Move(bob, 0)
	if d := want(t, f.Forward(pkt(alice, 70001), epoch), forward.Send); d.Seq != first+1 {
		t.Errorf("number %d", d.Seq)
	}
	want(t, f.Forward(pkt(bob, 1000), epoch), forward.AwaitingKey)
	if d := want(t, f.Forward(key(bob, 1001), epoch), forward.Send); d.Seq != first+2 {
		t.Errorf("number %d", d.Seq)
	}
	want(t, f.Forward(pkt(alice, 70002), epoch), forward.NotBound)
}

func TestBindingAgainChangesNothing(t *testing.T) {
	f, first := started(t)
	f.Move(bob, 0)
	f.Bind(alice, 80000)
	if f.Awaited() != 0 {
		t.Error("bob is still awaited")
	}
	if d := want(t, f.Forward(pkt(alice, 70001), epoch), forward.Send); d.Seq != first+1 {
		t.Errorf("number %d", d.Seq)
	}
	f.Bind(bob, 10)
	f.Bind(bob, 99999) // the floor stays
	want(t, f.Forward(key(bob, 20), epoch), forward.Send)
	f.Move(bob, 0)
	f.Unbind()
	want(t, f.Forward(key(bob, 21), epoch), forward.NotBound)
	if _, _, ok := f.TimestampOffset(); ok {
		t.Error("an offset without a source")
	}
}

func TestHugeGapStartsAfresh(t *testing.T) {
	f, first := started(t)
	want(t, f.Forward(pkt(alice, 70000+forward.MaxGap), epoch), forward.Send)
	last := f.LastOut()
	if last != first+forward.MaxGap {
		t.Fatalf("last number %d", last)
	}
	seq := seqnum.Full(70000 + 2*forward.MaxGap + 1)
	want(t, f.Forward(pkt(alice, seq), epoch), forward.AwaitingKey)
	if f.Current() != 0 || f.Awaited() != alice {
		t.Error("no key frame is awaited")
	}
	want(t, f.Forward(key(alice, 70000), epoch), forward.TooOld)
	if d := want(t, f.Forward(key(alice, seq+1), epoch), forward.Send); d.Seq != last+1 || !d.Started {
		t.Errorf("afresh: %+v, want number %d", d, last+1)
	}

	a := forward.NewAudio(48000)
	a.Bind(alice, 0)
	d1 := want(t, a.Forward(pkt(alice, 70000), epoch), forward.Send)
	d2 := want(t, a.Forward(pkt(alice, 150000), epoch), forward.Send)
	if d2.Seq != d1.Seq+1 || !d2.Started {
		t.Errorf("audio afresh: %+v after %+v", d2, d1)
	}

	// While moving to another layer, a huge gap does not bring the old one back.
	f.Move(bob, 0)
	want(t, f.Forward(key(alice, seq+5000), epoch), forward.NotBound)
	if f.Awaited() != bob {
		t.Errorf("awaited %d", f.Awaited())
	}
}

func TestTimestampNeverLooksBackwards(t *testing.T) {
	for _, idle := range []time.Duration{0, -time.Second, time.Microsecond, time.Hour, 24 * time.Hour, 1000 * time.Hour, 1 << 62} {
		f, _ := started(t)
		before := uint32(70000) * 3000
		f.Bind(bob, 0)
		d := want(t, f.Forward(key(bob, 1), epoch.Add(idle)), forward.Send)
		if step := int32(d.Timestamp - before); step <= 0 {
			t.Errorf("idle for %v: timestamp steps by %d", idle, step)
		}
	}
}

func TestFrameNumbersContinue(t *testing.T) {
	numbered := func(p *forward.Packet, frame uint16) *forward.Packet {
		p.HasFrame, p.Frame = true, frame
		return p
	}
	f := forward.NewVideo(90000)
	f.Bind(alice, 0)
	if d := f.Forward(numbered(key(alice, 100), 65534), epoch); d.Frame != 65534 {
		t.Errorf("first frame %d", d.Frame)
	}
	f.Forward(numbered(pkt(alice, 102), 0), epoch)
	if d := f.Forward(numbered(pkt(alice, 101), 65535), epoch); d.Frame != 65535 {
		t.Errorf("late frame %d", d.Frame)
	}
	f.Bind(bob, 0)
	if d := f.Forward(numbered(key(bob, 7), 40000), epoch); d.Frame != 1 {
		t.Errorf("first frame of bob %d, want 1", d.Frame)
	}
	if d := f.Forward(numbered(pkt(bob, 8), 40001), epoch); d.Frame != 2 {
		t.Errorf("second frame of bob %d, want 2", d.Frame)
	}
	if o, ok := f.Origin(f.LastOut().Wire()); !ok || 40001+o.FrameOffset != 2 {
		t.Errorf("origin %+v", o)
	}
}

func TestPayloadCountersContinue(t *testing.T) {
	counted := func(p *forward.Packet, picture uint16, tl0 uint8) *forward.Packet {
		p.HasPicture, p.Picture, p.HasTL0, p.TL0 = true, picture, true, tl0
		return p
	}
	f := forward.NewVideo(90000)
	f.Bind(alice, 0)
	if d := f.Forward(counted(key(alice, 100), 0x7FFE, 254), epoch); d.PictureOffset != 0 || d.TL0Offset != 0 {
		t.Errorf("the first source is shifted: %+v", d)
	}
	f.Forward(counted(pkt(alice, 102), 0, 0), epoch) // both rolled over
	f.Forward(counted(pkt(alice, 101), 0x7FFF, 255), epoch)
	f.Bind(bob, 0)
	d := f.Forward(counted(key(bob, 7), 500, 7), epoch)
	if picture, tl0 := (500+d.PictureOffset)&0x7FFF, 7+d.TL0Offset; picture != 1 || tl0 != 1 {
		t.Errorf("first of bob: picture %d, TL0PICIDX %d, want 1 and 1", picture, tl0)
	}
	o, ok := f.Origin(d.Seq.Wire())
	if !ok || o.PictureOffset != d.PictureOffset || o.TL0Offset != d.TL0Offset {
		t.Errorf("asked for again: %+v, first %+v", o, d)
	}
	// A source without counters in between does not reset them.
	f.Bind(alice, 200)
	if d := f.Forward(key(alice, 201), epoch); d.PictureOffset != 0 || d.TL0Offset != 0 {
		t.Errorf("without counters: %+v", d)
	}
	f.Bind(bob, 10)
	d = f.Forward(counted(key(bob, 11), 600, 9), epoch)
	if picture, tl0 := (600+d.PictureOffset)&0x7FFF, 9+d.TL0Offset; picture != 2 || tl0 != 2 {
		t.Errorf("back to bob: picture %d, TL0PICIDX %d, want 2 and 2", picture, tl0)
	}
}

func TestOrigin(t *testing.T) {
	f := forward.NewVideo(90000)
	if _, ok := f.Origin(0); ok {
		t.Error("an origin before the first packet")
	}
	f, first := started(t)
	f.Forward(pkt(alice, 70002), epoch) // 70001 is missing
	f.Forward(padding(alice, 70003), epoch)
	f.Forward(pkt(alice, 70004), epoch)
	f.Bind(bob, 0)
	d := f.Forward(key(bob, 500), epoch)
	for out, want := range map[seqnum.Full]forward.Origin{
		first:     {Source: alice, Seq: 70000},
		first + 1: {Source: alice, Seq: 70001}, // kept free: the cache may have it by now
		first + 2: {Source: alice, Seq: 70002},
		first + 3: {Source: alice, Seq: 70004},
		first + 4: {Source: bob, Seq: 500, TimestampOffset: d.Timestamp - 500*3000},
	} {
		want.Out = out
		if got, ok := f.Origin(out.Wire()); !ok || got != want {
			t.Errorf("Origin(%d) = %+v, %v, want %+v", out, got, ok, want)
		}
	}
	for _, out := range []seqnum.Full{first - 1, first + 5, first + 30000, first - 30000} {
		if o, ok := f.Origin(out.Wire()); ok {
			t.Errorf("Origin(%d) = %+v", out, o)
		}
	}
	f.Unbind()
	if _, ok := f.Origin(first.Wire()); !ok {
		t.Error("a slot without a source forgot what it sent")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	f, first := started(t)
	f.Forward(pkt(alice, 70002), epoch)
	// So many runs of padding that the first segment is forgotten.
	seq := seqnum.Full(70003)
	for range 40 {
		f.Forward(padding(alice, seq), epoch)
		f.Forward(pkt(alice, seq+1), epoch)
		seq += 2
	}
	want(t, f.Forward(pkt(alice, 70001), epoch), forward.TooOld)
	if _, ok := f.Origin(first.Wire()); ok {
		t.Error("the origin of a forgotten number")
	}
	// And so far on that the window has passed.
	g, _ := started(t)
	for n := seqnum.Full(70002); n < 70002+forward.Window; n++ {
		g.Forward(pkt(alice, n), epoch)
	}
	want(t, g.Forward(pkt(alice, 70001), epoch), forward.TooOld)
}

func TestVerdictNames(t *testing.T) {
	seen := map[string]bool{}
	for v := forward.Send; v <= forward.PaddingOnly; v++ {
		if s := v.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("verdict %d is called %q", v, s)
		} else {
			seen[s] = true
		}
	}
	if forward.Verdict(99).String() != "unknown" {
		t.Error("an unknown verdict has a name")
	}
}

func TestNoAllocations(t *testing.T) {
	f := forward.NewVideo(90000)
	f.Bind(alice, 0)
	f.Forward(key(alice, 70000), epoch)
	p := forward.Packet{Source: alice, Seq: 70000, HasFrame: true}
	if n := testing.AllocsPerRun(5000, func() {
		p.Seq++
		p.Timestamp += 3000
		p.Padding = p.Seq%7 == 0
		f.Forward(&p, epoch)
		f.Forward(&p, epoch)
		f.Origin(f.LastOut().Wire() - 3)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkForward(b *testing.B) {
	f := forward.NewVideo(90000)
	f.Bind(alice, 0)
	f.Forward(key(alice, 70000), epoch)
	p := forward.Packet{Source: alice, Seq: 70000}
	b.ReportAllocs()
	for b.Loop() {
		p.Seq++
		p.Timestamp += 3000
		if d := f.Forward(&p, epoch); d.Verdict != forward.Send {
			b.Fatal(d.Verdict)
		}
	}
}

func BenchmarkOrigin(b *testing.B) {
	f := forward.NewVideo(90000)
	f.Bind(alice, 0)
	f.Forward(key(alice, 70000), epoch)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := f.Origin(f.LastOut().Wire()); !ok {
			b.Fatal("gone")
		}
	}
}
