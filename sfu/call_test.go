package sfu_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/internal/testkit"
	"github.com/sotto-sfu/sotto/sfu"
	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const call = protocol.CallID("AAAAAAAAAAAAAAAAAAAAAA")

// server is an SFU on loopback.
type server struct {
	*sfu.SFU
	udp, tcp netip.AddrPort
}

func newServer(t testing.TB) *server {
	t.Helper()
	udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	factory, err := transport.New(transport.Config{UDP: udp, TCP: tcp, Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sfu.New(sfu.Config{Transport: factory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return &server{
		SFU: s,
		udp: udp.LocalAddr().(*net.UDPAddr).AddrPort(),
		tcp: tcp.Addr().(*net.TCPAddr).AddrPort(),
	}
}

// events records what signalling is told.
type events struct {
	mu       sync.Mutex
	bindings []protocol.Binding
	failed   string
	told     int
	closed   bool
}

func (e *events) Bindings(b []protocol.Binding) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bindings = b
	e.told++
}

func (e *events) Failed(reason string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failed = reason
}

func (e *events) Closed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
}

// participant is a client and its peer.
type participant struct {
	*testkit.Client
	*sfu.Peer
	id protocol.ParticipantID
	ev *events
}

func (s *server) join(t testing.TB, id protocol.ParticipantID, cfg testkit.ClientConfig) *participant {
	t.Helper()
	p := &participant{id: id, ev: &events{}}
	var err error
	if p.Peer, err = s.Join(call, id, p.ev); err != nil {
		t.Fatal(err)
	}
	p.Client = testkit.NewClient(t, cfg)
	p.Connect(t, p.Peer)
	return p
}

// subscribe asks for sources and returns where they are.
func (p *participant) subscribe(t testing.TB, wants ...protocol.Want) map[protocol.Want]string {
	t.Helper()
	bindings, err := p.Subscribe(wants)
	if err != nil {
		t.Fatal(err)
	}
	at := map[protocol.Want]string{}
	for _, b := range bindings {
		at[protocol.Want{Participant: b.Participant, Source: b.Source}] = b.Mid
	}
	return at
}

func want(p *participant, src protocol.Source) protocol.Want {
	return protocol.Want{Participant: p.id, Source: src}
}

// media is a source being sent, a packet a frame.
type media struct {
	p    *participant
	src  protocol.Source
	stop chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	sent int
}

// send starts sending a source: a key frame first and whenever one is asked for. The
// payload says who sends what, and the number of the packet.
func (p *participant) send(t testing.TB, src protocol.Source, every time.Duration) *media {
	t.Helper()
	m := &media{p: p, src: src, stop: make(chan struct{})}
	p.SetSource(src, protocol.StateLive)
	c := p.Codec(src)
	start := time.Now()
	m.done.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		answered := 0
		for i := 0; ; i++ {
			asked := p.KeyFrameRequests(src)
			key := i == 0 || asked > answered
			answered = asked
			kind := "delta"
			if key {
				kind = "key"
			}
			opaque := fmt.Sprintf("%s/%s/%s/%06d", p.id, src, kind, i)
			_ = p.Write(src, &rtp.Packet{
				Header: rtp.Header{
					SequenceNumber: uint16(65500 + i), Marker: src.Video(),
					Timestamp: uint32(time.Since(start).Seconds() * float64(c.ClockRate())),
				},
				Payload: testkit.Payload(c, key, []byte(opaque)),
			})
			m.mu.Lock()
			m.sent++
			m.mu.Unlock()
			select {
			case <-ticker.C:
			case <-m.stop:
				return
			}
		}
	})
	t.Cleanup(m.end)
	return m
}

func (m *media) end() {
	m.mu.Lock()
	select {
	case <-m.stop:
	default:
		close(m.stop)
	}
	m.mu.Unlock()
	m.done.Wait()
}

// content reads back what send wrote.
func content(r testkit.Received) (from, src, kind string, n int) {
	fields := fields(string(testkit.Opaque(r.Codec, r.Payload)))
	if len(fields) != 4 {
		return "", "", "", -1
	}
	_, _ = fmt.Sscanf(fields[3], "%d", &n)
	return fields[0], fields[1], fields[2], n
}

func fields(s string) []string {
	var out []string
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != '/' {
			i++
		}
		out = append(out, s[:i])
		s = s[min(i+1, len(s)):]
	}
	return out
}

func (p *participant) awaitFrom(t testing.TB, mid string, from *participant, src protocol.Source, atLeast int) {
	t.Helper()
	p.WaitPacket(t, mid, fmt.Sprintf("packet %d of %s's %s in slot %s", atLeast, from.id, src, mid), func(r testkit.Received) bool {
		who, what, _, n := content(r)
		return who == string(from.id) && what == string(src) && n >= atLeast
	})
}

// TestTwoPeers lets two participants exchange audio and video of each codec.
func TestTwoPeers(t *testing.T) {
	for _, c := range []codec.Codec{codec.VP8, codec.VP9, codec.AV1} {
		t.Run(c.String(), func(t *testing.T) {
			s := newServer(t)
			both := []protocol.Source{protocol.SourceMic, protocol.SourceCamera}
			alice := s.join(t, "alice", testkit.ClientConfig{Publish: both, Video: c, Slots: 2})
			bob := s.join(t, "bob", testkit.ClientConfig{Publish: both, Video: c, Slots: 2})
			for _, p := range []*participant{alice, bob} {
				p.send(t, protocol.SourceMic, 20*time.Millisecond)
				p.send(t, protocol.SourceCamera, 20*time.Millisecond)
			}
			for _, pair := range [][2]*participant{{alice, bob}, {bob, alice}} {
				me, you := pair[0], pair[1]
				at := me.subscribe(t, want(you, protocol.SourceMic), want(you, protocol.SourceCamera))
				if len(at) != 2 {
					t.Fatalf("bindings %v, want two", at)
				}
				for _, src := range both {
					me.awaitFrom(t, at[want(you, src)], you, src, 30)
				}
				audio, video := at[want(you, protocol.SourceMic)], at[want(you, protocol.SourceCamera)]
				if a, v := me.Stream(audio), me.Stream(video); a == "" || a != v {
					t.Errorf("media streams of one person's slots: audio %q, video %q; want the same", a, v)
				}
				checkStream(t, me.Received(audio), false)
				checkStream(t, me.Received(video), true)
			}
			st := s.Stats()
			if st.Peers != 2 || st.Calls != 1 || st.Connected != 2 || st.LiveSources != 4 || st.BoundSlots != 4 || st.PacketsOut == 0 {
				t.Errorf("stats: %+v", st)
			}
		})
	}
}

// checkStream checks that a slot is one well-formed stream: every packet once, numbers without
// gaps, starting with a key frame.
func checkStream(t *testing.T, got []testkit.Received, video bool) {
	t.Helper()
	if len(got) == 0 {
		t.Error("nothing received")
		return
	}
	if _, _, kind, _ := content(got[0]); video && kind != "key" {
		t.Errorf("the first packet is a %s frame", kind)
	}
	for i := 1; i < len(got); i++ {
		if d := got[i].SequenceNumber - got[i-1].SequenceNumber; d != 1 {
			t.Errorf("sequence number %d after %d", got[i].SequenceNumber, got[i-1].SequenceNumber)
		}
		if int32(got[i].Timestamp-got[i-1].Timestamp) <= 0 {
			t.Errorf("timestamp %d after %d", got[i].Timestamp, got[i-1].Timestamp)
		}
	}
}
