package signaling

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// session is one login. It outlives its WebSocket by the resume window, as
// long as it is in a call.
type session struct {
	id     protocol.SessionID
	device protocol.DeviceID
	key    protocol.Bytes // device key

	// work is held while a request is carried out, so that requests of one
	// session never overlap, not even when a new WebSocket takes over from one
	// whose last request is still running. It guards challenges and what
	// seat says it guards.
	work       sync.Mutex
	challenges challenges

	mu         sync.Mutex // guards all below; see doc.go for the order of locks
	stream     *stream
	conn       *conn     // nil while detached
	detachedAt time.Time // valid while conn is nil
	seat       *seat     // nil while in no call
	doomed     bool      // cannot be resumed any more; the sweeper ends it
	ended      bool
}

// seat is a session's place in a call.
type seat struct {
	server  *Server
	session *session
	room    *liveRoom
	member  *member
	peer    MediaPeer

	offer, restart *answered // guarded by session.work

	mediaClosed atomic.Bool // the client closed its media connection in order

	wants  []protocol.Want // the last subscription; guarded by session.work
	asking atomic.Bool     // bindings are about to be asked for: see Bindings
}

// answered remembers the last offer with its answer, so that a client that
// lost the reply can ask again.
type answered struct{ offer, answer string }

// push sends an event, or keeps it for the resumption. It never blocks.
func (s *session) push(name string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.doomed {
		return
	}
	event, lost := s.stream.push(name, body, s.conn != nil)
	if s.conn != nil {
		s.conn.send(event)
	} else if lost {
		s.doomed = true
	}
}

// attach makes c the session's WebSocket: the reply to its login goes out
// first, then the events after last. The WebSocket it takes over from is
// closed. It fails when events were lost or the session is over.
func (s *session) attach(c *conn, last uint64, reply []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.doomed {
		return false
	}
	missed, ok := s.stream.replay(last)
	if !ok {
		return false
	}
	if s.conn != nil {
		s.conn.hangUp(protocol.CloseReplaced, "resumed elsewhere")
	}
	s.conn = c
	c.send(reply)
	for _, event := range missed {
		c.send(event)
	}
	return true
}

// detach notes that c is gone; false if it was not the session's WebSocket
// any more.
func (s *session) detach(c *conn, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return false
	}
	s.conn, s.detachedAt = nil, now
	return true
}

func (s *session) attachedTo(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == c
}

func (s *session) attached() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil
}

func (s *session) currentSeat() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seat
}

// sit takes a seat unless the session is over.
func (s *session) sit(st *seat) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.seat = st
	return true
}

// rise gives the seat back, to exactly one caller.
func (s *session) rise() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.seat
	s.seat = nil
	return st
}

// end ends the session; true for the first caller. A WebSocket that is still
// there is closed: on it there is nothing left to do. That is so when its
// client tries to resume elsewhere and cannot.
func (s *session) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.ended
	s.ended = true
	if s.conn != nil {
		s.conn.hangUp(protocol.CloseReplaced, "taken up elsewhere")
	}
	return first
}

// expired reports whether the sweeper should end the session.
func (s *session) expired(now time.Time, window time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.ended && s.conn == nil && (s.doomed || now.Sub(s.detachedAt) >= window)
}

// Failed implements [MediaEvents].
func (st *seat) Failed(reason string) {
	st.session.push(protocol.TypeMediaFailed, encode(protocol.MediaFailedEvent{Reason: shorten(reason)}))
}

// Closed implements [MediaEvents]. A participant whose media is closed and
// whose WebSocket is gone will not come back.
func (st *seat) Closed() {
	st.mediaClosed.Store(true)
	if st.abandoned() {
		return
	}
	if st.session.currentSeat() == st { // it was not we who closed it
		st.Failed("the media connection was closed by the client")
	}
}

// abandoned dooms the session if it has no WebSocket either.
func (st *seat) abandoned() bool {
	s := st.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seat == st && s.conn == nil {
		s.doomed = true
	}
	return s.doomed
}

// nonNil keeps an empty list from becoming null on the wire.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// shorten keeps a reason within the 200 bytes of the schema, and printable.
func shorten(s string) string {
	b := []byte(s)
	b = b[:min(len(b), 200)]
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			b[i] = '?'
		}
	}
	return string(b)
}
