package signaling

import (
	"fmt"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func (c *client) sendTo(to *client, payload string) {
	c.t.Helper()
	got := must[protocol.CallSendReply](c, protocol.TypeCallSend, protocol.CallSendRequest{Messages: []protocol.SealedMessage{{To: to.self, Payload: []byte(payload)}}})
	if len(got.Undelivered) != 0 {
		c.t.Fatalf("not delivered")
	}
}

func (c *client) expectMessage(want string) {
	c.t.Helper()
	if got := next[protocol.CallMessageEvent](c); string(got.Payload) != want {
		c.t.Fatalf("message %q, want %q", got.Payload, want)
	}
}

func (c *client) expectConnected(who *client, want bool) {
	c.t.Helper()
	if got := next[protocol.ParticipantUpdatedEvent](c).Participant; got.ID != who.self || got.Connected != want {
		c.t.Fatalf("%+v, want connected %v", got, want)
	}
}

func TestResume(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	bob.offer()
	alice.sendTo(bob, "before")
	bob.expectMessage("before")
	bob.drop()
	alice.expectConnected(bob, false)
	alice.sendTo(bob, "meanwhile 1")
	alice.sendTo(bob, "meanwhile 2")
	b.clock.advance(29 * time.Second)
	session := bob.session
	if got := bob.resume(); !got.Resumed || got.Session != session {
		t.Fatalf("%+v", got)
	}
	bob.expectMessage("meanwhile 1")
	bob.expectMessage("meanwhile 2")
	alice.expectConnected(bob, true)
	if b.plane.peer(bob.self).isClosed() {
		t.Error("the media was touched")
	}
	bob.sendTo(alice, "back")
	alice.expectMessage("back")
	if m := b.Metrics(); m.Resumes != 1 || m.Participants != 2 {
		t.Errorf("%+v", m)
	}
}

func TestResumeReplaces(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	bob.quiet()
	second := newClient(t, b.url)
	second.device, second.session, second.self, second.lastSeq = bob.device, bob.session, bob.self, bob.lastSeq
	if got := second.resume(); !got.Resumed {
		t.Fatalf("%+v", got)
	}
	bob.expectClose(protocol.CloseReplaced)
	alice.sendTo(second, "to the newer one")
	second.expectMessage("to the newer one")
	alice.quiet() // bob was connected all the time
}

func TestResumeTooLate(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	bob.drop()
	alice.expectConnected(bob, false)
	b.clock.advance(30 * time.Second)
	if got := next[protocol.ParticipantLeftEvent](alice); got.Participant != bob.self || got.Reason != protocol.ReasonLost {
		t.Errorf("%+v", got)
	}
	eventually(t, "his media ends", b.plane.peer(bob.self).isClosed)
	old := bob.session
	if got := bob.resume(); got.Resumed || got.Session == old {
		t.Fatalf("%+v", got)
	}
	if got := bob.join(a); len(got.Participants) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestResumeOfSomebodyElse(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	mallory := b.client()
	mallory.session = bob.session
	if got := mallory.resume(); got.Resumed || got.Session == bob.session {
		t.Fatalf("%+v", got)
	}
	alice.sendTo(bob, "still here")
	bob.expectMessage("still here")
}

// A session outside a call is not kept.
func TestResumeOutsideACall(t *testing.T) {
	b := startServer(t)
	c := b.client().login()
	c.drop()
	eventually(t, "the session is over", func() bool { return b.Metrics().Sessions == 0 })
	if got := c.resume(); got.Resumed {
		t.Error("resumed")
	}
}

func TestResumeFromTheFuture(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	bob.quiet()
	bob.drop()
	alice.expectConnected(bob, false)
	bob.lastSeq = 1000
	if got := bob.resume(); got.Resumed {
		t.Error("resumed after an event that never was")
	}
	next[protocol.ParticipantLeftEvent](alice)
}

// Whoever cannot resume ends the session all the same. A WebSocket that it still
// has must not stay behind, answering pings for a session in no call.
func TestFailedResumeClosesTheOldSocket(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	second := newClient(t, b.url)
	second.device, second.session, second.lastSeq = bob.device, bob.session, 1000
	if got := second.resume(); got.Resumed || got.Session == bob.session {
		t.Fatalf("%+v", got)
	}
	bob.expectClose(protocol.CloseReplaced)
	if got := next[protocol.ParticipantLeftEvent](alice); got.Participant != bob.self || got.Reason != protocol.ReasonLost {
		t.Errorf("%+v", got)
	}
	second.join(a)
	next[protocol.ParticipantJoinedEvent](alice)
	alice.sendTo(second, "well again")
	second.expectMessage("well again")
}

// A session that lost an event is over, rather than resumed with a hole.
func TestReplayOverflow(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.ReplayEvents = 8 })
	alice, bob, a := b.pair()
	bob.drop()
	alice.expectConnected(bob, false)
	for i := range 8 {
		alice.sendTo(bob, fmt.Sprint("kept ", i))
	}
	alice.quiet()
	alice.sendTo(bob, "one too many")
	if got := next[protocol.ParticipantLeftEvent](alice); got.Participant != bob.self || got.Reason != protocol.ReasonLost {
		t.Errorf("%+v", got)
	}
	if got := bob.resume(); got.Resumed {
		t.Fatal("resumed with an event lost")
	}
	bob.join(a)
	next[protocol.ParticipantJoinedEvent](alice)
	alice.sendTo(bob, "well again")
	bob.expectMessage("well again")
}

func TestLeavingByCloseCode(t *testing.T) {
	for code, leaves := range map[int]bool{1000: true, 1001: false, 3000: false} {
		b := startServer(t)
		alice, bob, _ := b.pair()
		bob.closeWith(code)
		if leaves {
			if got := next[protocol.ParticipantLeftEvent](alice); got.Reason != protocol.ReasonLeft {
				t.Errorf("close %d: %+v", code, got)
			}
			eventually(t, "his media ends", b.plane.peer(bob.self).isClosed)
			continue
		}
		alice.expectConnected(bob, false)
		if !bob.resume().Resumed {
			t.Errorf("close %d: not resumed", code)
		}
	}
}

func TestMediaClosedAndSocketGone(t *testing.T) {
	for _, mediaFirst := range []bool{true, false} {
		b := startServer(t)
		alice, bob, _ := b.pair()
		if mediaFirst {
			b.plane.peer(bob.self).ev.Closed()
			if got := next[protocol.MediaFailedEvent](bob); got.Reason != "the media connection was closed by the client" {
				t.Errorf("%+v", got)
			}
			bob.drop()
		} else {
			bob.drop()
			alice.expectConnected(bob, false)
			b.plane.peer(bob.self).ev.Closed()
		}
		// The clock stands still: this is at once.
		if got := next[protocol.ParticipantLeftEvent](alice); got.Participant != bob.self || got.Reason != protocol.ReasonLost {
			t.Errorf("media first %v: %+v", mediaFirst, got)
		}
	}
}

func TestStoreOutageKeepsCallsGoing(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
	carol := b.client().login()
	carol.join(a) // the call is live: the store need not be asked
	next[protocol.ParticipantJoinedEvent](alice)
	next[protocol.ParticipantJoinedEvent](bob)
	alice.sendTo(bob, "on")
	bob.expectMessage("on")
	err := carol.refused(protocol.CodeInternal, protocol.TypeCallCreate, newCall(t).create())
	if !err.Retryable {
		t.Error("not retryable")
	}
}
