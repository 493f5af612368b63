package signaling

import (
	"errors"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	// lingerTime is how long a client may take to answer our close frame.
	lingerTime = time.Second
	// controlsPerSecond and controlBurst bound the pings and pongs of a
	// client: they are answered by the WebSocket library, beneath our limits.
	controlsPerSecond = 2
	controlBurst      = 30
)

var errControlFlood = errors.New("signaling: too many control frames")

// conn is one WebSocket. Three goroutines serve it: one reads and checks, one
// carries requests out in order, one writes.
type conn struct {
	server *Server
	ws     *websocket.Conn
	host   string // canonical host of the URL the client dialled
	ip     netip.Addr
	out    *outbox
	queue  chan *request
	gone   chan struct{} // closed when reading has ended
	born   time.Time

	guard    *guard // of the reading goroutine, like controls
	controls bucket

	greeted   atomic.Bool // hello was said
	challenge []byte      // of the login; of the carrying-out goroutine

	mu      sync.Mutex
	waiting map[uint64]struct{} // ids of requests without a reply
	session *session            // set once, at login
	ended   bool
}

// request is one request on its way to a reply.
type request struct {
	conn *conn
	env  protocol.Envelope
	body any
	// end closes the connection once the request is answered, if set.
	end *closing
}

func newConn(s *Server, ws *websocket.Conn, host string) *conn {
	now := s.cfg.Now()
	return &conn{
		server: s, ws: ws, host: host, born: now,
		out:      newOutbox(s.cfg.Limits),
		queue:    make(chan *request, s.cfg.Limits.InFlight),
		gone:     make(chan struct{}),
		guard:    newGuard(s.cfg.Limits, now),
		controls: newBucket(controlsPerSecond, controlBurst, now),
		waiting:  make(map[uint64]struct{}),
	}
}

// serve runs the connection until it is over.
func (c *conn) serve() {
	var helpers sync.WaitGroup
	helpers.Go(c.write)
	helpers.Go(c.work)
	left := c.read()
	close(c.gone)
	close(c.queue)

	c.mu.Lock()
	c.ended = true
	s := c.session
	c.mu.Unlock()
	if s != nil {
		c.server.detach(s, c, left)
	}
	helpers.Wait()
}

// bind notes the session of this connection; false if the connection ended
// meanwhile, so that nobody else will detach it.
func (c *conn) bind(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
	return !c.ended
}

func (c *conn) bound() *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// send queues an encoded message.
func (c *conn) send(message []byte) {
	if !c.out.put(message) {
		c.server.metrics.close(protocol.CloseSlow)
	}
}

// hangUp has the connection closed after what is queued.
func (c *conn) hangUp(code int, reason string) {
	if c.out.close(code, reason) {
		c.server.metrics.close(code)
	}
}

// read reads until the connection ends. It reports whether the client left in
// order (close code 1000), rather than losing its connection.
func (c *conn) read() (left bool) {
	silence := 3 * c.server.cfg.Timing.Ping
	alive := func(string) error {
		if _, ok := c.controls.take(1, c.server.cfg.Now()); !ok {
			c.hangUp(protocol.CloseRateLimited, "too many control frames")
			return errControlFlood
		}
		return c.ws.SetReadDeadline(time.Now().Add(silence))
	}
	c.ws.SetReadLimit(int64(c.server.cfg.Limits.MessageBytes))
	c.ws.SetPongHandler(alive)
	c.ws.SetPingHandler(func(data string) error {
		if err := alive(data); err != nil {
			return err
		}
		_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		return nil
	})
	for {
		_ = c.ws.SetReadDeadline(time.Now().Add(silence))
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			if errors.Is(err, websocket.ErrReadLimit) {
				c.server.metrics.close(websocket.CloseMessageTooBig)
				c.readOff()
			}
			return websocket.IsCloseError(err, websocket.CloseNormalClosure) && !c.out.ending()
		}
		c.server.metrics.received(len(data))
		if c.out.ending() {
			continue // only the end of the connection is still of interest
		}
		c.receive(kind, data, c.server.cfg.Now())
	}
}

// readOff lets a client finish the message that was too big, within reason:
// closing with bytes unread would reset the connection and destroy the close
// frame that says why.
func (c *conn) readOff() {
	raw := c.ws.NetConn()
	_ = raw.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, raw, 16*int64(c.server.cfg.Limits.MessageBytes))
}

// receive checks one message and passes it on.
func (c *conn) receive(kind int, data []byte, now time.Time) {
	overrun, enough := c.guard.admit(len(data), now)
	if enough {
		c.hangUp(protocol.CloseRateLimited, "kept on sending after rate_limited")
		return
	}
	if kind != websocket.TextMessage {
		c.refuse(protocol.Envelope{}, protocol.Refuse(protocol.CodeBadJSON, "messages are text"), now)
		return
	}
	env, body, refusal := protocol.DecodeRequest(data)
	switch {
	case overrun != nil:
		c.refuse(env, overrun, now)
	case refusal != nil:
		c.refuse(env, refusal, now)
	case env.Type == protocol.TypePing && c.greeted.Load():
		// At once, even while another request takes its time.
		c.server.metrics.request(env.Type)
		c.answer(env, protocol.PingReply{})
	default:
		c.enqueue(&request{conn: c, env: env, body: body}, now)
	}
}

func (c *conn) enqueue(r *request, now time.Time) {
	c.mu.Lock()
	_, twice := c.waiting[r.env.ID]
	full := len(c.waiting) >= c.server.cfg.Limits.InFlight
	if !twice && !full {
		c.waiting[r.env.ID] = struct{}{}
	}
	c.mu.Unlock()
	switch {
	case twice:
		// Without the id: its reply is still to come.
		c.refuse(protocol.Envelope{Type: r.env.Type}, protocol.Refuse(protocol.CodeDuplicateID, "a request with this id waits for its reply"), now)
	case full:
		refusal := protocol.Refuse(protocol.CodeRateLimited, "too many requests wait for their reply")
		refusal.RetryAfterMillis = 100
		c.refuse(r.env, refusal, now)
	default:
		c.queue <- r // has room: it holds as many as may wait
	}
}

// refuse answers a request with an error, and hangs up on a client that keeps
// on sending what no client should.
func (c *conn) refuse(env protocol.Envelope, refusal *protocol.Error, now time.Time) {
	c.server.metrics.refuse(refusal.Code)
	c.send(encode(protocol.Envelope{Re: env.ID, Type: knownType(env.Type), Error: refusal}))
	if malformed[refusal.Code] && c.guard.strike(now) {
		c.hangUp(protocol.CloseProtocol, "too many malformed messages")
	}
}

// knownType keeps what a client made up out of our replies.
func knownType(name string) string {
	if _, ok := protocol.Lookup(name, protocol.KindRequest); ok {
		return name
	}
	return ""
}

// answer sends a reply.
func (c *conn) answer(env protocol.Envelope, body any) {
	c.send(encodeReply(env, body))
}

func encodeReply(env protocol.Envelope, body any) []byte {
	return encode(protocol.Envelope{Re: env.ID, Type: env.Type, Body: encode(body)})
}

// work carries requests out, one at a time and in order.
func (c *conn) work() {
	for r := range c.queue {
		select {
		case <-c.gone: // the client will ask again when it is back
			continue
		default:
		}
		c.carryOut(r)
	}
}

func (c *conn) carryOut(r *request) {
	refusal := c.server.dispatch(r)
	c.mu.Lock()
	delete(c.waiting, r.env.ID)
	c.mu.Unlock()
	if refusal != nil {
		c.server.metrics.refuse(refusal.Code)
		c.send(encode(protocol.Envelope{Re: r.env.ID, Type: r.env.Type, Error: refusal}))
	}
	if r.end != nil {
		c.hangUp(r.end.code, r.end.reason)
	}
}

// write sends what is queued, and pings.
func (c *conn) write() {
	defer c.ws.Close()
	ping := time.NewTicker(c.server.cfg.Timing.Ping)
	defer ping.Stop()
	for {
		message, end := c.out.next()
		switch {
		case message != nil:
			_ = c.ws.SetWriteDeadline(time.Now().Add(c.server.cfg.Timing.Write))
			if err := c.ws.WriteMessage(websocket.TextMessage, message); err != nil {
				return
			}
			c.server.metrics.sent(len(message))
			continue
		case end != nil:
			c.sayGoodbye(end)
			return
		}
		select {
		case <-c.out.wake:
		case <-ping.C:
			deadline := time.Now().Add(c.server.cfg.Timing.Write)
			if err := c.ws.WriteControl(websocket.PingMessage, nil, deadline); err != nil {
				return
			}
		case <-c.gone:
			return
		}
	}
}

// sayGoodbye sends the close frame and gives the client a moment to answer
// it: closing the TCP connection at once could destroy what it has not read.
func (c *conn) sayGoodbye(end *closing) {
	frame := websocket.FormatCloseMessage(end.code, end.reason)
	if err := c.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(c.server.cfg.Timing.Write)); err != nil {
		return
	}
	linger := time.NewTimer(lingerTime)
	defer linger.Stop()
	select {
	case <-c.gone:
	case <-linger.C:
	}
}
