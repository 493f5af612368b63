package session

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// loginTimeout bounds hello and login together.
const loginTimeout = 10 * time.Second

// maxShutdownWait bounds how long a stopping server may ask us to stay away.
const maxShutdownWait = 5 * time.Second

// connection is one WebSocket of the session, logged in.
type connection struct {
	ws    *websocket.Conn
	hello *protocol.HelloReply
	isNew bool
	epoch uint64
	got   bool          // something valid came after the login
	wait  time.Duration // before reconnecting, as the server asked
}

// login connects, proves the device key and opens or resumes the session.
func (s *Session) login(ctx context.Context) (c *connection, err error) {
	ws, err := s.cfg.Endpoint.connect(ctx, s.cfg.TLS)
	if err != nil {
		return nil, err
	}
	// The handshake reads from the WebSocket itself: closing it is what ends the wait.
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			c = nil
			ws.Close()
		}
	}()
	_ = ws.SetReadDeadline(time.Now().Add(loginTimeout))
	c = &connection{ws: ws, hello: &protocol.HelloReply{}}
	if err := s.ask(ws, protocol.TypeHello, protocol.HelloRequest{Client: s.cfg.Client}, c.hello); err != nil {
		return nil, fmt.Errorf("session: greeting the server: %w", err)
	}
	signature, err := s.cfg.Device.SignLogin(c.hello.Challenge, s.cfg.Endpoint.Host)
	if err != nil {
		return nil, Fail(CodeProtocol, "the server's challenge cannot be signed", err)
	}
	s.mu.Lock()
	req := protocol.LoginRequest{
		DeviceKey: protocol.Bytes(s.cfg.Device.PublicKey()), Signature: signature, Resume: s.core.resume(),
	}
	s.mu.Unlock()
	var reply protocol.LoginReply
	if err := s.ask(ws, protocol.TypeLogin, req, &reply); err != nil {
		return nil, fmt.Errorf("session: logging in: %w", err)
	}
	_ = ws.SetReadDeadline(time.Time{})
	c.isNew = !reply.Resumed
	c.epoch, err = s.install(ws, &reply)
	return c, err
}

// install makes ws the session's connection and sends what waits for it. Nothing newer
// may overtake that: sealed messages are numbered, and late ones are refused.
func (s *Session) install(ws *websocket.Conn, reply *protocol.LoginReply) (epoch uint64, err error) {
	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return 0, s.err
	}
	frames, err := s.core.opened(reply)
	if err == nil {
		s.ws = ws
	}
	epoch = s.core.epoch
	s.mu.Unlock()
	for _, frame := range frames {
		writeLocked(ws, frame)
	}
	return epoch, err
}

// ask sends a request of the handshake and reads its reply, which is the next
// message.
func (s *Session) ask(ws *websocket.Conn, typ string, body, reply any) error {
	var got any
	var failed error
	answered := false
	s.mu.Lock()
	frame, err := s.core.request(typ, body, true, func(b any, err error) { got, failed, answered = b, err, true })
	s.mu.Unlock()
	if err != nil {
		return err
	}
	s.write(ws, frame)
	_, data, err := ws.ReadMessage()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.core.dropped()
		return readError(err)
	}
	if _, err := s.core.receive(data); err != nil {
		s.core.dropped()
		return err
	}
	if !answered {
		s.core.dropped()
		return Fail(CodeProtocol, "the server did not answer "+typ, nil)
	}
	if failed != nil {
		return failed
	}
	return assign(reply, got)
}

func readError(err error) error {
	if _, ok := errors.AsType[*websocket.CloseError](err); ok {
		if fatal := closedForGood(err); fatal != nil {
			return fatal
		}
	}
	return Fail(CodeUnreachable, "the connection was lost", err)
}

// serve reads one connection until it fails.
func (s *Session) serve(c *connection) error {
	s.tell(Event{Epoch: c.epoch, Up: &Up{New: c.isNew}})
	ping := time.Duration(c.hello.PingMillis) * time.Millisecond
	stop := s.keepAlive(c.ws, ping)
	defer stop()
	defer func() {
		s.mu.Lock()
		s.ws = nil
		s.core.dropped()
		s.mu.Unlock()
		c.ws.Close()
	}()
	for {
		// Pings are answered, so a silence of two is the end of the connection.
		_ = c.ws.SetReadDeadline(time.Now().Add(2*ping + time.Second))
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			return err
		}
		if kind != websocket.TextMessage {
			return Fail(CodeProtocol, "a binary message", nil)
		}
		s.mu.Lock()
		r, err := s.core.receive(data)
		s.mu.Unlock()
		if err != nil {
			return err
		}
		c.got = true
		if r.retry != nil {
			s.retryLater(*r.retry)
		}
		if r.event == nil {
			continue
		}
		if e, ok := r.event.body.(*protocol.ServerShutdownEvent); ok {
			c.wait = min(time.Duration(e.ReconnectMillis)*time.Millisecond, maxShutdownWait)
		}
		s.tell(Event{Epoch: c.epoch, Message: &Message{Type: r.event.typ, Body: r.event.body}})
	}
}

// retryLater sends a request again once the server wants it.
func (s *Session) retryLater(r retry) {
	time.AfterFunc(time.Duration(r.afterMillis)*time.Millisecond, func() {
		s.mu.Lock()
		p, ws := s.core.pending[r.id], s.ws
		s.mu.Unlock()
		if p != nil && ws != nil {
			s.write(ws, p.frame)
		}
	})
}

// keepAlive sends a ping every so often until the returned function is called.
func (s *Session) keepAlive(ws *websocket.Conn, every time.Duration) (stop func()) {
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				s.mu.Lock()
				frame, err := s.core.request(protocol.TypePing, protocol.PingRequest{}, true, func(any, error) {})
				s.mu.Unlock()
				if err != nil {
					ws.Close()
					return
				}
				s.write(ws, frame)
			}
		}
	}()
	return func() {
		close(done)
		ws.Close() // a write in progress must not keep the goroutine
		<-gone
	}
}

// assign copies the body of a reply to where the caller wants it.
func assign(reply, body any) error {
	if reply == nil {
		return nil
	}
	dst, src := reflect.ValueOf(reply), reflect.ValueOf(body)
	if src.Kind() != reflect.Pointer || dst.Type() != src.Type() {
		return fmt.Errorf("session: a reply of %v cannot be stored in %v", src.Type(), dst.Type())
	}
	dst.Elem().Set(src.Elem())
	return nil
}
