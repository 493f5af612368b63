package signaling

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// fakePlane is a media plane that remembers what it was asked.
type fakePlane struct {
	mu    sync.Mutex
	peers map[protocol.ParticipantID]*fakePeer
	fail  error
}

func (f *fakePlane) Join(call protocol.CallID, p protocol.ParticipantID, ev MediaEvents) (MediaPeer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	peer := &fakePeer{call: call, id: p, ev: ev, sources: make(map[protocol.Source]protocol.SourceState)}
	f.peers[p] = peer
	return peer, nil
}

func (f *fakePlane) setFail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

func (f *fakePlane) peer(p protocol.ParticipantID) *fakePeer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers[p]
}

// open counts the peers that are not closed.
func (f *fakePlane) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, p := range f.peers {
		if !p.isClosed() {
			n++
		}
	}
	return n
}

// fakePeer binds the first wants to mids "1", "2" and so on.
type fakePeer struct {
	call protocol.CallID
	id   protocol.ParticipantID
	ev   MediaEvents

	mu       sync.Mutex
	closed   bool
	offers   int
	restarts int
	sections []protocol.Section
	wants    []protocol.Want
	hidden   protocol.ParticipantID // the plane does not bind this one
	sources  map[protocol.Source]protocol.SourceState
	hold     chan struct{} // offers wait for this, if set
}

func (p *fakePeer) Offer(ctx context.Context, sdp string, sections []protocol.Section) (string, error) {
	p.mu.Lock()
	hold := p.hold
	p.offers++
	p.sections = sections
	p.mu.Unlock()
	switch {
	case strings.HasPrefix(sdp, "bad"):
		return "", protocol.Refuse(protocol.CodeBadSDP, "no such thing")
	case strings.HasPrefix(sdp, "fail"):
		return "", errors.New("out of ports at 192.0.2.1")
	case strings.HasPrefix(sdp, "panic"):
		panic("a bug")
	case hold != nil:
		select {
		case <-hold:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "answer to " + sdp, nil
}

func (p *fakePeer) Restart(_ context.Context, sdp string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restarts++
	return "restart of " + sdp, nil
}

func (p *fakePeer) Subscribe(wants []protocol.Want) ([]protocol.Binding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wants = wants
	var out []protocol.Binding
	for i, w := range wants {
		if w.Participant != p.hidden {
			out = append(out, protocol.Binding{Mid: string(rune('1' + i)), Participant: w.Participant, Source: w.Source})
		}
	}
	return out, nil
}

// hide takes a participant out of the bindings and tells.
func (p *fakePeer) hide(who protocol.ParticipantID) {
	p.mu.Lock()
	p.hidden = who
	p.mu.Unlock()
	p.ev.Bindings(nil)
}

func (p *fakePeer) SetSource(s protocol.Source, st protocol.SourceState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources[s] = st
}

func (p *fakePeer) Close() {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	if !was {
		p.ev.Closed()
	}
}

func (p *fakePeer) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *fakePeer) counts() (offers, restarts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offers, p.restarts
}

// clock is a clock that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a server under test.
type bench struct {
	*Server
	t     testing.TB
	url   string
	plane *fakePlane
	store store.Store
	clock *clock
	logs  *logBuffer
	http  *httptest.Server
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServer starts a server with a real store and a fake media plane, on a
// clock that only the test moves.
func startServer(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/sotto.db")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, store: st, plane: &fakePlane{peers: make(map[protocol.ParticipantID]*fakePeer)},
		clock: &clock{now: time.UnixMilli(1_800_000_000_000)}, logs: &logBuffer{},
	}
	cfg := Config{
		Store: st, Media: b.plane, Now: b.clock.Now, Timing: Timing{Sweep: 5 * time.Millisecond},
		Logger: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		// The clock stands still, so the rate would be the burst for ever.
		Limits: Limits{MessageBurst: 1 << 20, ByteBurst: 1 << 24},
	}
	for _, f := range change {
		f(&cfg)
	}
	if b.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	b.http = httptest.NewUnstartedServer(b.Server)
	// Small buffers in the kernel, so that a slow reader shows soon.
	b.http.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if err := c.(*net.TCPConn).SetWriteBuffer(32 << 10); err != nil {
			t.Error(err)
		}
		return ctx
	}
	b.http.Start()
	b.url = "ws" + strings.TrimPrefix(b.http.URL, "http") + protocol.Path
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Errorf("shutting down: %v", err)
		}
		b.http.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if n := b.plane.open(); n != 0 {
			t.Errorf("%d media peers were never closed", n)
		}
	})
	return b
}

func (b *bench) client() *client { return newClient(b.t, b.url) }

// pair puts two clients into a new call.
func (b *bench) pair() (alice, bob *client, a aCall) {
	b.t.Helper()
	a = newCall(b.t)
	alice, bob = b.client().login().create(a), b.client().login()
	alice.join(a)
	if got := bob.join(a); len(got.Participants) != 1 || got.Participants[0].ID != alice.self {
		b.t.Fatalf("bob finds %+v", got.Participants)
	}
	if got := next[protocol.ParticipantJoinedEvent](alice); got.Participant.ID != bob.self {
		b.t.Fatalf("alice hears of %+v", got.Participant)
	}
	return alice, bob, a
}

func containsAny(s string, parts ...string) string {
	i := slices.IndexFunc(parts, func(p string) bool { return p != "" && strings.Contains(s, p) })
	if i < 0 {
		return ""
	}
	return parts[i]
}

// cryptoNoHash asks ed25519 to sign the message itself.
type cryptoNoHash struct{}

func (cryptoNoHash) HashFunc() crypto.Hash { return 0 }

func mustID(t testing.TB, s protocol.CallID) identity.ID {
	t.Helper()
	id, err := identity.ParseID(string(s))
	if err != nil {
		t.Fatal(err)
	}
	return id
}
