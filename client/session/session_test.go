package session

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// fake is a server that says what the test wants.
type fake struct {
	t    *testing.T
	http *httptest.Server
	conn atomic.Int64 // connections so far
	// serve speaks on connection n = 1, 2, …; the WebSocket is closed after it.
	serve func(n int64, f *fakeConn)
	wg    sync.WaitGroup
}

type fakeConn struct {
	*websocket.Conn
	t *testing.T
}

func newFake(t *testing.T, serve func(n int64, f *fakeConn)) *fake {
	f := &fake{t: t, serve: serve}
	up := websocket.Upgrader{Subprotocols: []string{protocol.Subprotocol}}
	f.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.wg.Add(1)
		defer f.wg.Done()
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		f.serve(f.conn.Add(1), &fakeConn{ws, t})
	}))
	t.Cleanup(func() {
		f.http.Close()
		f.wg.Wait()
	})
	return f
}

// next reads a request; ok is false when the client is gone.
func (f *fakeConn) next() (env protocol.Envelope, ok bool) {
	_, data, err := f.ReadMessage()
	if err != nil {
		return env, false
	}
	if err := json.Unmarshal(data, &env); err != nil {
		f.t.Errorf("the client sent %q: %v", data, err)
		return env, false
	}
	return env, true
}

func (f *fakeConn) say(v []byte) { _ = f.WriteMessage(websocket.TextMessage, v) }

// login answers hello and login, and returns what the client wants to resume.
func (f *fakeConn) login(id protocol.SessionID, resumed bool) (*protocol.Resume, bool) {
	hello, ok := f.next()
	if !ok {
		return nil, false
	}
	f.say(replyTo(f.t, hello.ID, protocol.TypeHello, protocol.HelloReply{
		Server: "fake", Challenge: make([]byte, 32), PingMillis: 1000, ResumeMillis: 1000,
		Limits: protocol.Limits{
			MessageBytes: 1, MessagesPerSecond: 1, MessageBurst: 1, CallsPerDevice: 1,
			Participants: 1, AudioSlots: 1, VideoSlots: 1, PayloadBytes: 1,
		},
	}))
	login, ok := f.next()
	if !ok {
		return nil, false
	}
	var req protocol.LoginRequest
	if err := json.Unmarshal(login.Body, &req); err != nil {
		f.t.Error(err)
		return nil, false
	}
	f.say(replyTo(f.t, login.ID, protocol.TypeLogin, protocol.LoginReply{
		Device: protocol.DeviceID(idA), Session: id, Resumed: resumed,
	}))
	return req.Resume, true
}

// drain reads until the client is gone.
func (f *fakeConn) drain() {
	for {
		if _, ok := f.next(); !ok {
			return
		}
	}
}

func (f *fake) config() Config {
	e, err := ParseEndpoint(f.http.URL)
	if err != nil {
		f.t.Fatal(err)
	}
	d, err := identity.DeviceFromSeed(make([]byte, identity.SeedLen))
	if err != nil {
		f.t.Fatal(err)
	}
	return Config{Endpoint: e, Device: d, Client: "test", GiveUp: 3 * time.Second}
}

func (f *fake) open() *Session {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	s, err := Open(ctx, f.config())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(s.Close)
	return s
}

// events collects the session's events in the background.
func next(t *testing.T, s *Session) Event {
	t.Helper()
	select {
	case e, ok := <-s.Events():
		if !ok {
			t.Fatalf("the session ended: %v", s.Err())
		}
		return e
	case <-time.After(patience):
		t.Fatal("no event")
		return Event{}
	}
}

// The connection drops twice: events go on where they were, a waiting request is sent
// again, and its caller gets the answer.
func TestResume(t *testing.T) {
	f := newFake(t, func(n int64, c *fakeConn) {
		resume, ok := c.login(idA, n > 1)
		if !ok {
			return
		}
		if n > 1 && (resume == nil || resume.Session != idA || resume.LastSeq != uint64(n-1)) {
			t.Errorf("connection %d resumes %+v", n, resume)
		}
		c.say(eventOf(t, uint64(n))) // and those before, as if the client had not had them
		if n < 3 {
			if env, ok := c.next(); !ok || env.Type != protocol.TypeSubscribe {
				t.Errorf("connection %d: %+v", n, env)
			}
			return // without an answer
		}
		c.say(eventOf(t, 1))
		env, _ := c.next()
		c.say(replyTo(t, env.ID, env.Type, protocol.SubscribeReply{Bindings: []protocol.Binding{}}))
		c.drain()
	})
	s := f.open()
	var reply protocol.SubscribeReply
	if err := s.Do(t.Context(), protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: []protocol.Want{}}, &reply); err != nil {
		t.Fatal(err)
	}
	var seqs []int
	ups, downs := 0, 0
	for len(seqs) < 3 {
		e := next(t, s)
		switch {
		case e.Up != nil:
			if ups++; e.Up.New != (ups == 1) || e.Epoch != 1 {
				t.Errorf("%+v", e)
			}
		case e.Down != nil:
			downs++
		default:
			seqs = append(seqs, e.Message.Body.(*protocol.ServerShutdownEvent).ReconnectMillis)
		}
	}
	if ups != 3 || downs != 2 || seqs[0] != 1 || seqs[1] != 2 || seqs[2] != 3 {
		t.Errorf("%d up, %d down, %v", ups, downs, seqs)
	}
}

// The server has forgotten the session: a new epoch begins, waiting requests fail.
func TestForgotten(t *testing.T) {
	f := newFake(t, func(n int64, c *fakeConn) {
		id := idA
		if n > 1 {
			id = idB
		}
		if _, ok := c.login(id, false); !ok {
			return
		}
		if n == 1 {
			c.next()
			return
		}
		c.drain()
	})
	s := f.open()
	err := s.Do(t.Context(), protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: []protocol.Want{}}, nil)
	if CodeOf(err) != CodeSessionLost {
		t.Errorf("%v", err)
	}
	for {
		if e := next(t, s); e.Up != nil && e.Epoch == 2 {
			if !e.Up.New {
				t.Error("not told as new")
			}
			break
		}
	}
	if s.Epoch() != 2 {
		t.Errorf("epoch %d", s.Epoch())
	}
}

// Whatever nonsense a server speaks, the session ends with a code or goes on; it never
// crashes, hangs or hands nonsense on.
func TestHostileServer(t *testing.T) {
	nonsense := map[string]func(*fakeConn){
		"silence":      func(c *fakeConn) {},
		"binary":       func(c *fakeConn) { _ = c.WriteMessage(websocket.BinaryMessage, []byte{1}) },
		"junk":         func(c *fakeConn) { c.say([]byte("junk")) },
		"huge":         func(c *fakeConn) { c.say([]byte(strings.Repeat("[", protocol.MaxServerMessage+1))) },
		"deep":         func(c *fakeConn) { c.say([]byte(strings.Repeat("[", 100_000))) },
		"event first":  func(c *fakeConn) { c.say(eventOf(c.t, 1)) },
		"wrong reply":  func(c *fakeConn) { c.say([]byte(`{"re":1,"type":"ping","body":{}}`)) },
		"no challenge": func(c *fakeConn) { c.say([]byte(`{"re":1,"type":"hello","body":{}}`)) },
		"refusal": func(c *fakeConn) {
			c.say([]byte(`{"re":1,"type":"hello","error":{"code":"internal","message":"","retryable":true}}`))
		},
		"close":          func(c *fakeConn) { _ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4401, "")) },
		"foreign resume": func(c *fakeConn) { c.login(idA, true) },
	}
	for name, speak := range nonsense {
		f := newFake(t, func(_ int64, c *fakeConn) {
			speak(c)
			if name == "silence" {
				c.drain()
			}
		})
		timeout := patience
		if name == "silence" {
			timeout = 300 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		s, err := Open(ctx, f.config())
		cancel()
		if err == nil {
			s.Close()
			t.Errorf("%s: logged in", name)
		} else if CodeOf(err) == "" && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: an error without a code: %v", name, err)
		}
	}
}

// A server that breaks the protocol after the login is left, resumed, and given up in favour of
// a new session when it does so again and again.
func TestBreaches(t *testing.T) {
	var fresh atomic.Bool
	f := newFake(t, func(n int64, c *fakeConn) {
		hadSession := n > 1
		resume, ok := c.login(idA, hadSession && n <= maxBreaches)
		if !ok {
			return
		}
		if resume == nil && hadSession {
			fresh.Store(true)
			c.drain()
			return
		}
		c.say(eventOf(t, 77))
		c.drain()
	})
	s := f.open()
	for !fresh.Load() {
		if e := next(t, s); e.Message != nil {
			t.Fatalf("event 77 came through: %+v", e)
		}
	}
	if n := f.conn.Load(); n != maxBreaches+1 {
		t.Errorf("%d connections", n)
	}
}

func TestGivingUp(t *testing.T) {
	f := newFake(t, func(n int64, c *fakeConn) {
		if n == 1 {
			c.login(idA, false)
			return
		}
	})
	cfg := f.config()
	cfg.GiveUp = 200 * time.Millisecond
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range s.Events() {
	}
	if CodeOf(s.Err()) != CodeUnreachable {
		t.Errorf("%v", s.Err())
	}
	if err := s.Do(t.Context(), protocol.TypePing, protocol.PingRequest{}, nil); CodeOf(err) != CodeUnreachable {
		t.Errorf("a request after the end: %v", err)
	}
}

// Some reasons for hanging up are final.
func TestClosedForGood(t *testing.T) {
	f := newFake(t, func(n int64, c *fakeConn) {
		c.login(idA, false)
		_ = c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(protocol.CloseReplaced, ""))
		c.drain()
	})
	s := f.open()
	for range s.Events() {
	}
	if CodeOf(s.Err()) != CodeReplaced || f.conn.Load() != 1 {
		t.Errorf("%v after %d connections", s.Err(), f.conn.Load())
	}
}

func TestNotSotto(t *testing.T) {
	h := httptest.NewServer(http.NotFoundHandler())
	defer h.Close()
	f := &fake{t: t, http: h}
	if _, err := Open(t.Context(), f.config()); CodeOf(err) != CodeNotSotto {
		t.Errorf("%v", err)
	}
	up := websocket.Upgrader{}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ws, err := up.Upgrade(w, r, nil); err == nil {
			ws.Close()
		}
	}))
	defer plain.Close()
	f.http = plain
	if _, err := Open(t.Context(), f.config()); CodeOf(err) != CodeNotSotto {
		t.Errorf("without the subprotocol: %v", err)
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	f.http = secure
	if _, err := Open(t.Context(), f.config()); CodeOf(err) != CodeTLSUntrusted {
		t.Errorf("an unknown certificate: %v", err)
	}
}

// Close ends waiting callers.
func TestClose(t *testing.T) {
	f := newFake(t, func(_ int64, c *fakeConn) {
		c.login(idA, false)
		c.drain()
	})
	s := f.open()
	got := make(chan error)
	go func() { got <- s.Do(t.Context(), protocol.TypePing, protocol.PingRequest{}, nil) }()
	time.Sleep(20 * time.Millisecond)
	s.Close()
	if err := <-got; CodeOf(err) != CodeClosed {
		t.Errorf("%v", err)
	}
}
