package session

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// maxPending bounds the requests without an answer. Ours are few; a server that
// answers none must not fill our memory.
const maxPending = 256

// pending is a request without an answer yet.
type pending struct {
	typ   string
	frame []byte
	tries int
	// once says that the request must not be sent again on another WebSocket: the
	// server may have acted on it.
	once bool
	done func(body any, err error)
}

// core is the bookkeeping of a session: bytes in, bytes and events out. Not safe
// for concurrent use.
type core struct {
	id      protocol.SessionID // empty before the first login
	epoch   uint64             // counts the sessions opened
	lastSeq uint64
	nextID  uint64
	pending map[uint64]*pending
}

func newCore() *core { return &core{pending: make(map[uint64]*pending)} }

// request numbers and encodes a request. done is called with the decoded body of
// the reply, or an error, exactly once.
func (c *core) request(typ string, body any, once bool, done func(any, error)) ([]byte, error) {
	if len(c.pending) >= maxPending {
		return nil, Fail(CodeProtocol, "the server leaves too many requests unanswered", nil)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("session: encoding %s: %w", typ, err)
	}
	c.nextID++
	frame, err := json.Marshal(protocol.Envelope{ID: c.nextID, Type: typ, Body: raw})
	if err != nil {
		return nil, fmt.Errorf("session: encoding %s: %w", typ, err)
	}
	c.pending[c.nextID] = &pending{typ: typ, frame: frame, once: once, done: done}
	return frame, nil
}

// message is an event of the server.
type message struct {
	typ  string
	body any
}

// received is what came out of one frame: an event, or a request to be sent again.
type received struct {
	event *message
	retry *retry
}

// retry asks to send a request again, which the server was too busy for.
type retry struct {
	id          uint64
	afterMillis int
}

// maxTries bounds how often a rate-limited request is sent.
const maxTries = 6

// receive takes one frame of the server. An error means that the server broke the
// protocol and the WebSocket is to be given up.
func (c *core) receive(data []byte) (received, error) {
	env, body, perr := protocol.DecodeServerMessage(data)
	if perr != nil {
		return received{}, Fail(CodeProtocol, "an unreadable message", perr)
	}
	if env.Seq != 0 {
		return c.event(env, body)
	}
	p := c.pending[env.Re]
	if p == nil {
		if env.Error != nil {
			// About a message that the server could not read: ours are well formed, so
			// this is a mistake on one of the sides, and there is nobody to tell.
			return received{}, Fail(CodeProtocol, "the server could not read a message", env.Error)
		}
		return received{}, nil // answered already, before the resume
	}
	if e := env.Error; e != nil && e.Code == protocol.CodeRateLimited && p.tries < maxTries {
		p.tries++
		return received{retry: &retry{id: env.Re, afterMillis: min(max(e.RetryAfterMillis, 50), 10_000)}}, nil
	}
	delete(c.pending, env.Re)
	switch {
	case env.Error != nil:
		p.done(nil, refused(p.typ, env.Error))
	case env.Type != p.typ:
		p.done(nil, Fail(CodeProtocol, "the reply is of another type than the request", nil))
		return received{}, Fail(CodeProtocol, "a reply of type "+env.Type+" to "+p.typ, nil)
	default:
		p.done(body, nil)
	}
	return received{}, nil
}

// event checks the sequence: each once, none left out.
func (c *core) event(env protocol.Envelope, body any) (received, error) {
	switch {
	case env.Seq <= c.lastSeq:
		return received{}, nil // replayed, and had before
	case env.Seq != c.lastSeq+1:
		return received{}, Fail(CodeProtocol, fmt.Sprintf("event %d follows %d", env.Seq, c.lastSeq), nil)
	}
	c.lastSeq = env.Seq
	return received{event: &message{env.Type, body}}, nil
}

// resume is what to log in with: nil for a new session.
func (c *core) resume() *protocol.Resume {
	if c.id == "" {
		return nil
	}
	return &protocol.Resume{Session: c.id, LastSeq: c.lastSeq}
}

// opened takes in the outcome of a login. The requests to be sent (again) are
// returned oldest first; those that cannot be are failed.
func (c *core) opened(r *protocol.LoginReply) (frames [][]byte, err error) {
	if r.Resumed && r.Session != c.id {
		return nil, Fail(CodeProtocol, "the server resumed a session that is not ours", nil)
	}
	if !r.Resumed {
		lost := c.id != ""
		c.id, c.lastSeq = r.Session, 0
		c.epoch++
		if lost {
			c.fail(func(*pending) bool { return true }, Fail(CodeSessionLost, "the server has forgotten this session", nil))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.pending)) {
		frames = append(frames, c.pending[id].frame)
	}
	return frames, nil
}

// dropped takes in that the WebSocket is gone.
func (c *core) dropped() {
	c.fail(func(p *pending) bool { return p.once }, Fail(CodeUnreachable, "the connection was lost while waiting for the answer", nil))
}

// fail ends the requests that are picked.
func (c *core) fail(pick func(*pending) bool, err error) {
	for _, id := range slices.Sorted(maps.Keys(c.pending)) {
		if p := c.pending[id]; pick(p) {
			delete(c.pending, id)
			p.done(nil, err)
		}
	}
}

// forget makes the next login open a new session.
func (c *core) forget() {
	c.id, c.lastSeq = "", 0
	c.fail(func(*pending) bool { return true }, Fail(CodeSessionLost, "the session was given up", nil))
}
