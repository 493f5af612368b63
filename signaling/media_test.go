package signaling

import (
	"strings"
	"testing"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestOffer(t *testing.T) {
	b := startServer(t)
	alice, _, _ := b.pair()
	got := must[protocol.MediaOfferReply](alice, protocol.TypeMediaOffer, anOffer("v=0"))
	if got.SDP != "answer to v=0" {
		t.Errorf("%q", got.SDP)
	}
	peer := b.plane.peer(alice.self)
	if len(peer.sections) != 2 || peer.sections[0] != (protocol.Section{Mid: "0", Publish: protocol.SourceMic}) {
		t.Errorf("sections %+v", peer.sections)
	}
	// After a lost reply the same offer gives the same answer; another is refused.
	if again := must[protocol.MediaOfferReply](alice, protocol.TypeMediaOffer, anOffer("v=0")); again != got {
		t.Errorf("%q", again.SDP)
	}
	alice.refused(protocol.CodeAlreadyDone, protocol.TypeMediaOffer, anOffer("v=1"))
	for range 2 {
		if r := must[protocol.MediaRestartReply](alice, protocol.TypeMediaRestart, protocol.MediaRestartRequest{SDP: "r1"}); r.SDP != "restart of r1" {
			t.Errorf("%q", r.SDP)
		}
	}
	must[protocol.MediaRestartReply](alice, protocol.TypeMediaRestart, protocol.MediaRestartRequest{SDP: "r2"})
	if offers, restarts := peer.counts(); offers != 1 || restarts != 2 {
		t.Errorf("%d offers and %d restarts reached the media plane", offers, restarts)
	}
}

func TestOfferRefusals(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.AudioSlots, c.Limits.VideoSlots = 2, 1 })
	alice, _, _ := b.pair()
	alice.refused(protocol.CodeBadSDP, protocol.TypeMediaOffer, anOffer("bad"))
	err := alice.refused(protocol.CodeMediaUnavailable, protocol.TypeMediaOffer, anOffer("fail"))
	if strings.Contains(err.Message, "192.0.2.1") {
		t.Errorf("%q tells the inside of the server", err.Message)
	}
	receive := func(kind protocol.MediaKind, mids ...string) (out []protocol.Section) {
		for _, mid := range mids {
			out = append(out, protocol.Section{Mid: mid, Receive: kind})
		}
		return out
	}
	for name, tc := range map[string]struct {
		sections []protocol.Section
		want     protocol.Code
	}{
		"one mid twice":       {receive(protocol.KindAudio, "0", "0"), protocol.CodeBadRequest},
		"neither":             {[]protocol.Section{{Mid: "0"}}, protocol.CodeBadRequest},
		"both":                {[]protocol.Section{{Mid: "0", Publish: protocol.SourceMic, Receive: protocol.KindAudio}}, protocol.CodeBadRequest},
		"one source twice":    {[]protocol.Section{{Mid: "0", Publish: protocol.SourceMic}, {Mid: "1", Publish: protocol.SourceMic}}, protocol.CodeBadRequest},
		"none":                {nil, protocol.CodeBadRequest},
		"too many audio":      {receive(protocol.KindAudio, "0", "1", "2"), protocol.CodeTooLarge},
		"too many video":      {receive(protocol.KindVideo, "0", "1"), protocol.CodeTooLarge},
		"over protocol limit": {make([]protocol.Section, 257), protocol.CodeBadRequest},
	} {
		t.Log(name)
		sections := tc.sections
		if sections == nil {
			sections = []protocol.Section{}
		}
		alice.refused(tc.want, protocol.TypeMediaOffer, protocol.MediaOfferRequest{SDP: "v=0", Sections: sections})
	}
	alice.offer() // none of it counts as the one offer
}

func TestSubscribe(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	alice.offer()
	gone := protocol.ParticipantID(drawID())
	wants := []protocol.Want{
		{Participant: gone, Source: protocol.SourceCamera},
		{Participant: bob.self, Source: protocol.SourceCamera, MaxWidth: 640, MaxHeight: 360},
		{Participant: bob.self, Source: protocol.SourceMic},
	}
	got := must[protocol.SubscribeReply](alice, protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: wants})
	if len(got.Bindings) != 2 || got.Bindings[0].Participant != bob.self || got.Bindings[0].Source != protocol.SourceCamera {
		t.Errorf("%+v", got)
	}
	if asked := b.plane.peer(alice.self).wants; len(asked) != 2 || asked[0] != wants[1] {
		t.Errorf("the media plane was asked for %+v", asked)
	}
	alice.refused(protocol.CodeBadRequest, protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: []protocol.Want{wants[1], wants[1]}})
	alice.refused(protocol.CodeBadRequest, protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: []protocol.Want{{Participant: alice.self, Source: protocol.SourceMic}}})

	b.plane.peer(alice.self).hide(bob.self)
	if e := next[protocol.MediaBindingsEvent](alice); len(e.Bindings) != 0 {
		t.Errorf("%+v", e)
	}
	b.plane.peer(alice.self).hide("")
	if e := next[protocol.MediaBindingsEvent](alice); len(e.Bindings) != 2 {
		t.Errorf("%+v", e)
	}
	if got := must[protocol.SubscribeReply](alice, protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: []protocol.Want{}}); got.Bindings == nil || len(got.Bindings) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestMediaFailed(t *testing.T) {
	b := startServer(t)
	alice, _, _ := b.pair()
	b.plane.peer(alice.self).ev.Failed("no route\n" + strings.Repeat("x", 300))
	if got := next[protocol.MediaFailedEvent](alice); len(got.Reason) != 200 || !strings.HasPrefix(got.Reason, "no route?xx") {
		t.Errorf("%q", got.Reason)
	}
}

// A request that takes long holds up neither pings nor anybody else.
func TestSlowOffer(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	hold := make(chan struct{})
	peer := b.plane.peer(alice.self)
	peer.mu.Lock()
	peer.hold = hold
	peer.mu.Unlock()
	offer := alice.start(protocol.TypeMediaOffer, anOffer("v=0"))
	eventually(t, "the offer is being worked on", func() bool { n, _ := peer.counts(); return n == 1 })
	must[protocol.PingReply](alice, protocol.TypePing, protocol.PingRequest{})
	bob.sendTo(alice, "meanwhile")
	alice.expectMessage("meanwhile")

	// Losing the WebSocket meanwhile: the session is resumed at once, and the
	// same offer, asked again, gets the answer.
	alice.drop()
	bob.expectConnected(alice, false)
	if !alice.resume().Resumed {
		t.Fatal("not resumed")
	}
	again := alice.start(protocol.TypeMediaOffer, anOffer("v=0"))
	close(hold)
	if body, err := alice.wait("media.offer", again); err != nil || body.(*protocol.MediaOfferReply).SDP != "answer to v=0" {
		t.Errorf("%+v, %v", body, err)
	}
	if n, _ := peer.counts(); n != 1 {
		t.Errorf("%d offers reached the media plane", n)
	}
	select {
	case r := <-offer:
		t.Errorf("a reply came to a connection that was lost: %+v", r)
	default:
	}
}

// A bug in one request costs one client its connection.
func TestPanicIsContained(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	alice.refused(protocol.CodeInternal, protocol.TypeMediaOffer, anOffer("panic"))
	alice.expectClose(1011)
	bob.expectConnected(alice, false)
	if !alice.resume().Resumed {
		t.Fatal("not resumed")
	}
	bob.expectConnected(alice, true)
	alice.sendTo(bob, "well again")
	bob.expectMessage("well again")
	if b.Metrics().Panics != 1 || !strings.Contains(b.logs.String(), "a request hit a bug") {
		t.Error("the bug was neither counted nor logged")
	}
}
