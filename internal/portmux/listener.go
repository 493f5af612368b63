package portmux

import (
	"net"
	"sync"
	"time"
)

// listener hands out the connections of one protocol.
type listener struct {
	addr  net.Addr
	conns chan *conn // unbuffered: what is not accepted is still waiting
	done  chan struct{}
	once  sync.Once
}

func newListener(addr net.Addr) *listener {
	return &listener{addr: addr, conns: make(chan *conn), done: make(chan struct{})}
}

// offer waits for an Accept, until the deadline or the end.
func (l *listener) offer(c *conn, deadline <-chan time.Time) bool {
	select {
	case <-l.done:
		return false
	default:
	}
	select {
	case l.conns <- c:
		return true
	case <-l.done:
		return false
	case <-deadline:
		return false
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener. It is that of the shared port.
func (l *listener) Addr() net.Addr { return l.addr }
