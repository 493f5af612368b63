package sfu_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/internal/testkit"
	"github.com/sotto-sfu/sotto/sfu"
	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const frame = 10 * time.Millisecond

// eventually waits for a condition that nothing signals.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestSwitch shows one person after another in one slot: to the receiver it stays one stream.
func TestSwitch(t *testing.T) {
	s := newServer(t)
	camera := []protocol.Source{protocol.SourceCamera}
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: camera})
	carol := s.join(t, "carol", testkit.ClientConfig{Publish: camera})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1, NoRepair: true})
	alice.send(t, protocol.SourceCamera, frame)
	carol.send(t, protocol.SourceCamera, frame)
	mid := bob.Slot(protocol.KindVideo, 0)
	for i, p := range []*participant{alice, carol, alice} {
		at := bob.subscribe(t, want(p, protocol.SourceCamera))
		if at[want(p, protocol.SourceCamera)] != mid {
			t.Fatalf("bindings %v, want slot %s", at, mid)
		}
		before := len(bob.Received(mid))
		bob.Wait(t, "packets of "+string(p.id), func() bool {
			all := bob.Client.Peek(mid)
			n := 0
			for _, r := range all[min(before, len(all)):] {
				if who, _, _, _ := content(r); who == string(p.id) {
					n++
				}
			}
			return n > 20
		})
		_ = i
	}
	got := bob.Received(mid)
	checkStream(t, got, true)
	who, switches := "alice", 0
	for _, r := range got {
		from, _, kind, _ := content(r)
		if from == who {
			continue
		}
		who = from
		switches++
		if kind != "key" {
			t.Errorf("%s begins with a %s frame", from, kind)
		}
	}
	if switches != 2 {
		t.Errorf("%d switches seen, want 2", switches)
	}
}

// TestLeave checks that a leaver's slot is freed and told, and goes to the next in line.
func TestLeave(t *testing.T) {
	s := newServer(t)
	mic := []protocol.Source{protocol.SourceMic}
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: mic})
	carol := s.join(t, "carol", testkit.ClientConfig{Publish: mic})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1})
	carol.send(t, protocol.SourceMic, frame)
	at := bob.subscribe(t, want(alice, protocol.SourceMic), want(carol, protocol.SourceMic))
	if len(at) != 1 || at[want(alice, protocol.SourceMic)] == "" {
		t.Fatalf("bindings %v: want the first only, for there is one slot", at)
	}
	alice.Peer.Close()
	eventually(t, "carol in the freed slot", func() bool {
		bob.ev.mu.Lock()
		defer bob.ev.mu.Unlock()
		return len(bob.ev.bindings) == 1 && bob.ev.bindings[0].Participant == "carol"
	})
	bob.awaitFrom(t, bob.Slot(protocol.KindAudio, 0), carol, protocol.SourceMic, 0)
	eventually(t, "alice being told that she is gone", func() bool {
		alice.ev.mu.Lock()
		defer alice.ev.mu.Unlock()
		return alice.ev.closed
	})
	carol.Peer.Close()
	eventually(t, "no bindings", func() bool {
		bob.ev.mu.Lock()
		defer bob.ev.mu.Unlock()
		return bob.ev.told >= 2 && len(bob.ev.bindings) == 0
	})
	// Somebody who was asked for before joining is bound on arrival.
	bob.subscribe(t, protocol.Want{Participant: "dave", Source: protocol.SourceMic})
	dave := s.join(t, "dave", testkit.ClientConfig{Publish: mic})
	dave.send(t, protocol.SourceMic, frame)
	bob.awaitFrom(t, bob.Slot(protocol.KindAudio, 0), dave, protocol.SourceMic, 0)
}

// TestMute checks that only a live source is forwarded, and starts with a key frame again.
func TestMute(t *testing.T) {
	s := newServer(t)
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: []protocol.Source{protocol.SourceCamera}})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1})
	alice.send(t, protocol.SourceCamera, frame)
	mid := bob.subscribe(t, want(alice, protocol.SourceCamera))[want(alice, protocol.SourceCamera)]
	bob.awaitFrom(t, mid, alice, protocol.SourceCamera, 10)

	alice.SetSource(protocol.SourceCamera, protocol.StateMuted)
	in := s.Stats().PacketsIn
	eventually(t, "packets that come in while muted", func() bool { return s.Stats().PacketsIn > in+10 })
	out := s.Stats().PacketsOut
	in = s.Stats().PacketsIn
	eventually(t, "more of them", func() bool { return s.Stats().PacketsIn > in+10 })
	if now := s.Stats().PacketsOut; now != out {
		t.Errorf("%d packets forwarded while muted", now-out)
	}
	before := len(bob.Received(mid))
	alice.SetSource(protocol.SourceCamera, protocol.StateLive)
	bob.Wait(t, "media after unmuting", func() bool { return len(bob.Peek(mid)) > before+10 })
	got := bob.Received(mid)
	checkStream(t, got, true)
	if _, _, kind, _ := content(got[before]); kind != "key" {
		t.Errorf("after unmuting comes a %s frame first", kind)
	}
}

// TestKeyFrameRequests checks that a subscriber's PLI reaches the publisher, and that
// many do not flood it.
func TestKeyFrameRequests(t *testing.T) {
	s := newServer(t)
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: []protocol.Source{protocol.SourceCamera}})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1})
	alice.send(t, protocol.SourceCamera, frame)
	mid := bob.subscribe(t, want(alice, protocol.SourceCamera))[want(alice, protocol.SourceCamera)]
	bob.awaitFrom(t, mid, alice, protocol.SourceCamera, 10)
	ssrc := uint32(bob.Received(mid)[0].SSRC)
	asked := alice.KeyFrameRequests(protocol.SourceCamera)
	seen := s.Stats().KeyFramesAskedIn
	for range 50 {
		if err := bob.PC.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all requests in", func() bool { return s.Stats().KeyFramesAskedIn >= seen+50 })
	alice.Wait(t, "a request", func() bool { return alice.Requests(protocol.SourceCamera) > asked })
	if n := alice.KeyFrameRequests(protocol.SourceCamera) - asked; n > 3 {
		t.Errorf("%d requests reached the publisher of 50 within moments", n)
	}
}

// TestICERestart moves a subscriber to new ICE credentials in the middle of a stream.
func TestICERestart(t *testing.T) {
	s := newServer(t)
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: []protocol.Source{protocol.SourceMic}})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1})
	alice.send(t, protocol.SourceMic, frame)
	mid := bob.subscribe(t, want(alice, protocol.SourceMic))[want(alice, protocol.SourceMic)]
	bob.awaitFrom(t, mid, alice, protocol.SourceMic, 10)

	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		answer, err := bob.Restart(ctx, bob.Client.Offer(t, true))
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		bob.Answer(t, answer)
		newest := s.Stats().PacketsIn
		bob.awaitFrom(t, mid, alice, protocol.SourceMic, int(newest)+20)
	}
	got := bob.Received(mid)
	for i := 1; i < len(got); i++ { // some may be lost in between, none repeated or renumbered
		_, _, _, a := content(got[i-1])
		_, _, _, b := content(got[i])
		if int(got[i].SequenceNumber-got[i-1].SequenceNumber) != b-a {
			t.Fatalf("packets %d and %d have numbers %d and %d", a, b, got[i-1].SequenceNumber, got[i].SequenceNumber)
		}
	}
	if _, err := bob.Restart(t.Context(), bob.PC.LocalDescription().SDP); code(err) != protocol.CodeBadSDP {
		t.Errorf("restart without new credentials: %v", err)
	}
}

// TestTCP lets a client in that has no UDP.
func TestTCP(t *testing.T) {
	s := newServer(t)
	mic := []protocol.Source{protocol.SourceMic}
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: mic, Slots: 1, TCP: true})
	bob := s.join(t, "bob", testkit.ClientConfig{Publish: mic, Slots: 1})
	alice.send(t, protocol.SourceMic, frame)
	bob.send(t, protocol.SourceMic, frame)
	a := bob.subscribe(t, want(alice, protocol.SourceMic))
	b := alice.subscribe(t, want(bob, protocol.SourceMic))
	bob.awaitFrom(t, a[want(alice, protocol.SourceMic)], alice, protocol.SourceMic, 30)
	alice.awaitFrom(t, b[want(bob, protocol.SourceMic)], bob, protocol.SourceMic, 30)
}

// TestLoss loses packets on both legs; NACK and RTX bring all of them back.
func TestLoss(t *testing.T) {
	s := newServer(t)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	lose := func(toServer bool) func([]byte, bool) bool {
		return func(pkt []byte, dir bool) bool {
			mu.Lock()
			defer mu.Unlock()
			return dir == toServer && testkit.IsMedia(pkt) && random.IntN(10) == 0
		}
	}
	up := testkit.NewRelay(t, s.udp, lose(true))
	down := testkit.NewRelay(t, s.udp, lose(false))
	alice := s.join(t, "alice", testkit.ClientConfig{
		Publish: []protocol.Source{protocol.SourceCamera},
		Answer:  testkit.Redirect(s.udp.Port(), up.Addr().Port()),
	})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1, Answer: testkit.Redirect(s.udp.Port(), down.Addr().Port())})
	alice.send(t, protocol.SourceCamera, frame)
	mid := bob.subscribe(t, want(alice, protocol.SourceCamera))[want(alice, protocol.SourceCamera)]

	const frames = 300
	bob.Wait(t, "nearly every packet", func() bool {
		got := map[uint16]bool{}
		var first, last uint16
		for i, r := range bob.Peek(mid) {
			if i == 0 {
				first, last = r.SequenceNumber, r.SequenceNumber
			}
			got[r.SequenceNumber] = true
			if int16(r.SequenceNumber-last) > 0 {
				last = r.SequenceNumber
			}
		}
		n := int(last - first)
		if n < frames {
			return false
		}
		missing := 0 // of those that had a second to be repaired
		for i := range n - 100 {
			if !got[first+uint16(i)] {
				missing++
			}
		}
		return missing <= 1 // one in ten thousand is lost four times in a row
	})
	st := s.Stats()
	if st.Recovered == 0 || st.Retransmitted == 0 || st.NACKsOut == 0 || st.NACKsIn == 0 {
		t.Errorf("nothing was repaired: %+v", st)
	}
	t.Logf("of %d packets in: %d recovered from the publisher (%d asked for); %d sent again to the subscriber (%d asked for)",
		st.PacketsIn, st.Recovered, st.NACKsOut, st.Retransmitted, st.NACKsIn)
}

// TestLipSync checks that the sender reports of one person's two slots name the same
// moment by the timestamps of what is heard and seen then.
func TestLipSync(t *testing.T) {
	s := newServer(t)
	both := []protocol.Source{protocol.SourceMic, protocol.SourceCamera}
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: both})
	bob := s.join(t, "bob", testkit.ClientConfig{Slots: 1})
	alice.send(t, protocol.SourceMic, frame)
	alice.send(t, protocol.SourceCamera, frame)
	at := bob.subscribe(t, want(alice, protocol.SourceMic), want(alice, protocol.SourceCamera))
	for _, src := range both {
		mid := at[want(alice, src)]
		bob.Wait(t, "two sender reports for "+string(src), func() bool { return bob.Reports(mid) >= 2 })
		got := bob.Received(mid)
		sr := bob.SenderReports(mid)[1]
		newest := got[len(got)-1]
		// On loopback the newest packet was sent just now, so the report's wall clock and
		// that packet's arrival are as far apart as their timestamps say.
		rate := float64(alice.Codec(src).ClockRate())
		byRTP := float64(int32(newest.Timestamp-sr.RTPTime)) / rate
		wall := time.Unix(int64(sr.NTPTime>>32)-2208988800, int64(uint64(uint32(sr.NTPTime))*1e9>>32))
		byWall := newest.At.Sub(wall).Seconds()
		if d := byRTP - byWall; d > 0.1 || d < -0.1 {
			t.Errorf("%s: %v s by timestamps, %v s by the clock", src, byRTP, byWall)
		}
		if sr.PacketCount == 0 || sr.OctetCount == 0 {
			t.Errorf("%s: empty report %v", src, sr)
		}
	}
}

// TestCodecMismatch: who cannot take a codec receives nothing of it, and everything else.
func TestCodecMismatch(t *testing.T) {
	s := newServer(t)
	alice := s.join(t, "alice", testkit.ClientConfig{Publish: []protocol.Source{protocol.SourceCamera}, Video: codec.AV1})
	bob := &participant{id: "bob", ev: &events{}}
	var err error
	if bob.Peer, err = s.Join(call, bob.id, bob.ev); err != nil {
		t.Fatal(err)
	}
	bob.Client = testkit.NewClient(t, testkit.ClientConfig{Slots: 1})
	bob.Connect(t, withoutAV1{bob.Peer})
	alice.send(t, protocol.SourceCamera, frame)
	bob.subscribe(t, want(alice, protocol.SourceCamera))
	eventually(t, "packets dropped for their codec", func() bool { return s.Stats().Dropped[sfu.DropCodec] > 10 })
	if n := s.Stats().PacketsOut; n != 0 {
		t.Errorf("%d packets forwarded", n)
	}
}

type withoutAV1 struct{ *sfu.Peer }

func (w withoutAV1) Offer(ctx context.Context, sdp string, sections []protocol.Section) (string, error) {
	return w.Peer.Offer(ctx, strings.ReplaceAll(sdp, " AV1/90000", " H265/90000"), sections)
}

// TestOrder checks the errors for what comes in the wrong order.
func TestOrder(t *testing.T) {
	s := newServer(t)
	p, err := s.Join(call, "alice", &events{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Join(call, "alice", &events{}); code(err) != protocol.CodeAlreadyDone {
		t.Errorf("joining twice: %v", err)
	}
	if _, err := p.Subscribe(nil); code(err) != protocol.CodeNotReady {
		t.Errorf("subscribing before the offer: %v", err)
	}
	if _, err := p.Restart(t.Context(), ""); code(err) != protocol.CodeNotReady {
		t.Errorf("restarting before the offer: %v", err)
	}
	if _, err := p.Offer(t.Context(), "nonsense", nil); code(err) != protocol.CodeBadSDP {
		t.Errorf("bad offer: %v", err)
	}
	c := testkit.NewClient(t, testkit.ClientConfig{Slots: 1})
	c.Connect(t, p) // a bad offer does not spoil the next
	if _, err := p.Offer(t.Context(), c.PC.LocalDescription().SDP, c.Sections); code(err) != protocol.CodeAlreadyDone {
		t.Errorf("offering twice: %v", err)
	}
	if _, err := p.Subscribe([]protocol.Want{{Participant: "x", Source: "smell"}}); code(err) != protocol.CodeBadRequest {
		t.Errorf("unknown source: %v", err)
	}
	if _, err := p.Subscribe(make([]protocol.Want, 2000)); code(err) != protocol.CodeTooLarge {
		t.Errorf("too many wants: %v", err)
	}
	p.Close()
	p.Close()
	if _, err := p.Subscribe(nil); code(err) != protocol.CodeMediaUnavailable {
		t.Errorf("subscribing after leaving: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Join(call, "bob", nil); code(err) != protocol.CodeMediaUnavailable {
		t.Errorf("joining a closed SFU: %v", err)
	}
}

// TestClientGone checks that signalling learns of a client that closes its connection.
func TestClientGone(t *testing.T) {
	s := newServer(t)
	alice := s.join(t, "alice", testkit.ClientConfig{Slots: 1})
	alice.Client.Close()
	eventually(t, "Closed", func() bool {
		alice.ev.mu.Lock()
		defer alice.ev.mu.Unlock()
		return alice.ev.closed && alice.ev.failed == ""
	})
}

func code(err error) protocol.Code {
	if pe, ok := err.(*protocol.Error); ok {
		return pe.Code
	}
	return ""
}
