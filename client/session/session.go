package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	// requestTimeout bounds one request whose caller has no deadline of its own.
	requestTimeout = 15 * time.Second
	// queueLen is how many events may wait for their consumer before reading from
	// the server stops.
	queueLen = 1024
	// maxBreaches is after how many breaches of protocol in a row a session is given
	// up instead of resumed.
	maxBreaches = 3
)

// Config is what a session is made of.
type Config struct {
	Endpoint Endpoint
	TLS      *tls.Config // nil: the system's roots
	Device   identity.Device
	Client   string        // software and version, for the operator's logs
	GiveUp   time.Duration // how long to try to get back; 0: 2 minutes
	Logger   *slog.Logger
}

// Event is what a session has to tell, in order. Exactly one field besides Epoch is
// set.
type Event struct {
	// Epoch counts the sessions that the server knew: it grows when one was forgotten
	// and another opened in its place. What is of an older epoch is of no more use.
	Epoch uint64
	// Up: connected and logged in; the value tells whether the session is a new one,
	// as it always is the first time.
	Up *Up
	// Down: the connection was lost, and is being looked for.
	Down error
	// Message: the server said something.
	Message *Message
}

// Up tells of a connection.
type Up struct{ New bool }

// Message is an event of the server, decoded and checked, e.g. Body is a
// *protocol.CallMessageEvent.
type Message struct {
	Type string
	Body any
}

// Session is a signalling session. Safe for concurrent use.
type Session struct {
	cfg    Config
	log    *slog.Logger
	hello  *protocol.HelloReply // of the first connection
	events chan Event
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	core *core
	ws   *websocket.Conn // nil while there is none
	err  error           // why the session ended

	writeMu sync.Mutex
}

// Open connects and logs in. It returns once the session is open, or tells why it
// cannot be; ctx bounds only that. The caller must read Events until it is closed, and Close
// the session.
func Open(ctx context.Context, cfg Config) (*Session, error) {
	if cfg.GiveUp == 0 {
		cfg.GiveUp = 2 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Session{
		cfg: cfg, log: cfg.Logger, core: newCore(),
		events: make(chan Event, queueLen), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	c, err := s.login(ctx)
	if err != nil {
		s.cancel()
		return nil, err
	}
	s.hello = c.hello
	go s.run(c)
	return s, nil
}

// Hello is what the server said of itself and its limits on the first connection.
func (s *Session) Hello() protocol.HelloReply { return *s.hello }

// Events are what the session has to tell. The channel is closed when the session has
// ended; Err then says why. Whoever does not read it stops the session.
func (s *Session) Events() <-chan Event { return s.events }

// Epoch is that of the newest login; see Event.
func (s *Session) Epoch() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.core.epoch
}

// Err is why the session has ended, nil before.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session. The server is not told; leave the call first.
func (s *Session) Close() {
	s.end(Fail(CodeClosed, "the session was closed", nil))
	<-s.done
}

// Drop cuts the WebSocket without ending the session, as a change of network does.
func (s *Session) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ws != nil {
		s.ws.Close()
	}
}

// end notes the first reason and stops everything.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	if s.ws != nil {
		s.ws.Close()
	}
	s.mu.Unlock()
	s.cancel()
}

// Do sends a request and waits for the reply, which is stored in reply if that is not nil: a
// pointer to the type of the reply's body. While the connection is lost it waits for the session to come
// back. A refusal by the server is an *Error with the server's code.
func (s *Session) Do(ctx context.Context, typ string, body, reply any) error {
	return s.do(ctx, typ, body, reply, false)
}

// DoOnce is Do for requests that must not be sent twice: if the connection drops before
// the reply, it fails with CodeUnreachable.
func (s *Session) DoOnce(ctx context.Context, typ string, body, reply any) error {
	return s.do(ctx, typ, body, reply, true)
}

func (s *Session) do(ctx context.Context, typ string, body, reply any, once bool) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	type outcome struct {
		body any
		err  error
	}
	got := make(chan outcome, 1)
	if err := s.send(typ, body, once, func(b any, err error) { got <- outcome{b, err} }); err != nil {
		return err
	}
	select {
	case o := <-got:
		if o.err != nil {
			return o.err
		}
		return assign(reply, o.body)
	case <-ctx.Done():
		return Fail(CodeTimeout, "no answer to "+typ, ctx.Err())
	case <-s.ctx.Done():
		return s.Err()
	}
}

// Start sends a request and does not wait. done gets the decoded body of the reply, e.g. a
// *protocol.SubscribeReply, or an error, exactly once; it runs on the session's own
// goroutine or on the caller's, and must neither block nor call the session.
func (s *Session) Start(typ string, body any, done func(body any, err error)) {
	if err := s.send(typ, body, false, done); err != nil {
		done(nil, err)
	}
}

// send registers a request and writes it, if there is a connection to write to. done
// runs on the session's own goroutine and must not block.
func (s *Session) send(typ string, body any, once bool, done func(any, error)) error {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return s.err
	}
	ws := s.ws
	if once && ws == nil {
		s.mu.Unlock()
		return Fail(CodeUnreachable, "not connected", nil)
	}
	frame, err := s.core.request(typ, body, once, done)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if ws != nil {
		s.write(ws, frame)
	}
	return nil
}

// write sends a frame. A failure closes the WebSocket; its reader notices.
func (s *Session) write(ws *websocket.Conn, frame []byte) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	writeLocked(ws, frame)
}

func writeLocked(ws *websocket.Conn, frame []byte) {
	_ = ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		ws.Close()
	}
}

// tell queues an event for the consumer.
func (s *Session) tell(e Event) {
	select {
	case s.events <- e:
	case <-s.ctx.Done():
	}
}

// run serves one connection after the other until the session ends.
func (s *Session) run(c *connection) {
	defer close(s.done)
	defer close(s.events)
	breaches := 0
	for {
		err := s.serve(c)
		if s.ctx.Err() != nil {
			break
		}
		s.log.Info("signalling connection lost", "err", err)
		if c.got {
			breaches = 0
		}
		if CodeOf(err) == CodeProtocol {
			if breaches++; breaches >= maxBreaches {
				s.mu.Lock()
				s.core.forget()
				s.mu.Unlock()
			}
		}
		if fatal := closedForGood(err); fatal != nil {
			s.end(fatal)
			break
		}
		s.tell(Event{Epoch: c.epoch, Down: err})
		if c, err = s.reconnect(c.wait, slowDown(err)); err != nil {
			s.end(err)
			break
		}
	}
	s.mu.Lock()
	s.core.fail(func(*pending) bool { return true }, s.err)
	s.mu.Unlock()
}

// closedForGood tells whether the server hung up for a reason that reconnecting
// cannot mend.
func closedForGood(err error) error {
	ce, ok := errors.AsType[*websocket.CloseError](err)
	if !ok {
		return nil
	}
	switch ce.Code {
	case protocol.CloseReplaced:
		return Fail(CodeReplaced, "the session goes on elsewhere", ce)
	case protocol.CloseUnauthorized:
		return Fail(Code(protocol.CodeBadSignature), "the server refused the login", ce)
	}
	return nil
}

// slowDown reports whether the server hung up because we ask too often.
func slowDown(err error) bool {
	ce, ok := errors.AsType[*websocket.CloseError](err)
	return ok && (ce.Code == protocol.CloseRateLimited || ce.Code == protocol.CloseTooManyPerKey)
}

// reconnect tries until it works, the session is closed, or GiveUp is over. first is
// how long the server asked to wait.
func (s *Session) reconnect(first time.Duration, slow bool) (*connection, error) {
	begin := time.Now()
	wait := first
	for n := 0; ; n++ {
		wait += backoff(n, rand.Float64())
		if slow {
			wait = backoffSlow
		}
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return nil, s.Err()
		}
		wait = 0
		c, err := s.login(s.ctx)
		switch code := CodeOf(err); {
		case err == nil:
			s.log.Info("signalling connection is back", "attempt", n+1, "after", time.Since(begin).Round(time.Millisecond))
			return c, nil
		case s.ctx.Err() != nil:
			return nil, s.Err()
		case code == CodeTLSUntrusted, code == CodeReplaced, code == Code(protocol.CodeBadSignature):
			return nil, err // another machine answers, or we are not wanted
		case time.Since(begin) > s.cfg.GiveUp:
			return nil, fmt.Errorf("session: giving up after %v: %w", s.cfg.GiveUp, err)
		default:
			slow = slowDown(err)
			s.log.Debug("reconnecting failed", "attempt", n+1, "err", err)
		}
	}
}
