package signaling

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// sendRaw sends a message as it is.
func (c *client) sendRaw(kind int, data string) {
	c.t.Helper()
	_ = c.ws.SetWriteDeadline(time.Now().Add(patience))
	_ = c.ws.WriteMessage(kind, []byte(data)) // a failure shows in what the test waits for
}

// expectUnbound waits for the nth error that answers no request in particular.
func (c *client) expectUnbound(n int, code protocol.Code) {
	c.t.Helper()
	var got *protocol.Error
	eventually(c.t, "an error comes", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.unbound) < n {
			return false
		}
		got = c.unbound[n-1]
		return true
	})
	if got.Code != code {
		c.t.Errorf("error %d: %v, want %s", n, got, code)
	}
}

func TestRateLimit(t *testing.T) {
	b := startServer(t, func(c *Config) {
		c.Limits.MessagesPerSecond, c.Limits.MessageBurst, c.Limits.Overruns = 2, 5, 3
	})
	c := b.client().login() // hello and login: two of five
	for range 3 {
		must[protocol.PingReply](c, protocol.TypePing, protocol.PingRequest{})
	}
	err := c.refused(protocol.CodeRateLimited, protocol.TypePing, protocol.PingRequest{})
	if err.RetryAfterMillis < 400 || err.RetryAfterMillis > 501 {
		t.Errorf("retry after %d ms, want about 500", err.RetryAfterMillis)
	}
	b.clock.advance(time.Duration(err.RetryAfterMillis) * time.Millisecond)
	must[protocol.PingReply](c, protocol.TypePing, protocol.PingRequest{})
	for range 2 {
		c.refused(protocol.CodeRateLimited, protocol.TypePing, protocol.PingRequest{})
	}
	c.start(protocol.TypePing, protocol.PingRequest{}) // the half second forgave half an overrun only
	c.expectClose(protocol.CloseRateLimited)
	eventually(t, "it is counted", func() bool {
		m := b.Metrics()
		return m.Refusals[protocol.CodeRateLimited] == 3 && m.Closes[protocol.CloseRateLimited] == 1
	})
}

func TestByteRate(t *testing.T) {
	b := startServer(t, func(c *Config) {
		c.Limits.MessageBytes, c.Limits.BytesPerSecond, c.Limits.ByteBurst = 4000, 1000, 6000
	})
	c := b.client().login()
	big := protocol.CallSendRequest{Messages: []protocol.SealedMessage{{To: protocol.ParticipantID(drawID()), Payload: make([]byte, 2500)}}}
	c.refused(protocol.CodeNotReady, protocol.TypeCallSend, big)
	c.refused(protocol.CodeRateLimited, protocol.TypeCallSend, big)
	b.clock.advance(4 * time.Second)
	c.refused(protocol.CodeNotReady, protocol.TypeCallSend, big)
}

func TestMalformed(t *testing.T) {
	b := startServer(t)
	c := b.client().login()
	for i, tc := range []struct {
		data string
		code protocol.Code
	}{
		{"", protocol.CodeBadJSON},
		{"{", protocol.CodeBadJSON},
		{"[]", protocol.CodeBadJSON},
		{"null", protocol.CodeBadJSON},
		{`{"id":1,"type":"ping"}{}`, protocol.CodeBadJSON},
		{`{"id":1,"id":2,"type":"ping"}`, protocol.CodeBadJSON},
		{"{\"id\":1,\"type\":\"p\xffing\"}", protocol.CodeBadJSON},
		{strings.Repeat("[", 100_000), protocol.CodeBadJSON},
		{`{"type":"ping"}`, protocol.CodeBadRequest},
		{`{"id":0,"type":"ping"}`, protocol.CodeBadRequest},
		{`{"id":-1,"type":"ping"}`, protocol.CodeBadRequest},
		{`{"id":9007199254740992,"type":"ping"}`, protocol.CodeBadRequest},
		{`{"id":"1","type":"ping"}`, protocol.CodeBadRequest},
	} {
		c.sendRaw(websocket.TextMessage, tc.data)
		c.expectUnbound(i+1, tc.code)
	}
	must[protocol.PingReply](c, protocol.TypePing, protocol.PingRequest{}) // still alive
}

func TestMalformedWithID(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.Strikes = 1000 })
	c := b.client().login()
	for _, tc := range []struct {
		rest string
		code protocol.Code
	}{
		{`"type":"no.such"`, protocol.CodeUnknownType},
		{`"type":"participant.left"`, protocol.CodeUnknownType},
		{`"type":"<script>"`, protocol.CodeUnknownType},
		{`"body":{}`, protocol.CodeUnknownType},
		{`"type":"ping","extra":1`, protocol.CodeBadRequest},
		{`"Type":"ping"`, protocol.CodeBadRequest},
		{`"type":"ping","seq":1`, protocol.CodeBadRequest},
		{`"type":"ping","re":1`, protocol.CodeBadRequest},
		{`"type":"ping","error":{"code":"x","message":"","retryable":true}`, protocol.CodeBadRequest},
		{`"type":"ping","body":null`, protocol.CodeBadRequest},
		{`"type":"ping","body":[]`, protocol.CodeBadRequest},
		{`"type":"ping","body":{"x":1}`, protocol.CodeBadRequest},
		{`"type":"call.challenge"`, protocol.CodeBadRequest},
		{`"type":"call.challenge","body":{"call":"short"}`, protocol.CodeBadRequest},
		{`"type":"call.challenge","body":{"call":"AAAAAAAAAAAAAAAAAAAAAB"}`, protocol.CodeBadRequest},
		{`"type":"call.challenge","body":{"call":"AAAAAAAAAAAAAAAAAAAA\n\n"}`, protocol.CodeBadRequest},
		{`"type":"call.challenge","body":{"call":"AAAAAAAAAAAAAAAAAAAAAA==","call":1}`, protocol.CodeBadRequest},
		{`"type":"source.update","body":{"source":"face","state":"live"}`, protocol.CodeBadRequest},
		{`"type":"source.update","body":{"source":"mic","Source":"mic","state":"live"}`, protocol.CodeBadRequest},
		{`"type":"media.subscribe","body":{"wants":null}`, protocol.CodeBadRequest},
		{`"type":"media.subscribe","body":{"wants":[` + strings.Repeat(`{"participant":"AAAAAAAAAAAAAAAAAAAAAA","source":"mic"},`, 256) + `{"participant":"AAAAAAAAAAAAAAAAAAAAAA","source":"mic"}]}`, protocol.CodeTooLarge},
		{`"type":"media.subscribe","body":{"wants":[{"participant":"AAAAAAAAAAAAAAAAAAAAAA","source":"mic","max_width":1e2}]}`, protocol.CodeBadRequest},
		{`"type":"media.subscribe","body":{"wants":[{"participant":"AAAAAAAAAAAAAAAAAAAAAA","source":"mic","max_width":65536}]}`, protocol.CodeBadRequest},
		{`"type":"hello","body":{"client":"é"}`, protocol.CodeBadRequest},
		{`"type":"hello","body":{"client":"` + strings.Repeat("x", 65) + `"}`, protocol.CodeTooLarge},
	} {
		c.mu.Lock()
		c.id++
		ch := make(chan reply, 1)
		c.replies[c.id] = ch
		data := fmt.Sprintf(`{"id":%d,%s}`, c.id, tc.rest)
		c.mu.Unlock()
		c.sendRaw(websocket.TextMessage, data)
		if _, err := c.wait(data[:min(len(data), 100)], ch); err == nil || err.Code != tc.code {
			t.Errorf("%.120s: %v, want %s", data, err, tc.code)
		}
	}
}

func TestStrikes(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.Strikes = 3 })
	c := b.client().login()
	for i := range 3 {
		c.sendRaw(websocket.BinaryMessage, "binary")
		c.expectUnbound(i+1, protocol.CodeBadJSON)
	}
	c.sendRaw(websocket.TextMessage, "last straw")
	c.expectUnbound(4, protocol.CodeBadJSON) // answered, then closed
	c.expectClose(protocol.CloseProtocol)
}

func TestTooBig(t *testing.T) {
	b := startServer(t)
	alice, bob, _ := b.pair()
	fits := `{"id":77,"type":"ping","body":{}}`
	fits += strings.Repeat(" ", 256<<10-len(fits))
	alice.mu.Lock()
	ch := make(chan reply, 1)
	alice.replies[77] = ch
	alice.mu.Unlock()
	alice.sendRaw(websocket.TextMessage, fits)
	if _, err := alice.wait("ping", ch); err != nil {
		t.Fatal(err)
	}
	alice.sendRaw(websocket.TextMessage, fits+" ")
	alice.expectClose(websocket.CloseMessageTooBig)
	bob.expectConnected(alice, false)
	if !alice.resume().Resumed {
		t.Error("not resumed")
	}
}

// The largest payload of the limits must fit into the largest message of them.
func TestPayloadsFitIntoMessages(t *testing.T) {
	for _, size := range []int{0, 64 << 10} {
		b := startServer(t, func(c *Config) { c.Limits.MessageBytes, c.Limits.PayloadBytes = size, 0 })
		alice, bob, _ := b.pair()
		alice.sendTo(bob, strings.Repeat("x", b.cfg.Limits.PayloadBytes))
		if got := next[protocol.CallMessageEvent](bob); len(got.Payload) != b.cfg.Limits.PayloadBytes {
			t.Errorf("messages of %d: a payload of %d bytes came as one of %d", size, b.cfg.Limits.PayloadBytes, len(got.Payload))
		}
	}
}

func TestDuplicateIDs(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.InFlight = 3 })
	alice, _, _ := b.pair()
	peer := b.plane.peer(alice.self)
	hold := make(chan struct{})
	peer.mu.Lock()
	peer.hold = hold
	peer.mu.Unlock()
	offer := alice.start(protocol.TypeMediaOffer, anOffer("v=0"))
	alice.sendRaw(websocket.TextMessage, fmt.Sprintf(`{"id":%d,"type":"call.leave"}`, alice.id))
	alice.expectUnbound(1, protocol.CodeDuplicateID)
	update := protocol.SourceUpdateRequest{Source: protocol.SourceMic, State: protocol.StateLive}
	one, two := alice.start(protocol.TypeSourceUpdate, update), alice.start(protocol.TypeSourceUpdate, update)
	alice.refused(protocol.CodeRateLimited, protocol.TypeSourceUpdate, update) // three wait already
	close(hold)
	for _, ch := range []<-chan reply{offer, one, two} {
		if _, err := alice.wait("held up", ch); err != nil {
			t.Error(err)
		}
	}
	alice.mu.Lock()
	alice.id = 0 // ids of requests answered long ago may come again
	alice.mu.Unlock()
	must[protocol.PingReply](alice, protocol.TypePing, protocol.PingRequest{})
}

func TestControlFlood(t *testing.T) {
	b := startServer(t)
	c := b.client().login()
	for range controlBurst + 1 {
		if err := c.ws.WriteControl(websocket.PongMessage, nil, time.Now().Add(patience)); err != nil {
			break
		}
	}
	c.expectClose(protocol.CloseRateLimited)
}

// A client that does not read is cut off, and its call goes on.
func TestSlowReader(t *testing.T) {
	b := startServer(t, func(c *Config) {
		c.Limits.QueueMessages, c.Limits.QueueBytes = 40, 512<<10
		c.Limits.ReplayEvents, c.Limits.ReplayBytes = 20, 256<<10
	})
	alice, bob, a := b.pair()
	slow := newClient(t, b.url)
	slow.device = bob.device
	d := websocket.Dialer{Subprotocols: []string{protocol.Subprotocol}}
	ws, _, err := d.Dial(b.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	slow.ws, slow.replies, slow.ended = ws, map[uint64]chan reply{}, make(chan struct{})
	// Read by hand until in the call, then no more.
	read := func(ch <-chan reply) any {
		t.Helper()
		for {
			select {
			case r := <-ch:
				if r.err != nil {
					t.Fatal(r.err)
				}
				return r.body
			default:
			}
			_, data, err := ws.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			slow.take(data)
		}
	}
	h := read(slow.start(protocol.TypeHello, protocol.HelloRequest{Client: "slow"})).(*protocol.HelloReply)
	read(slow.start(protocol.TypeLogin, slow.loginRequest(h.Challenge)))
	ch := read(slow.start(protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: a.id})).(*protocol.CallChallengeReply)
	req := protocol.CallJoinRequest{Call: a.id, Signature: signAdmission(t, a, ch.Challenge, slow)}
	slow.self = read(slow.start(protocol.TypeCallJoin, req)).(*protocol.CallJoinReply).Participant
	next[protocol.ParticipantJoinedEvent](alice)
	next[protocol.ParticipantJoinedEvent](bob)

	payload := strings.Repeat("x", 60_000)
	eventually(t, "the slow one is cut off", func() bool {
		alice.sendTo(slow, payload)
		return b.Metrics().Closes[protocol.CloseSlow] == 1
	})
	alice.sendTo(bob, "unaffected")
	bob.expectMessage("unaffected")
	for {
		if _, _, err = ws.ReadMessage(); err != nil {
			break
		}
	}
	if !websocket.IsCloseError(err, protocol.CloseSlow) {
		t.Errorf("ended with %v, want close code %d", err, protocol.CloseSlow)
	}
	close(slow.ended)
}

func TestHeartbeat(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Timing.Ping = time.Second })
	pinged := make(chan struct{}, 10)
	alice, bob, a := b.client(), b.client().login(), newCall(t)
	// Alice does not answer pings, as if her network had gone.
	alice.tune = func(ws *websocket.Conn) {
		ws.SetPingHandler(func(string) error {
			pinged <- struct{}{}
			return nil
		})
	}
	bob.create(a).join(a)
	alice.login().join(a)
	next[protocol.ParticipantJoinedEvent](bob)
	start := time.Now()
	select {
	case <-alice.ended:
	case <-time.After(patience):
		t.Fatal("a silent connection stays open")
	}
	if took := time.Since(start); took < 2*time.Second || len(pinged) < 2 {
		t.Errorf("ended after %v and %d pings", took, len(pinged))
	}
	bob.expectConnected(alice, false)
	must[protocol.PingReply](bob, protocol.TypePing, protocol.PingRequest{}) // bob's library answers pings
}

func TestShutdown(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	idle := b.client().login()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b.clock.advance(time.Hour)
	if err := b.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client{alice, bob, idle} {
		if e := next[protocol.ServerShutdownEvent](c); e.ReconnectMillis < 500 || e.ReconnectMillis > 2000 {
			t.Errorf("%+v", e)
		}
		c.expectClose(websocket.CloseGoingAway)
	}
	if n := b.plane.open(); n != 0 {
		t.Errorf("%d media peers are open", n)
	}
	got, err := b.store.Call(t.Context(), a.id)
	if err != nil || !got.LastUsed.Equal(b.clock.Now()) {
		t.Errorf("the call was last used %v, %v", got.LastUsed, err)
	}
	d := websocket.Dialer{Subprotocols: []string{protocol.Subprotocol}}
	_, resp, err := d.Dial(b.url, nil)
	if err == nil || resp == nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a new connection: %v, %v", resp, err)
	}
}

// A client that does not answer the close frame cannot hold up the stop.
func TestShutdownIsBounded(t *testing.T) {
	b := startServer(t)
	d := websocket.Dialer{Subprotocols: []string{protocol.Subprotocol}}
	ws, _, err := d.Dial(b.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close() // nobody reads from it
	eventually(t, "it is connected", func() bool { return b.Metrics().Connections == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err = b.Shutdown(ctx)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > lingerTime/2 {
		t.Errorf("ended after %v with %v", took, err)
	}
	eventually(t, "the connection is cut", func() bool { return b.Metrics().Connections == 0 })
}

func TestConfigErrors(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no store":              func(c *Config) { c.Store = nil },
		"no media":              func(c *Config) { c.Media = nil },
		"fast pings":            func(c *Config) { c.Timing.Ping = time.Millisecond },
		"negative limit":        func(c *Config) { c.Limits.Strikes = -1 },
		"participants":          func(c *Config) { c.Limits.Participants = 1025 },
		"payload":               func(c *Config) { c.Limits.PayloadBytes = 1 << 20 },
		"burst below a message": func(c *Config) { c.Limits.ByteBurst = 1000 },
		"queue below a replay":  func(c *Config) { c.Limits.QueueMessages = 10 },
		"origin with a path":    func(c *Config) { c.Origins = []string{"https://example.org/x"} },
		"origin of no kind":     func(c *Config) { c.Origins = []string{"example.org"} },
		"host not canonical":    func(c *Config) { c.Hosts = []string{"Example.org"} },
	} {
		cfg := Config{Store: struct{ CallStore }{}, Media: &fakePlane{}}
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !strings.HasPrefix(err.Error(), "signaling: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
