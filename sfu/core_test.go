package sfu

import (
	"fmt"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// TestIntroduction: an SSRC the offer did not name introduces itself by its mid, its RTX
// stream likewise; others are dropped.
func TestIntroduction(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	stranger := vp8(t, 2, 11, true)
	stranger[0] &^= 0x10 // without extensions: payload and mid are both garbage now
	pub.RTP(stranger)
	pub.RTP(rtx(t, 3, 500, vp8(t, 1, 12, false))) // ahead of the stream
	pub.RTP(vp8(t, 1, 12, false))                 // and now by itself
	pub.RTP(rtx(t, 3, 501, vp8(t, 1, 11, false))) // behind it
	pub.RTP(rtx(t, 3, 502, vp8(t, 1, 11, false))) // unasked, again
	got := sc.sent(t)
	if len(got) != 3 {
		t.Fatalf("%d packets forwarded, want 10, 12 and 11", len(got))
	}
	for i, wantSeq := range []uint16{10, 12, 11} {
		if d := got[i].SequenceNumber - got[0].SequenceNumber; d != wantSeq-10 {
			t.Errorf("packet %d is numbered %d after the first", wantSeq, d)
		}
		if string(got[i].Payload[2:]) != fmt.Sprintf("frame %d", wantSeq) {
			t.Errorf("packet %d has payload %q", wantSeq, got[i].Payload)
		}
		if got[i].SSRC == 1 || got[i].PayloadType != subVP8 || !got[i].Marker {
			t.Errorf("packet %d: %+v", wantSeq, got[i].Header)
		}
	}
	st := pub.call.sfu.Stats()
	if st.Dropped[DropUnknownStream] != 1 || st.Dropped[DropRepeat] != 2 || st.Recovered != 2 {
		t.Errorf("dropped %v, recovered %d", st.Dropped, st.Recovered)
	}
}

// TestProbe: RTX packets without an original inside are bandwidth probes.
func TestProbe(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	probe := &rtp.Packet{
		Header:      rtp.Header{Version: 2, SSRC: 3, PayloadType: pubVP8RTX, Padding: true},
		PaddingSize: 200,
	}
	if err := probe.SetExtension(pubMIDExt, []byte("p-camera")); err != nil {
		t.Fatal(err)
	}
	b, err := probe.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	pub.RTP(b)
	if got := sc.sent(t); len(got) != 1 {
		t.Errorf("%d packets forwarded", len(got))
	}
	if n := pub.call.sfu.Stats().Dropped[DropPadding]; n != 1 {
		t.Errorf("%d probes counted", n)
	}
}

// TestReplacedStream: a publisher whose encoder starts again with another SSRC goes on in the same
// slot; late packets of the old stream are dropped.
func TestReplacedStream(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	pub.RTP(vp8(t, 1, 11, false))
	pub.RTP(vp8(t, 2, 60000, false)) // not a place to start
	pub.RTP(vp8(t, 2, 60001, true))
	pub.RTP(vp8(t, 1, 12, false))
	pub.RTP(vp8(t, 2, 60002, false))
	got := numbers(sc.sent(t))
	if len(got) != 4 || got[3]-got[0] != 3 {
		t.Errorf("numbers %v, want four in a row", got)
	}
	st := pub.call.sfu.Stats()
	if st.Dropped[DropReplaced] != 1 || st.Dropped[DropAwaitingKey] != 1 {
		t.Errorf("dropped %v", st.Dropped)
	}
}

// TestStreamsAreLetGo: a publisher that begins one stream after the other makes us keep the
// packets of one, not of all.
func TestStreamsAreLetGo(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	const streams = 50
	for ssrc := uint32(1); ssrc <= streams; ssrc++ {
		pub.RTP(vp8(t, ssrc, 10, true))
	}
	if n := len(sc.sent(t)); n != streams {
		t.Fatalf("%d packets forwarded, want %d", n, streams)
	}
	pub.in.mu.Lock()
	defer pub.in.mu.Unlock()
	kept := 0
	for _, st := range pub.in.streams {
		if st.layer != nil {
			kept++
		}
	}
	if len(pub.in.streams) < streams || kept != 1 {
		t.Errorf("%d of %d streams keep their packets, want the newest alone", kept, len(pub.in.streams))
	}
}

// TestConnecting: nothing is forwarded to a subscriber whose connection is not up, and it
// starts with a key frame when it is; also if the very first packet could not be sent.
func TestConnecting(t *testing.T) {
	pub, sub, pc, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, false))
	asked := pc.plis()
	subscribe(t, sub)
	sub.State(transport.Failed)
	subscribe(t, sub, cameraOf(pub))
	pub.RTP(vp8(t, 1, 11, true))
	if n := len(sc.sent(t)); n != 0 || pc.plis() != asked {
		t.Fatalf("%d packets sent, %d key frames asked for, without a connection", n, pc.plis()-asked)
	}
	sc.setFail(transport.ErrNotConnected)
	sub.State(transport.Connected)
	pub.RTP(vp8(t, 1, 12, true)) // gets lost
	sc.setFail(nil)
	pub.RTP(vp8(t, 1, 13, false))
	if n := len(sc.sent(t)); n != 0 {
		t.Fatalf("%d packets sent without a key frame", n)
	}
	pub.RTP(vp8(t, 1, 14, true))
	if n := len(sc.sent(t)); n != 1 {
		t.Errorf("%d packets sent, want the key frame", n)
	}
	if pub.call.sfu.Stats().Dropped[DropNotConnected] != 1 {
		t.Error("not counted")
	}
}

// TestReconnect: after an outage a slot goes on with a key frame, numbered right after the last packet.
func TestReconnect(t *testing.T) {
	pub, sub, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	sub.State(transport.Failed)
	for seq := range uint16(300) {
		pub.RTP(vp8(t, 1, 11+seq, seq == 100))
	}
	sub.State(transport.Connected)
	pub.RTP(vp8(t, 1, 311, false))
	pub.RTP(vp8(t, 1, 312, true))
	got := numbers(sc.sent(t))
	if len(got) != 2 || got[1]-got[0] != 1 {
		t.Errorf("numbers %v, want two in a row", got)
	}
}

// TestNobodyAsked: without a subscription nothing is forwarded, and nobody is asked for key frames.
func TestNobodyAsked(t *testing.T) {
	pub, sub, pc, sc := watching(t, &fakeFactory{})
	subscribe(t, sub)
	pub.RTP(vp8(t, 1, 10, true))
	pub.RTP(vp8(t, 1, 11, false))
	if got := sc.sent(t); len(got) != 0 || pc.plis() != 0 {
		t.Errorf("%d packets forwarded, %d key frames asked for", len(got), pc.plis())
	}
}

// TestKeyFrameCadence: the publisher is asked at once, then every 450 ms until a key frame comes, and
// only as long as somebody waits.
func TestKeyFrameCadence(t *testing.T) {
	pub, sub, pc, _ := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, false))
	pub.RTP(vp8(t, 1, 11, false))
	if n := pc.plis(); n != 1 {
		t.Fatalf("%d requests after the first packets, want 1", n)
	}
	start := time.Now()
	for ms := 0; ms <= 2000; ms += 10 {
		pub.tick(start.Add(time.Duration(ms) * time.Millisecond))
	}
	if n := pc.plis(); n != 5 {
		t.Errorf("%d requests in two seconds, want 5", n)
	}
	subscribe(t, sub) // nobody waits any more
	pub.tick(start.Add(time.Minute))
	if n := pc.plis(); n != 5 {
		t.Error("asked on though nobody waits")
	}
	subscribe(t, sub, cameraOf(pub))
	pub.tick(start.Add(2 * time.Minute))
	n := pc.plis()
	if n != 6 {
		t.Errorf("%d requests after subscribing again, want 6", n)
	}
	pub.RTP(vp8(t, 1, 12, true))
	pub.tick(start.Add(3 * time.Minute))
	if pc.plis() != n {
		t.Error("asked on though a key frame came")
	}
}

// TestAssign binds sources to slots.
func TestAssign(t *testing.T) {
	s := newCore(t, &fakeFactory{})
	a, _ := add(t, s, "a", 0)
	b, _ := add(t, s, "b", 0)
	c, _ := add(t, s, "c", 0)
	me, _ := add(t, s, "me", 2)
	want := func(p *Peer, src protocol.Source) protocol.Want {
		return protocol.Want{Participant: p.id, Source: src}
	}
	for i, step := range []struct {
		wants []protocol.Want
		got   string
	}{
		{[]protocol.Want{want(a, "camera"), want(a, "mic")}, "a0=a/mic v0=a/camera"},
		{[]protocol.Want{want(b, "mic"), want(a, "mic"), want(b, "camera"), want(a, "camera")}, "a0=a/mic a1=b/mic v0=a/camera v1=b/camera"},
		// What is gone frees its slot, what stays does not move, partners meet.
		{[]protocol.Want{want(b, "camera"), want(c, "mic"), want(c, "camera"), want(b, "mic")}, "a0=c/mic a1=b/mic v0=c/camera v1=b/camera"},
		// Too many: the most wanted are taken, and what was shown has to go.
		{[]protocol.Want{want(c, "screen"), want(a, "camera"), want(b, "camera")}, "v0=c/screen v1=a/camera"},
		// Nobody, nothing, oneself, twice.
		{[]protocol.Want{want(me, "mic"), {Participant: "x", Source: "mic"}, want(a, "mic"), want(a, "mic")}, "a0=a/mic"},
		{nil, ""},
		// Alone: leaves room for its partner.
		{[]protocol.Want{want(a, "mic"), want(b, "camera")}, "a0=a/mic v1=b/camera"},
		{[]protocol.Want{want(b, "camera"), want(b, "mic"), want(a, "mic"), want(a, "camera")}, "a0=a/mic a1=b/mic v0=a/camera v1=b/camera"},
	} {
		list := ""
		for _, b := range subscribe(t, me, step.wants...) {
			list += fmt.Sprintf(" %s=%s/%s", b.Mid, b.Participant, b.Source)
		}
		if list = list[min(1, len(list)):]; list != step.got {
			t.Errorf("step %d: %q, want %q", i, list, step.got)
		}
	}
}
