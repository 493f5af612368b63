package signaling

import (
	"sync/atomic"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// counters count what happens. The maps are filled once and then only read.
type counters struct {
	connections, refusedConnections            atomic.Uint64
	logins, resumes, joins                     atomic.Uint64
	messagesIn, messagesOut, bytesIn, bytesOut atomic.Uint64
	panics                                     atomic.Uint64
	requests                                   map[string]*atomic.Uint64
	refusals                                   map[protocol.Code]*atomic.Uint64
	closes                                     map[int]*atomic.Uint64
}

func newCounters() *counters {
	m := &counters{
		requests: make(map[string]*atomic.Uint64),
		refusals: make(map[protocol.Code]*atomic.Uint64),
		closes:   make(map[int]*atomic.Uint64),
	}
	for _, msg := range protocol.Messages {
		if msg.Kind == protocol.KindRequest {
			m.requests[msg.Type] = new(atomic.Uint64)
		}
	}
	for _, code := range protocol.Codes {
		m.refusals[code] = new(atomic.Uint64)
	}
	for _, c := range protocol.CloseCodes {
		m.closes[c.Code] = new(atomic.Uint64)
	}
	return m
}

func (m *counters) received(bytes int) {
	m.messagesIn.Add(1)
	m.bytesIn.Add(uint64(bytes))
}

func (m *counters) sent(bytes int) {
	m.messagesOut.Add(1)
	m.bytesOut.Add(uint64(bytes))
}

func (m *counters) request(name string) { m.requests[name].Add(1) }

func (m *counters) refuse(code protocol.Code) {
	if n := m.refusals[code]; n != nil {
		n.Add(1)
	}
}

func (m *counters) close(code int) {
	if n := m.closes[code]; n != nil {
		n.Add(1)
	}
}

// Metrics is a snapshot of the server's numbers. Counters only grow.
type Metrics struct {
	// Gauges.
	Connections, Sessions, Calls, Participants int
	// Counters.
	ConnectionsTotal   uint64 // accepted WebSockets
	ConnectionsRefused uint64 // over a limit on connections
	Logins, Resumes    uint64 // Resumes are those that took an old session up
	Joins              uint64
	MessagesIn         uint64
	MessagesOut        uint64
	BytesIn, BytesOut  uint64                   // of messages, without framing
	Panics             uint64                   // requests that hit a bug of ours
	Requests           map[string]uint64        // carried out, by type
	Refusals           map[protocol.Code]uint64 // by error code
	Closes             map[int]uint64           // connections that we closed, by close code
}

// Metrics reads the numbers of now.
func (s *Server) Metrics() Metrics {
	m := s.metrics
	out := Metrics{
		ConnectionsTotal: m.connections.Load(), ConnectionsRefused: m.refusedConnections.Load(),
		Logins: m.logins.Load(), Resumes: m.resumes.Load(), Joins: m.joins.Load(),
		MessagesIn: m.messagesIn.Load(), MessagesOut: m.messagesOut.Load(),
		BytesIn: m.bytesIn.Load(), BytesOut: m.bytesOut.Load(), Panics: m.panics.Load(),
		Requests: load(m.requests), Refusals: load(m.refusals), Closes: load(m.closes),
	}
	out.Connections, out.Sessions, out.Calls, out.Participants = s.hub.count()
	return out
}

func load[K comparable](in map[K]*atomic.Uint64) map[K]uint64 {
	out := make(map[K]uint64, len(in))
	for k, v := range in {
		out[k] = v.Load()
	}
	return out
}
