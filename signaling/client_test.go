package signaling

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// eventually waits for a condition.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// event is an event as a test client got it.
type event struct {
	seq  uint64
	body any
}

// client is a test client: one device with one WebSocket at a time.
type client struct {
	t      testing.TB
	url    string
	device identity.Device
	header http.Header
	tune   func(*websocket.Conn) // before anything is read, if set

	ws      *websocket.Conn
	session protocol.SessionID
	self    protocol.ParticipantID

	mu        sync.Mutex
	id        uint64
	replies   map[uint64]chan reply
	events    []event // of the session, across WebSockets
	seen      int     // events that next has given out
	lastSeq   uint64
	unbound   []*protocol.Error // errors without re
	closeCode int               // once the reader ended; -1 for a lost connection
	ended     chan struct{}
}

type reply struct {
	body any
	err  *protocol.Error
}

func newDevice(t testing.TB) identity.Device {
	t.Helper()
	seed, err := identity.NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := identity.DeviceFromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newClient makes a client of its own device, not yet connected.
func newClient(t testing.TB, url string) *client {
	return &client{t: t, url: url, device: newDevice(t), header: http.Header{}}
}

func (c *client) dial() {
	c.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{protocol.Subprotocol}, HandshakeTimeout: patience}
	ws, _, err := d.Dial(c.url, c.header)
	if err != nil {
		c.t.Fatalf("dialling: %v", err)
	}
	c.ws = ws
	c.mu.Lock()
	c.replies = make(map[uint64]chan reply)
	c.ended = make(chan struct{})
	c.closeCode = 0
	c.mu.Unlock()
	c.t.Cleanup(c.drop)
	if c.tune != nil {
		c.tune(ws)
	}
	go c.read(ws, c.ended)
}

func (c *client) read(ws *websocket.Conn, ended chan struct{}) {
	defer close(ended)
	for {
		_, data, err := ws.ReadMessage()
		if err != nil {
			code := -1
			var ce *websocket.CloseError
			if errors.As(err, &ce) && ce.Code != websocket.CloseAbnormalClosure {
				code = ce.Code
			}
			c.mu.Lock()
			c.closeCode = code
			c.mu.Unlock()
			_ = ws.Close()
			return
		}
		c.take(data)
	}
}

func (c *client) take(data []byte) {
	env, body, perr := protocol.DecodeServerMessage(data)
	if perr != nil {
		c.t.Errorf("the server sent %s: %v", data, perr)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case env.Seq != 0:
		if env.Seq != c.lastSeq+1 {
			c.t.Errorf("event %d came after %d", env.Seq, c.lastSeq)
		}
		c.lastSeq = env.Seq
		c.events = append(c.events, event{env.Seq, body})
	case env.Re == 0:
		c.unbound = append(c.unbound, env.Error)
	default:
		ch := c.replies[env.Re]
		if ch == nil {
			c.t.Errorf("a reply to request %d, which nobody made", env.Re)
			return
		}
		delete(c.replies, env.Re)
		if l, ok := body.(*protocol.LoginReply); ok && !l.Resumed {
			c.lastSeq, c.events, c.seen = 0, nil, 0 // a new session counts from 1
		}
		ch <- reply{body, env.Error}
	}
}

// start sends a request without waiting for the reply.
func (c *client) start(name string, body any) <-chan reply {
	c.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id++
	ch := make(chan reply, 1)
	c.replies[c.id] = ch
	data, err := json.Marshal(protocol.Envelope{ID: c.id, Type: name, Body: raw})
	if err != nil {
		c.t.Fatal(err)
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(patience))
	_ = c.ws.WriteMessage(websocket.TextMessage, data) // a failure shows in the missing reply
	return ch
}

func (c *client) wait(name string, ch <-chan reply) (any, *protocol.Error) {
	c.t.Helper()
	select {
	case r := <-ch:
		return r.body, r.err
	case <-c.ended:
		select {
		case r := <-ch:
			return r.body, r.err
		default:
		}
		c.t.Fatalf("%s: the connection ended (%d) without a reply", name, c.code())
	case <-time.After(patience):
		c.t.Fatalf("%s: no reply", name)
	}
	return nil, nil
}

func (c *client) try(name string, body any) (any, *protocol.Error) {
	c.t.Helper()
	return c.wait(name, c.start(name, body))
}

// must makes a request that has to succeed.
func must[Reply any](c *client, name string, body any) Reply {
	c.t.Helper()
	got, err := c.try(name, body)
	if err != nil {
		c.t.Fatalf("%s: %v", name, err)
	}
	return *got.(*Reply)
}

// refused makes a request that has to be refused with a code.
func (c *client) refused(code protocol.Code, name string, body any) *protocol.Error {
	c.t.Helper()
	_, err := c.try(name, body)
	if err == nil {
		c.t.Fatalf("%s succeeded, want %s", name, code)
	}
	if err.Code != code {
		c.t.Fatalf("%s: %v, want %s", name, err, code)
	}
	if err.Retryable != code.Retryable() {
		c.t.Errorf("%s: retryable %v", code, err.Retryable)
	}
	return err
}

func (c *client) hello() protocol.HelloReply {
	c.t.Helper()
	return must[protocol.HelloReply](c, protocol.TypeHello, protocol.HelloRequest{Client: "test/1"})
}

func (c *client) host() string {
	return strings.TrimSuffix(strings.TrimPrefix(c.url, "ws://"), protocol.Path)
}

func (c *client) loginRequest(challenge []byte) protocol.LoginRequest {
	c.t.Helper()
	sig, err := c.device.SignLogin(challenge, c.host())
	if err != nil {
		c.t.Fatal(err)
	}
	return protocol.LoginRequest{DeviceKey: protocol.Bytes(c.device.PublicKey()), Signature: sig}
}

// login connects and logs in to a new session.
func (c *client) login() *client {
	c.t.Helper()
	c.dial()
	got := must[protocol.LoginReply](c, protocol.TypeLogin, c.loginRequest(c.hello().Challenge))
	if got.Resumed {
		c.t.Fatal("a new session says it was resumed")
	}
	c.session = got.Session
	return c
}

// resume connects anew and asks for the old session.
func (c *client) resume() protocol.LoginReply {
	c.t.Helper()
	c.dial()
	req := c.loginRequest(c.hello().Challenge)
	c.mu.Lock()
	req.Resume = &protocol.Resume{Session: c.session, LastSeq: c.lastSeq}
	c.mu.Unlock()
	got := must[protocol.LoginReply](c, protocol.TypeLogin, req)
	c.session = got.Session
	return got
}

// drop loses the connection without a close frame.
func (c *client) drop() {
	if c.ws != nil {
		_ = c.ws.Close()
		<-c.ended
	}
}

// closeWith sends a close frame and waits for the end.
func (c *client) closeWith(code int) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(patience))
	<-c.ended
}

// code is the close code that ended the connection.
func (c *client) code() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closeCode
}

func (c *client) expectClose(code int) {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("still open, want close code %d", code)
	}
	if got := c.code(); got != code {
		c.t.Fatalf("closed with %d, want %d", got, code)
	}
}

// next gives the next event, which has to be of a type.
func next[Event any](c *client) Event {
	c.t.Helper()
	var got event
	eventually(c.t, "an event comes", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.seen == len(c.events) {
			return false
		}
		got = c.events[c.seen]
		c.seen++
		return true
	})
	e, ok := got.body.(*Event)
	if !ok {
		var want Event
		c.t.Fatalf("got event %T %+v, want %T", got.body, got.body, want)
	}
	return *e
}

// quiet checks that no event is waiting. A ping in between makes sure that
// what was sent before has arrived.
func (c *client) quiet() {
	c.t.Helper()
	must[protocol.PingReply](c, protocol.TypePing, protocol.PingRequest{})
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events[c.seen:] {
		c.t.Errorf("unexpected event %T %+v", e.body, e.body)
	}
	c.seen = len(c.events)
}

// aCall is a call's admission key as its members have it.
type aCall struct {
	id  protocol.CallID
	key ed25519.PrivateKey
}

func newCall(t testing.TB) aCall {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return aCall{protocol.CallID(identity.CallID(pub).String()), priv}
}

func (a aCall) create() protocol.CallCreateRequest {
	return protocol.CallCreateRequest{Call: a.id, AdmissionKey: protocol.Bytes(a.key.Public().(ed25519.PublicKey))}
}

func (c *client) create(a aCall) *client {
	c.t.Helper()
	must[protocol.CallCreateReply](c, protocol.TypeCallCreate, a.create())
	return c
}

func (c *client) joinRequest(a aCall) protocol.CallJoinRequest {
	c.t.Helper()
	ch := must[protocol.CallChallengeReply](c, protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: a.id})
	return protocol.CallJoinRequest{Call: a.id, Signature: signAdmission(c.t, a, ch.Challenge, c)}
}

func (c *client) join(a aCall) protocol.CallJoinReply {
	c.t.Helper()
	got := must[protocol.CallJoinReply](c, protocol.TypeCallJoin, c.joinRequest(a))
	c.self = got.Participant
	return got
}

// offer makes the media offer.
func (c *client) offer() {
	c.t.Helper()
	must[protocol.MediaOfferReply](c, protocol.TypeMediaOffer, anOffer("offer of "+string(c.self)))
}

func anOffer(sdp string) protocol.MediaOfferRequest {
	return protocol.MediaOfferRequest{SDP: sdp, Sections: []protocol.Section{
		{Mid: "0", Publish: protocol.SourceMic}, {Mid: "1", Receive: protocol.KindAudio},
	}}
}

func signAdmission(t testing.TB, a aCall, challenge []byte, c *client) protocol.Bytes {
	t.Helper()
	sig, err := identity.SignAdmission(a.key, challenge, c.device.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return sig
}
