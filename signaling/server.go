package signaling

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Server is the signalling server: an http.Handler for [protocol.Path].
type Server struct {
	cfg      Config
	log      *slog.Logger
	hub      *hub
	door     *door
	metrics  *counters
	origins  map[string]bool
	hosts    map[string]bool
	upgrader websocket.Upgrader

	running context.Context // cancelled when Shutdown begins
	stop    context.CancelFunc

	tasks   sync.WaitGroup // what runs in the background
	tasksMu sync.Mutex     // guards closing and adding to tasks
	closing bool
}

// New starts a server. Shutdown ends it.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger,
		hub: newHub(), door: newDoor(cfg.Limits), metrics: newCounters(),
		origins: make(map[string]bool), hosts: make(map[string]bool),
		upgrader: websocket.Upgrader{
			HandshakeTimeout: 10 * time.Second,
			ReadBufferSize:   4096, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{},
			Subprotocols: []string{protocol.Subprotocol},
			CheckOrigin:  func(*http.Request) bool { return true }, // admit did
			Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
				writeHTTPError(w, status, protocol.Refuse(protocol.CodeBadRequest, reason.Error()))
			},
		},
	}
	s.running, s.stop = context.WithCancel(context.Background())
	for _, o := range cfg.Origins {
		canonical, err := canonicalOrigin(o)
		if err != nil {
			return nil, err
		}
		s.origins[canonical] = true
	}
	for _, h := range cfg.Hosts {
		if h != strings.ToLower(h) || strings.Contains(h, "/") {
			return nil, fmt.Errorf("signaling: host %q is not in canonical form", h)
		}
		s.hosts[h] = true
	}
	s.background(s.sweep)
	s.background(s.keepStore)
	return s, nil
}

// ServeHTTP upgrades a request to a sotto.v1 WebSocket and serves it until it
// ends.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, ok := s.admit(w, r)
	if !ok {
		return
	}
	ip := s.cfg.ClientIP(r)
	welcome := s.door.enter(ip)
	if welcome {
		defer s.door.leave(ip)
	} else {
		s.metrics.refusedConnections.Add(1)
	}
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.log.Debug("websocket handshake failed", "error", err)
		return
	}
	if !welcome {
		// Browsers hide an HTTP status from the page, but not a close code.
		s.metrics.close(protocol.CloseTooManyPerKey)
		turnAway(ws, protocol.CloseTooManyPerKey, "too many connections")
		return
	}
	c := newConn(s, ws, host)
	c.ip = ip
	if !s.hub.addConn(c) {
		turnAway(ws, websocket.CloseGoingAway, "stopping")
		return
	}
	defer s.hub.removeConn(c)
	s.metrics.connections.Add(1)
	c.serve()
}

func turnAway(ws *websocket.Conn, code int, reason string) {
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
	_ = ws.Close()
}

// background runs work that Shutdown waits for; none is begun after it.
func (s *Server) background(work func()) {
	s.tasksMu.Lock()
	defer s.tasksMu.Unlock()
	if !s.closing {
		s.tasks.Go(work)
	}
}

// detach takes c off its session. The session of a client that left in order,
// is in no call, or closed its media, is over; any other waits to be resumed.
func (s *Server) detach(ss *session, c *conn, left bool) {
	if !ss.detach(c, s.cfg.Now()) {
		return
	}
	st := ss.currentSeat()
	switch {
	case left:
		s.endSession(ss, protocol.ReasonLeft)
	case st == nil || st.mediaClosed.Load():
		s.endSession(ss, protocol.ReasonLost)
	default:
		st.room.refresh(st)
	}
}

// endSession ends a session and gives its place in a call back.
func (s *Server) endSession(ss *session, reason protocol.LeaveReason) {
	if !ss.end() {
		return
	}
	s.hub.removeSession(ss)
	if st := ss.rise(); st != nil {
		s.vacate(st, reason)
	}
}

// vacate takes a seat that was given back out of its call.
func (s *Server) vacate(st *seat, reason protocol.LeaveReason) {
	st.room.do(func(r *room) { r.remove(st.member, reason) })
	st.peer.Close()
	s.hub.leave(st.room, st.session.device)
}

// sweep ends what has run out of time.
func (s *Server) sweep() {
	tick := time.NewTicker(s.cfg.Timing.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-s.running.Done():
			return
		case <-tick.C:
			s.sweepOnce(s.cfg.Now())
		}
	}
}

func (s *Server) sweepOnce(now time.Time) {
	for _, c := range s.hub.allConns() {
		if now.Sub(c.born) >= s.cfg.Timing.Login && c.bound() == nil {
			c.hangUp(protocol.CloseLoginTimeout, "no login in time")
		}
	}
	for _, ss := range s.hub.allSessions() {
		if ss.expired(now, s.cfg.Timing.Resume) {
			// On its own: closing a peer may take a while.
			s.background(func() { s.endSession(ss, protocol.ReasonLost) })
		}
	}
}

// storeInterval is how often the store is told which calls are in use. It is
// far below any sensible life of an unused call.
const storeInterval = 10 * time.Minute

func (s *Server) keepStore() {
	tick := time.NewTicker(storeInterval)
	defer tick.Stop()
	for {
		s.tidyStore(context.WithoutCancel(s.running)) // a stop waits for it
		select {
		case <-s.running.Done():
			return
		case <-tick.C:
		}
	}
}

// tidyStore notes the calls in use and then forgets those long unused: in
// this order, so that a call in use is never forgotten.
func (s *Server) tidyStore(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timing.Store)
	defer cancel()
	now := s.cfg.Now()
	if used := s.hub.takeUsed(); len(used) > 0 {
		if err := s.cfg.Store.Touch(ctx, used, now); err != nil {
			s.log.Error("noting the calls in use", "error", err)
			return
		}
	}
	n, err := s.cfg.Store.DeleteUnused(ctx, now.Add(-s.cfg.Timing.CallLife))
	if err != nil {
		s.log.Error("forgetting unused calls", "error", err)
	} else if n > 0 {
		s.log.Info("forgot unused calls", "count", n)
	}
}

// Shutdown tells every client, closes all connections with 1001 and ends all
// media. It returns once everything of the server's has ended, or with ctx's
// error after cutting short what was left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.hub.mu.Lock()
	first := !s.hub.stopping
	s.hub.stopping = true
	s.hub.mu.Unlock()
	if !first {
		return nil
	}
	s.stop()
	for _, ss := range s.hub.allSessions() {
		// Spread out, so that the next server is not met by everybody at once.
		delay := 500 + rand.IntN(1500)
		ss.push(protocol.TypeServerShutdown, encode(protocol.ServerShutdownEvent{ReconnectMillis: delay}))
	}
	for _, c := range s.hub.allConns() {
		c.hangUp(websocket.CloseGoingAway, "stopping")
	}
	err := s.drain(ctx)
	for _, ss := range s.hub.allSessions() {
		s.background(func() { s.endSession(ss, protocol.ReasonShutdown) })
	}
	s.background(func() { s.tidyStore(context.WithoutCancel(ctx)) })
	s.tasksMu.Lock()
	s.closing = true
	s.tasksMu.Unlock()

	done := make(chan struct{})
	go func() {
		s.tasks.Wait()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain waits for the connections to end, and cuts them when ctx is over.
func (s *Server) drain(ctx context.Context) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		conns := s.hub.allConns()
		if len(conns) == 0 {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			for _, c := range conns {
				_ = c.ws.Close()
			}
			return ctx.Err()
		}
	}
}

// canonicalHost spells the host a request was made to.
func (s *Server) canonicalHost(r *http.Request) (string, error) {
	return identity.CanonicalHost(r.Host, s.cfg.Secure(r))
}
