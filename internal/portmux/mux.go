package portmux

import (
	"container/list"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sotto-sfu/sotto/internal/ipgroup"
)

// Config bounds a Mux.
type Config struct {
	// FirstByte is how long a new connection may stay silent. 0: 5 s.
	FirstByte time.Duration
	// MaxWaiting is how many connections may be waiting for their first byte
	// or to be accepted. 0: 256.
	MaxWaiting int
	// MaxOpen is how many connections may be open in all; further ones are
	// closed at once. 0: 8192.
	MaxOpen int
	// MaxOpenPerIP is how many of them one address may have, as ipgroup groups
	// addresses. 0: no limit.
	MaxOpenPerIP int
	// Exempt names addresses without that limit, such as reverse proxies that
	// many people come through. Nil: none.
	Exempt func(netip.Addr) bool
}

// Stats counts connections since the start.
type Stats struct {
	Open     int64              // now
	Accepted map[Protocol]int64 // handed to a listener; Unknown: closed for its first byte
	Silent   int64              // closed for sending nothing in time
	Crowded  int64              // closed because MaxWaiting, MaxOpen or MaxOpenPerIP was reached
}

// Mux shares one listener. Make it with New, take its three listeners, then
// call Serve.
type Mux struct {
	base      net.Listener
	cfg       Config
	listeners [ICE + 1]*listener // by Protocol; Unknown is nil

	open            atomic.Int64
	accepted        [ICE + 1]atomic.Int64
	silent, crowded atomic.Int64

	mu      sync.Mutex
	closed  bool
	waiting *list.List // of *conn, the longest waiting first
	wg      sync.WaitGroup

	// perIP has a lock of its own: connections are closed under the other one.
	perIPLock sync.Mutex
	perIP     map[netip.Prefix]int // open connections, where there is a limit
}

// New makes a Mux over base, which it then owns.
func New(base net.Listener, cfg Config) *Mux {
	if cfg.FirstByte == 0 {
		cfg.FirstByte = 5 * time.Second
	}
	if cfg.MaxWaiting == 0 {
		cfg.MaxWaiting = 256
	}
	if cfg.MaxOpen == 0 {
		cfg.MaxOpen = 8192
	}
	m := &Mux{base: base, cfg: cfg, waiting: list.New(), perIP: make(map[netip.Prefix]int)}
	for _, p := range []Protocol{TLS, HTTP, ICE} {
		m.listeners[p] = newListener(base.Addr())
	}
	return m
}

// Listener returns the listener of one protocol. Connections of a protocol
// whose listener is closed are closed.
func (m *Mux) Listener(p Protocol) net.Listener { return m.listeners[p] }

// Stats returns the counts.
func (m *Mux) Stats() Stats {
	s := Stats{
		Open: m.open.Load(), Silent: m.silent.Load(), Crowded: m.crowded.Load(),
		Accepted: make(map[Protocol]int64, len(m.accepted)),
	}
	for p := range m.accepted {
		s.Accepted[Protocol(p)] = m.accepted[p].Load()
	}
	return s
}

// Serve accepts until Close, then returns nil. Errors that pass, such as
// running out of file descriptors, are waited out.
func (m *Mux) Serve() error {
	pause := time.Duration(0)
	for {
		c, err := m.base.Accept()
		if err != nil {
			if m.isClosed() {
				return nil
			}
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("accepting connections: %w", err)
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			time.Sleep(pause)
			continue
		}
		pause = 0
		m.admit(c)
	}
}

// admit starts sorting a connection, if there is room.
func (m *Mux) admit(nc net.Conn) {
	leave, ok := m.count(nc.RemoteAddr())
	if !ok {
		m.crowded.Add(1)
		_ = nc.Close()
		return
	}
	c := &conn{Conn: nc, onClose: leave}
	place, ok := m.enter(c)
	if !ok {
		_ = c.Close()
		return
	}
	go func() {
		defer m.wg.Done()
		defer m.leave(place)
		m.sort(c)
	}()
}

// count takes a place for a connection from an address; leave gives it back.
func (m *Mux) count(from net.Addr) (leave func(), ok bool) {
	if m.open.Add(1) > int64(m.cfg.MaxOpen) {
		m.open.Add(-1)
		return nil, false
	}
	var ip netip.Addr
	if tcp, isTCP := from.(*net.TCPAddr); isTCP {
		ip = tcp.AddrPort().Addr().Unmap()
	}
	if m.cfg.MaxOpenPerIP == 0 || m.cfg.Exempt != nil && m.cfg.Exempt(ip) {
		return func() { m.open.Add(-1) }, true
	}
	group := ipgroup.Of(ip)
	m.perIPLock.Lock()
	defer m.perIPLock.Unlock()
	if m.perIP[group] >= m.cfg.MaxOpenPerIP {
		m.open.Add(-1)
		return nil, false
	}
	m.perIP[group]++
	return func() {
		m.open.Add(-1)
		m.perIPLock.Lock()
		defer m.perIPLock.Unlock()
		if m.perIP[group]--; m.perIP[group] == 0 {
			delete(m.perIP, group)
		}
	}, true
}

// enter puts c among the waiting, closing the one that has waited longest if
// there are too many. The newest is the likeliest to be honest: an attacker's
// silent connections are the old ones.
func (m *Mux) enter(c *conn) (*list.Element, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, false
	}
	if m.waiting.Len() >= m.cfg.MaxWaiting {
		oldest := m.waiting.Remove(m.waiting.Front()).(*conn)
		m.crowded.Add(1)
		_ = oldest.Close()
	}
	m.wg.Add(1)
	return m.waiting.PushBack(c), true
}

func (m *Mux) leave(place *list.Element) {
	m.mu.Lock()
	m.waiting.Remove(place) // does nothing if it was crowded out
	m.mu.Unlock()
}

// sort reads the first byte and hands the connection on.
func (m *Mux) sort(c *conn) {
	deadline := time.NewTimer(m.cfg.FirstByte)
	defer deadline.Stop()
	_ = c.SetReadDeadline(time.Now().Add(m.cfg.FirstByte))
	if err := c.readFirst(); err != nil {
		if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			m.silent.Add(1)
		}
		_ = c.Close()
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	p := classify(c.first)
	m.accepted[p].Add(1)
	if p == Unknown || !m.listeners[p].offer(c, deadline.C) {
		_ = c.Close()
	}
}

func (m *Mux) isClosed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

// Close stops accepting, closes the three listeners and every connection that
// has not been accepted from them, and waits for its goroutines. Accepted
// connections stay open.
func (m *Mux) Close() error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return nil
	}
	m.closed = true
	for e := m.waiting.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*conn).Close()
	}
	m.mu.Unlock()
	err := m.base.Close()
	for _, p := range []Protocol{TLS, HTTP, ICE} {
		_ = m.listeners[p].Close()
	}
	m.wg.Wait()
	return err
}
