package signaling

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// stage is how far a connection must have come for a request.
type stage int

const (
	stageOpen    stage = iota // just connected
	stageGreeted              // said hello
	stageSession              // logged in
	stageSeat                 // in a call
)

// handler carries out one kind of request: it answers through the call, or
// refuses.
type handler struct {
	needs stage
	run   func(*call) *protocol.Error
}

// call is what a handler works on. session is set from stageSession on, seat
// at stageSeat; session.work is then held.
type call struct {
	*request
	server  *Server
	session *session
	seat    *seat
}

// handlers has an entry for every request of the registry; a test sees to it.
var handlers = map[string]handler{
	protocol.TypeHello:        {stageOpen, hello},
	protocol.TypePing:         {stageGreeted, ping},
	protocol.TypeLogin:        {stageGreeted, login},
	protocol.TypeCallCreate:   {stageSession, createCall},
	protocol.TypeCallLookup:   {stageSession, challengeForCall},
	protocol.TypeCallJoin:     {stageSession, joinCall},
	protocol.TypeCallLeave:    {stageSession, leaveCall},
	protocol.TypeCallSend:     {stageSeat, sendSealed},
	protocol.TypeSourceUpdate: {stageSeat, updateSource},
	protocol.TypeMediaOffer:   {stageSeat, offerMedia},
	protocol.TypeMediaRestart: {stageSeat, restartMedia},
	protocol.TypeSubscribe:    {stageSeat, subscribe},
}

// dispatch carries one request out. A bug in a handler costs the client its
// connection, and nobody else anything.
func (s *Server) dispatch(r *request) (refusal *protocol.Error) {
	defer func() {
		if p := recover(); p != nil {
			s.metrics.panics.Add(1)
			s.log.Error("a request hit a bug", "type", r.env.Type, "panic", p, "stack", string(debug.Stack()))
			r.end = &closing{websocket.CloseInternalServerErr, "internal error"}
			refusal = protocol.Refuse(protocol.CodeInternal, "internal error")
		}
	}()
	s.metrics.request(r.env.Type)
	if s.stopping() {
		return protocol.Refuse(protocol.CodeShuttingDown, "stopping")
	}
	h := handlers[r.env.Type]
	c := &call{request: r, server: s}
	if h.needs >= stageGreeted && !r.conn.greeted.Load() {
		return protocol.Refuse(protocol.CodeNotReady, "say hello first")
	}
	if h.needs < stageSession {
		return h.run(c)
	}
	if c.session = r.conn.bound(); c.session == nil {
		return protocol.Refuse(protocol.CodeNotReady, "log in first")
	}
	c.session.work.Lock()
	defer c.session.work.Unlock()
	if !c.session.attachedTo(r.conn) {
		// Resumed elsewhere: this connection is being closed.
		return protocol.Refuse(protocol.CodeNotReady, "the session was resumed elsewhere")
	}
	if h.needs == stageSeat {
		if c.seat = c.session.currentSeat(); c.seat == nil {
			return protocol.Refuse(protocol.CodeNotReady, "join a call first")
		}
	}
	return h.run(c)
}

// reply answers the request.
func (c *call) reply(body any) { c.conn.answer(c.env, body) }

// limited bounds what the request may wait for; a stop of the server ends the
// wait too.
func (c *call) limited(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(c.server.running, d)
}

// refusalOf turns an error of the media plane or the store into a refusal.
func (c *call) refusalOf(err error, code protocol.Code, doing string) *protocol.Error {
	var refusal *protocol.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	c.server.log.Warn(doing, "error", err)
	return protocol.Refuse(code, doing+" failed")
}
