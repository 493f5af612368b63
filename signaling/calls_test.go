package signaling

import (
	"errors"
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestEveryRequestHasAHandler(t *testing.T) {
	for _, m := range protocol.Messages {
		if m.Kind != protocol.KindRequest {
			continue
		}
		if _, ok := handlers[m.Type]; !ok {
			t.Errorf("nothing carries out %s", m.Type)
		}
	}
}

func TestCreateIsDurable(t *testing.T) {
	b := startServer(t)
	c, a := b.client().login(), newCall(t)
	got := must[protocol.CallCreateReply](c, protocol.TypeCallCreate, a.create())
	if want := b.clock.Now().Add(30 * 24 * time.Hour).UnixMilli(); !got.Created || got.ExpiresAt != want {
		t.Errorf("%+v, want created and expiry %d", got, want)
	}
	if _, err := b.store.Call(t.Context(), a.id); err != nil {
		t.Errorf("acknowledged but not stored: %v", err)
	}
	if got := must[protocol.CallCreateReply](c, protocol.TypeCallCreate, a.create()); got.Created {
		t.Error("the same call was created twice")
	}
}

func TestCreateRefusals(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.CallsPerDevice = 2 })
	c := b.client().login()
	mixed := newCall(t).create()
	mixed.Call = newCall(t).id
	c.refused(protocol.CodeCallMismatch, protocol.TypeCallCreate, mixed)
	c.create(newCall(t)).create(newCall(t))
	c.refused(protocol.CodeTooManyCalls, protocol.TypeCallCreate, newCall(t).create())
	b.client().login().create(newCall(t)) // another device may
}

// New device keys do not make an address a new one.
func TestCreatesPerAddress(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.CreateBurst, c.Limits.CreatesPerSecond = 3, 0.5 })
	for range 3 {
		b.client().login().create(newCall(t))
	}
	c := b.client().login()
	err := c.refused(protocol.CodeRateLimited, protocol.TypeCallCreate, newCall(t).create())
	if !err.Retryable || err.RetryAfterMillis < 1900 || err.RetryAfterMillis > 2001 {
		t.Errorf("%+v, want to be told to wait 2 s", err)
	}
	b.clock.advance(2 * time.Second)
	c.create(newCall(t))
	c.refused(protocol.CodeRateLimited, protocol.TypeCallCreate, newCall(t).create())
}

// Addresses that have not created anything for long are forgotten.
func TestFoundersAreForgotten(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d := newDoor(Limits{CreatesPerSecond: 1, CreateBurst: 2})
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}) }
	for n := range maxFounders {
		d.create(address(n), now)
	}
	d.create(address(0), now.Add(time.Second)) // busy
	d.create(address(maxFounders), now.Add(time.Second))
	if n := len(d.founders); n != 2 {
		t.Errorf("%d addresses remembered, want the busy one and the new one", n)
	}
	if _, ok := d.create(address(0), now.Add(time.Second)); !ok {
		t.Error("refused within the burst")
	}
	if _, ok := d.create(address(0), now.Add(time.Second)); ok {
		t.Error("the busy address was forgotten: it has its burst anew")
	}
}

func TestJoinRefusals(t *testing.T) {
	b := startServer(t)
	a, other := newCall(t), newCall(t)
	c := b.client().login().create(a)
	c.refused(protocol.CodeNoSuchCall, protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: other.id})

	req := c.joinRequest(a)
	c.refused(protocol.CodeNotReady, protocol.TypeCallJoin, protocol.CallJoinRequest{Call: other.id, Signature: req.Signature})

	wrong := req
	wrong.Signature = append(protocol.Bytes{}, req.Signature...)
	wrong.Signature[3] ^= 1
	c.refused(protocol.CodeBadSignature, protocol.TypeCallJoin, wrong)
	c.refused(protocol.CodeNotReady, protocol.TypeCallJoin, req) // the challenge is spent

	stranger := newCall(t)
	stranger.id = a.id // knows the call id, not the secret
	ch := must[protocol.CallChallengeReply](c, protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: a.id})
	msg, err := identity.AdmissionMessage(mustID(t, a.id), ch.Challenge, c.device.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	sig, err := stranger.key.Sign(nil, msg, cryptoNoHash{})
	if err != nil {
		t.Fatal(err)
	}
	c.refused(protocol.CodeBadSignature, protocol.TypeCallJoin, protocol.CallJoinRequest{Call: a.id, Signature: sig})

	lent := b.client().login().joinRequest(a) // made out to another device's challenge
	c.joinRequest(a)
	c.refused(protocol.CodeBadSignature, protocol.TypeCallJoin, lent)

	late := c.joinRequest(a)
	b.clock.advance(60 * time.Second)
	c.refused(protocol.CodeNotReady, protocol.TypeCallJoin, late)

	b.plane.setFail(errors.New("no ports"))
	c.refused(protocol.CodeMediaUnavailable, protocol.TypeCallJoin, c.joinRequest(a))
	b.plane.setFail(nil)
	c.join(a)
	c.create(other)
	c.refused(protocol.CodeAlreadyDone, protocol.TypeCallJoin, c.joinRequest(other))
}

func TestChallengesAreBounded(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.Challenges = 2 })
	calls := []aCall{newCall(t), newCall(t), newCall(t)}
	c := b.client().login()
	var reqs []protocol.CallJoinRequest
	for _, a := range calls {
		reqs = append(reqs, c.create(a).joinRequest(a))
	}
	c.refused(protocol.CodeNotReady, protocol.TypeCallJoin, reqs[0]) // pushed out
	must[protocol.CallJoinReply](c, protocol.TypeCallJoin, reqs[1])
}

func TestJoinAgainTellsTheSame(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	again := must[protocol.CallJoinReply](bob, protocol.TypeCallJoin, bob.joinRequest(a))
	if again.Participant != bob.self || len(again.Participants) != 1 || again.Participants[0].ID != alice.self {
		t.Errorf("joining again: %+v", again)
	}
	alice.quiet()
}

func TestCallFull(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.Participants = 2 })
	alice, bob, a := b.pair()
	carol := b.client().login()
	carol.refused(protocol.CodeCallFull, protocol.TypeCallJoin, carol.joinRequest(a))
	alice.quiet()
	must[protocol.CallLeaveReply](bob, protocol.TypeCallLeave, protocol.CallLeaveRequest{})
	carol.join(a)
}

func TestCallsPerDevice(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.CallsPerDevice = 2 })
	a := newCall(t)
	first := b.client().login().create(a)
	var sessions []*client
	for range 3 {
		c := b.client()
		c.device = first.device
		sessions = append(sessions, c.login())
	}
	sessions[0].join(a)
	sessions[1].join(a) // one device may be in a call twice
	sessions[2].refused(protocol.CodeTooManyCalls, protocol.TypeCallJoin, sessions[2].joinRequest(a))
	sessions[0].closeWith(1000)
	eventually(t, "the place is free", func() bool { return b.Metrics().Participants == 1 })
	sessions[2].join(a)
}

func TestLeave(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	must[protocol.CallLeaveReply](bob, protocol.TypeCallLeave, protocol.CallLeaveRequest{})
	if got := next[protocol.ParticipantLeftEvent](alice); got.Participant != bob.self || got.Reason != protocol.ReasonLeft {
		t.Errorf("%+v", got)
	}
	if !b.plane.peer(bob.self).isClosed() {
		t.Error("the media goes on")
	}
	must[protocol.CallLeaveReply](bob, protocol.TypeCallLeave, protocol.CallLeaveRequest{}) // no error
	alice.quiet()
	old := bob.self
	bob.join(a)
	if bob.self == old {
		t.Error("the participant id was used twice")
	}
	next[protocol.ParticipantJoinedEvent](alice)
}

func TestSendSealed(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.PayloadBytes = 1000 })
	alice, bob, a := b.pair()
	carol := b.client().login()
	carol.join(a)
	next[protocol.ParticipantJoinedEvent](alice)
	next[protocol.ParticipantJoinedEvent](bob)
	gone := protocol.ParticipantID(drawID())
	got := must[protocol.CallSendReply](alice, protocol.TypeCallSend, protocol.CallSendRequest{Messages: []protocol.SealedMessage{
		{To: bob.self, Payload: []byte("to bob")}, {To: gone, Payload: []byte("to nobody")}, {To: carol.self, Payload: []byte("to carol")},
	}})
	if len(got.Undelivered) != 1 || got.Undelivered[0] != gone {
		t.Errorf("undelivered %v", got.Undelivered)
	}
	for c, want := range map[*client]string{bob: "to bob", carol: "to carol"} {
		if e := next[protocol.CallMessageEvent](c); e.From != alice.self || string(e.Payload) != want {
			t.Errorf("%+v, want %q", e, want)
		}
	}
	for name, messages := range map[string][]protocol.SealedMessage{
		"to oneself": {{To: alice.self, Payload: []byte("x")}},
		"twice":      {{To: bob.self, Payload: []byte("x")}, {To: bob.self, Payload: []byte("x")}},
		"none":       {},
		"empty":      {{To: bob.self}},
	} {
		t.Log(name)
		alice.refused(protocol.CodeBadRequest, protocol.TypeCallSend, protocol.CallSendRequest{Messages: messages})
	}
	alice.refused(protocol.CodeTooLarge, protocol.TypeCallSend, protocol.CallSendRequest{Messages: []protocol.SealedMessage{
		{To: bob.self, Payload: make([]byte, 10)}, {To: carol.self, Payload: make([]byte, 1001)},
	}})
	bob.quiet() // a batch is delivered as a whole or not at all
}

func TestSources(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	set := func(s protocol.Source, st protocol.SourceState) {
		t.Helper()
		must[protocol.SourceUpdateReply](alice, protocol.TypeSourceUpdate, protocol.SourceUpdateRequest{Source: s, State: st})
	}
	want := func(sources map[protocol.Source]protocol.SourceState) {
		t.Helper()
		got := next[protocol.ParticipantUpdatedEvent](bob).Participant
		if got.ID != alice.self || !got.Connected || !maps.Equal(got.Sources, sources) {
			t.Errorf("%+v, want %v", got, sources)
		}
	}
	set(protocol.SourceMic, protocol.StateLive)
	want(map[protocol.Source]protocol.SourceState{protocol.SourceMic: protocol.StateLive})
	set(protocol.SourceMic, protocol.StateLive) // nothing new
	set(protocol.SourceScreen, protocol.StateOff)
	bob.quiet()
	set(protocol.SourceCamera, protocol.StateMuted)
	want(map[protocol.Source]protocol.SourceState{protocol.SourceMic: protocol.StateLive, protocol.SourceCamera: protocol.StateMuted})
	set(protocol.SourceMic, protocol.StateOff)
	want(map[protocol.Source]protocol.SourceState{protocol.SourceCamera: protocol.StateMuted})
	if got := b.plane.peer(alice.self).sources; got[protocol.SourceCamera] != protocol.StateMuted || got[protocol.SourceMic] != protocol.StateOff {
		t.Errorf("the media plane was told %v", got)
	}
	alice.quiet() // hears nothing of herself

	carol := b.client().login()
	for _, p := range carol.join(a).Participants {
		if p.ID == alice.self && !maps.Equal(p.Sources, map[protocol.Source]protocol.SourceState{protocol.SourceCamera: protocol.StateMuted}) {
			t.Errorf("a newcomer sees %+v", p)
		}
	}
}

func TestOutOfOrder(t *testing.T) {
	b := startServer(t)
	c := b.client()
	c.dial()
	c.refused(protocol.CodeNotReady, protocol.TypePing, protocol.PingRequest{})
	c.refused(protocol.CodeNotReady, protocol.TypeCallLeave, protocol.CallLeaveRequest{})
	h := c.hello()
	c.refused(protocol.CodeAlreadyDone, protocol.TypeHello, protocol.HelloRequest{Client: "x"})
	c.refused(protocol.CodeNotReady, protocol.TypeCallCreate, newCall(t).create())
	req := c.loginRequest(h.Challenge)
	must[protocol.LoginReply](c, protocol.TypeLogin, req)
	c.refused(protocol.CodeAlreadyDone, protocol.TypeLogin, req)
	c.refused(protocol.CodeNotReady, protocol.TypeSourceUpdate, protocol.SourceUpdateRequest{Source: protocol.SourceMic, State: protocol.StateLive})
	c.refused(protocol.CodeNotReady, protocol.TypeMediaOffer, anOffer("x"))
	a := newCall(t)
	c.create(a).join(a)
	c.refused(protocol.CodeNotReady, protocol.TypeMediaRestart, protocol.MediaRestartRequest{SDP: "x"})
	c.refused(protocol.CodeNotReady, protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: []protocol.Want{}})
}

func TestExpiredCallsAreForgotten(t *testing.T) {
	b := startServer(t)
	used, unused := newCall(t), newCall(t)
	c := b.client().login().create(used).create(unused)
	c.join(used)
	b.clock.advance(31 * 24 * time.Hour)
	b.tidyStore(t.Context())
	if _, err := b.store.Call(t.Context(), used.id); err != nil {
		t.Errorf("the call in use: %v", err)
	}
	c.refused(protocol.CodeNoSuchCall, protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: unused.id})
}
