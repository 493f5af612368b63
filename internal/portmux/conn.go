package portmux

import (
	"io"
	"net"
	"sync"
)

// conn gives back the first byte before the rest, and reports its closing.
type conn struct {
	net.Conn
	first    byte
	mu       sync.Mutex // guards hasFirst: Read may be called concurrently
	hasFirst bool
	once     sync.Once
	onClose  func()
}

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	if c.hasFirst {
		c.hasFirst = false
		c.mu.Unlock()
		p[0] = c.first
		return 1, nil
	}
	c.mu.Unlock()
	return c.Conn.Read(p)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.onClose)
	return err
}

// readFirst takes the first byte off the wire.
func (c *conn) readFirst() error {
	var b [1]byte
	if _, err := io.ReadFull(c.Conn, b[:]); err != nil {
		return err
	}
	c.first, c.hasFirst = b[0], true
	return nil
}
