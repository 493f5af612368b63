package signaling

import (
	"sync"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// liveRoom is a call that somebody is in, or about to join.
type liveRoom struct {
	id           protocol.CallID
	admissionKey []byte

	mu      sync.Mutex // guards room and joining
	room    *room
	joining int // have a place but are not in yet

	users int // in or joining; guarded by hub.mu
}

// do works on the room under its lock.
func (l *liveRoom) do(work func(*room)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	work(l.room)
}

// reserve keeps a place for a newcomer.
func (l *liveRoom) reserve() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.room.members)+l.joining >= l.room.limit {
		return false
	}
	l.joining++
	return true
}

func (l *liveRoom) unreserve() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.joining--
}

// refresh brings what the others see of a member's WebSocket up to date. It
// asks the session under the room's lock, so that of two changes in quick
// succession the later one stays.
func (l *liveRoom) refresh(st *seat) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room.setConnected(st.member, st.session.attached())
}

// hub holds the server's tables.
type hub struct {
	mu       sync.Mutex
	stopping bool
	conns    map[*conn]struct{}
	sessions map[protocol.SessionID]*session
	rooms    map[protocol.CallID]*liveRoom
	inCalls  map[protocol.DeviceID]int // seats of a device, taken or being taken
	// used are calls that became empty since the store was last told.
	used map[protocol.CallID]struct{}
}

func newHub() *hub {
	return &hub{
		conns:    make(map[*conn]struct{}),
		sessions: make(map[protocol.SessionID]*session),
		rooms:    make(map[protocol.CallID]*liveRoom),
		inCalls:  make(map[protocol.DeviceID]int),
		used:     make(map[protocol.CallID]struct{}),
	}
}

// addConn registers a connection; false once the server is stopping.
func (h *hub) addConn(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return false
	}
	h.conns[c] = struct{}{}
	return true
}

func (h *hub) removeConn(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
}

func (h *hub) addSession(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sessions[s.id] = s
}

func (h *hub) removeSession(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s.id)
}

func (h *hub) session(id protocol.SessionID) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[id]
}

func (h *hub) allSessions() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*session, 0, len(h.sessions))
	for _, s := range h.sessions {
		out = append(out, s)
	}
	return out
}

func (h *hub) allConns() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		out = append(out, c)
	}
	return out
}

func (h *hub) admissionKey(call protocol.CallID) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.rooms[call]; l != nil {
		return l.admissionKey
	}
	return nil
}

// enter takes one of the device's places and makes the room if need be. A nil
// room means that the device has no place left. Each enter needs a leave.
func (h *hub) enter(call protocol.CallID, admissionKey []byte, device protocol.DeviceID, limits Limits) *liveRoom {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inCalls[device] >= limits.CallsPerDevice {
		return nil
	}
	l := h.rooms[call]
	if l == nil {
		l = &liveRoom{id: call, admissionKey: admissionKey, room: newRoom(limits.Participants)}
		h.rooms[call] = l
	}
	h.inCalls[device]++
	l.users++
	return l
}

func (h *hub) leave(l *liveRoom, device protocol.DeviceID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inCalls[device]--; h.inCalls[device] == 0 {
		delete(h.inCalls, device)
	}
	if l.users--; l.users == 0 {
		delete(h.rooms, l.id)
		h.used[l.id] = struct{}{}
	}
}

// takeUsed lists the calls in use since it was last asked.
func (h *hub) takeUsed() []protocol.CallID {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.rooms {
		h.used[id] = struct{}{}
	}
	out := make([]protocol.CallID, 0, len(h.used))
	for id := range h.used {
		out = append(out, id)
	}
	clear(h.used)
	return out
}

// count gives the gauges.
func (h *hub) count() (conns, sessions, rooms, seats int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.inCalls {
		seats += n
	}
	return len(h.conns), len(h.sessions), len(h.rooms), seats
}
