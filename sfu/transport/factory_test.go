package transport_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/internal/testkit"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler collects what a connection reports.
type handler struct {
	mu     sync.Mutex
	states []transport.State
	rtp    int
}

func (h *handler) RTP([]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rtp++
}

func (h *handler) RTCP([]byte) {}

func (h *handler) State(s transport.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, s)
}

func (h *handler) has(s transport.State) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, was := range h.states {
		if was == s {
			return true
		}
	}
	return false
}

func newFactory(t *testing.T, ip string, change func(*transport.Config)) transport.Factory {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := transport.Config{UDP: udp, TCP: tcp, Loopback: true}
	if change != nil {
		change(&cfg)
	}
	f, err := transport.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("closing twice: %v", err)
		}
		if _, err := f.Connect(&handler{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("connecting after closing: %v", err)
		}
	})
	return f
}

// offerer adapts a Conn to testkit.Answerer.
type offerer struct{ transport.Conn }

func (o offerer) Offer(ctx context.Context, sdp string, sections []protocol.Section) (string, error) {
	answer, _, err := o.Conn.Offer(ctx, sdp, sections)
	return answer, err
}

func TestCandidates(t *testing.T) {
	for _, c := range []struct {
		name, bind string
		change     func(*transport.Config)
		has, not   []string
	}{
		{"loopback", "127.0.0.1", nil, []string{" udp ", " tcp ", "127.0.0.1", "tcptype passive"}, nil},
		{"wildcard", "0.0.0.0", nil, []string{"127.0.0.1"}, []string{"0.0.0.0 1", "0.0.0.0 2", "0.0.0.0 3", "0.0.0.0 4", "0.0.0.0 5"}},
		{"no TCP", "127.0.0.1", func(c *transport.Config) { _ = c.TCP.Close(); c.TCP = nil }, []string{" udp "}, []string{" tcp "}},
		{"public address", "127.0.0.1", func(c *transport.Config) {
			c.PublicIPs = []netip.Addr{netip.MustParseAddr("203.0.113.7")}
		}, []string{"203.0.113.7", "127.0.0.1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFactory(t, c.bind, c.change)
			conn, err := f.Connect(&handler{})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			client := testkit.NewClient(t, testkit.ClientConfig{Slots: 1})
			offer := client.Offer(t, false)
			answer, err := offerer{conn}.Offer(t.Context(), offer, client.Sections)
			if err != nil {
				t.Fatal(err)
			}
			candidates := ""
			for line := range strings.Lines(answer) {
				if strings.HasPrefix(line, "a=candidate:") {
					candidates += line
				}
			}
			for _, s := range c.has {
				if !strings.Contains(candidates, s) {
					t.Errorf("no %q in\n%s", s, candidates)
				}
			}
			for _, s := range c.not {
				if strings.Contains(candidates, s) {
					t.Errorf("%q in\n%s", s, candidates)
				}
			}
		})
	}
}

// TestNoAddress: a server that only loopback could reach says so instead of letting
// everybody wait for ICE.
func TestNoAddress(t *testing.T) {
	f := newFactory(t, "127.0.0.1", func(c *transport.Config) { c.Loopback = false })
	conn, err := f.Connect(&handler{})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := testkit.NewClient(t, testkit.ClientConfig{Slots: 1})
	offer := client.Offer(t, false)
	_, err = offerer{conn}.Offer(t.Context(), offer, client.Sections)
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("error %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	if _, err := transport.New(transport.Config{}); err == nil {
		t.Error("a factory without a socket")
	}
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if _, err := transport.New(transport.Config{UDP: udp, PublicIPs: []netip.Addr{{}}}); err == nil {
		t.Error("a public address that is none")
	}
}

// TestStates follows a connection from the client's coming to its going, and what writing costs.
func TestStates(t *testing.T) {
	f := newFactory(t, "127.0.0.1", nil)
	h := &handler{}
	conn, err := f.Connect(h)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	pkt, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 5, PayloadType: 111}, Payload: make([]byte, 900)}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.WriteRTP(pkt); !errors.Is(err, transport.ErrNotConnected) {
		t.Errorf("writing before the connection is up: %v", err)
	}
	client := testkit.NewClient(t, testkit.ClientConfig{Slots: 1})
	client.Connect(t, offerer{conn})
	waitFor(t, "Connected", func() bool { return h.has(transport.Connected) })
	if err := conn.WriteRTP(pkt); err != nil { // at once: Connected means that media flows
		t.Errorf("writing when the connection is up: %v", err)
	}
	if err := conn.WriteRTP([]byte{1, 2}); err == nil {
		t.Error("half a header was sent")
	}
	seq := uint16(0)
	if n := testing.AllocsPerRun(500, func() {
		seq++
		pkt[2], pkt[3] = byte(seq>>8), byte(seq)
		if err := conn.WriteRTP(pkt); err != nil {
			t.Error(err)
		}
	}); n > 1 { // none here; the client in this process may disturb
		t.Errorf("%v allocations per packet written", n)
	}
	client.Close()
	waitFor(t, "Closed", func() bool { return h.has(transport.Closed) })
	start := time.Now()
	conn.Close()
	conn.Close()
	if d := time.Since(start); d > transport.CloseTimeout+time.Second {
		t.Errorf("closing took %v", d)
	}
}

// TestCloseWhileConnecting: nobody ever comes.
func TestCloseWhileConnecting(t *testing.T) {
	f := newFactory(t, "127.0.0.1", nil)
	h := &handler{}
	conn, err := f.Connect(h)
	if err != nil {
		t.Fatal(err)
	}
	client := testkit.NewClient(t, testkit.ClientConfig{Slots: 1})
	offer := client.Offer(t, false)
	if _, err := (offerer{conn}).Offer(t.Context(), offer, client.Sections); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if h.has(transport.Closed) {
		t.Error("told of our own closing")
	}
}

// TestFlood: a client that invents SSRCs without end is cut off.
func TestFlood(t *testing.T) {
	f := newFactory(t, "127.0.0.1", nil)
	h := &handler{}
	conn, err := f.Connect(h)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := testkit.NewClient(t, testkit.ClientConfig{Publish: []protocol.Source{protocol.SourceMic}})
	client.Connect(t, offerer{conn})
	w := client.Writer(protocol.SourceMic)
	deadline := time.Now().Add(20 * time.Second)
	for ssrc := uint32(1); !h.has(transport.Closed); ssrc++ {
		if time.Now().After(deadline) {
			t.Fatal("still there")
		}
		_, _ = w.WriteRTP(&rtp.Header{Version: 2, SSRC: ssrc, PayloadType: 111}, []byte{1})
		if ssrc%64 == 0 {
			time.Sleep(time.Millisecond) // do not overrun the socket buffer
		}
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
