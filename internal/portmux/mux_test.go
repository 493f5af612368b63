package portmux

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves a mux on a real loopback port until the test ends.
func start(t *testing.T, cfg Config) *Mux {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := New(l, cfg)
	done := make(chan error, 1)
	go func() { done <- m.Serve() }()
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return m
}

func dial(t *testing.T, m *Mux) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", m.base.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c net.Conn, p string) {
	t.Helper()
	if _, err := c.Write([]byte(p)); err != nil {
		t.Fatal(err)
	}
}

// gone waits until the other side has closed c.
func gone(t *testing.T, c net.Conn) {
	t.Helper()
	var ne net.Error
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &ne) && ne.Timeout() {
		t.Fatalf("the connection was not closed: %v", err)
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func TestSorting(t *testing.T) {
	m := start(t, Config{})
	for _, tc := range []struct {
		name  string
		bytes string
		want  Protocol
	}{
		{"TLS ClientHello", "\x16\x03\x01\x02\x00", TLS},
		{"GET", "GET / HTTP/1.1\r\n", HTTP},
		{"HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n", HTTP},
		{"short STUN frame", "\x00\x6c\x00\x01\x00\x58", ICE},
		{"long STUN frame", "\x03\xff\x00\x01\x03\xeb", ICE},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, m)
			send(t, c, tc.bytes)
			served, err := m.Listener(tc.want).Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer served.Close()
			got := make([]byte, len(tc.bytes))
			if _, err := io.ReadFull(served, got); err != nil || string(got) != tc.bytes {
				t.Errorf("read %q, %v; want all of %q", got, err, tc.bytes)
			}
			if served.RemoteAddr().String() != c.LocalAddr().String() {
				t.Errorf("remote address %v, want %v", served.RemoteAddr(), c.LocalAddr())
			}
			if _, ok := m.Listener(tc.want).Addr().(*net.TCPAddr); !ok {
				t.Error("pion/ice needs a *net.TCPAddr")
			}
			send(t, served, "back")
			if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestClassifyEveryByte(t *testing.T) {
	counts := make(map[Protocol]int)
	for b := range 256 {
		counts[classify(byte(b))]++
	}
	if counts[TLS] != 1 || counts[HTTP] != 26 || counts[ICE] != 4 || counts[Unknown] != 225 {
		t.Errorf("counts %v", counts)
	}
}

func TestUnknownIsClosed(t *testing.T) {
	m := start(t, Config{})
	c := dial(t, m)
	send(t, c, "\xff")
	gone(t, c)
	if n := m.Stats().Accepted[Unknown]; n != 1 {
		t.Errorf("%d counted, want 1", n)
	}
}

func TestSilentIsClosed(t *testing.T) {
	m := start(t, Config{FirstByte: 30 * time.Millisecond})
	gone(t, dial(t, m))
	waitFor(t, "the count", func() bool { return m.Stats().Silent == 1 })
	waitFor(t, "the connection to be released", func() bool { return m.Stats().Open == 0 })
}

func TestFirstByteDeadlineDoesNotOutliveIt(t *testing.T) {
	m := start(t, Config{FirstByte: 50 * time.Millisecond})
	c := dial(t, m)
	send(t, c, "G")
	served, err := m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	time.AfterFunc(150*time.Millisecond, func() { _, _ = c.Write([]byte("E")) })
	if _, err := io.ReadFull(served, make([]byte, 2)); err != nil {
		t.Errorf("reading after the first-byte deadline: %v", err)
	}
}

// TestCrowd checks that silent connections cannot keep a new one out.
func TestCrowd(t *testing.T) {
	const limit = 4
	m := start(t, Config{FirstByte: time.Minute, MaxWaiting: limit})
	silent := make([]net.Conn, limit)
	for i := range silent {
		silent[i] = dial(t, m)
		waitFor(t, "the connection to be waiting", func() bool { return m.Stats().Open == int64(i+1) })
	}
	c := dial(t, m)
	send(t, c, "GET")
	served, err := m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	gone(t, silent[0])
	if s := m.Stats(); s.Crowded != 1 {
		t.Errorf("crowded %d, want 1", s.Crowded)
	}
	send(t, silent[1], "G") // the others still have their chance
	other, err := m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()
}

// TestMaxOpenPerIP fills an address's share, and checks that a place is given
// back by whoever closes, also to one crowded out of the waiting.
func TestMaxOpenPerIP(t *testing.T) {
	m := start(t, Config{FirstByte: time.Minute, MaxWaiting: 1, MaxOpenPerIP: 2})
	first := dial(t, m)
	waitFor(t, "the first to be in", func() bool { return m.Stats().Open == 1 })
	send(t, first, "GET")
	served, err := m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := dial(t, m)
	waitFor(t, "the second to be in", func() bool { return m.Stats().Open == 2 })
	gone(t, dial(t, m))
	if s := m.Stats(); s.Open != 2 || s.Crowded != 1 {
		t.Errorf("%d open, %d crowded; want 2 and 1", s.Open, s.Crowded)
	}
	_ = served.Close()
	third := dial(t, m) // takes the place of the first, and the waiting one's in the queue
	gone(t, second)
	waitFor(t, "one to be left", func() bool { return m.Stats().Open == 1 })
	_ = third.Close()
	waitFor(t, "nothing to be counted", func() bool {
		m.perIPLock.Lock()
		defer m.perIPLock.Unlock()
		return len(m.perIP) == 0
	})
}

func TestMaxOpenPerIPExempt(t *testing.T) {
	m := start(t, Config{MaxOpenPerIP: 1, Exempt: netip.Addr.IsLoopback})
	for i := range 3 {
		dial(t, m)
		waitFor(t, "each to be in", func() bool { return m.Stats().Open == int64(i+1) })
	}
}

func TestMaxOpen(t *testing.T) {
	m := start(t, Config{MaxOpen: 1})
	c := dial(t, m)
	send(t, c, "G")
	served, err := m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	gone(t, dial(t, m))
	_ = served.Close()
	_ = served.Close() // twice must not be counted twice
	waitFor(t, "room", func() bool { return m.Stats().Open == 0 })
	again := dial(t, m)
	send(t, again, "G")
	served, err = m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = served.Close()
}

// TestNobodyAccepts checks that a protocol whose server is stuck does not
// collect connections for ever.
func TestNobodyAccepts(t *testing.T) {
	m := start(t, Config{FirstByte: 30 * time.Millisecond})
	c := dial(t, m)
	send(t, c, "\x16")
	gone(t, c)
}

func TestClosedListenerClosesItsConnections(t *testing.T) {
	m := start(t, Config{FirstByte: time.Minute})
	if err := m.Listener(ICE).Close(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, m)
	send(t, c, "\x00")
	gone(t, c)
	if _, err := m.Listener(ICE).Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v, want net.ErrClosed", err)
	}
}

func TestCloseReleasesTheWaiting(t *testing.T) {
	m := start(t, Config{FirstByte: time.Minute})
	silent, unaccepted, accepted := dial(t, m), dial(t, m), dial(t, m)
	send(t, accepted, "G")
	served, err := m.Listener(HTTP).Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	send(t, unaccepted, "\x16")
	waitFor(t, "all three", func() bool { s := m.Stats(); return s.Open == 3 && s.Accepted[TLS] == 1 })
	var wg sync.WaitGroup
	for range 3 { // idempotent, also at once
		wg.Go(func() { _ = m.Close() })
	}
	wg.Wait()
	gone(t, silent)
	gone(t, unaccepted)
	send(t, accepted, "ET")
	if _, err := io.ReadFull(served, make([]byte, 3)); err != nil {
		t.Errorf("an accepted connection must outlive the mux: %v", err)
	}
	if _, err := m.Listener(TLS).Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v, want net.ErrClosed", err)
	}
}
