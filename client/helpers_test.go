package client

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/play"
	"github.com/sotto-sfu/sotto/client/record"
	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/server"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// testLog shows what happens when SOTTO_TEST_LOG is set.
func testLog() *slog.Logger {
	if os.Getenv("SOTTO_TEST_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// startServer runs a real server in this process.
func startServer(t *testing.T, args ...string) *server.Server {
	t.Helper()
	s, stop := serverAt(t, "127.0.0.1:0", t.TempDir(), args...)
	t.Cleanup(stop)
	return s
}

func serverAt(t *testing.T, listen, data string, args ...string) (s *server.Server, stop func()) {
	t.Helper()
	cfg, err := config.Parse(append([]string{"--listen=" + listen, "--data-dir=" + data}, args...), config.Env(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err = server.Start(ctx, &cfg.Options, server.Deps{
		Page: fstest.MapFS{"index.html": {Data: []byte("<html>")}}, Logger: testLog(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("stopping the server: %v", err)
		}
	})
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

// person is a participant of a test.
type person struct {
	t     *testing.T
	cl    *Client
	call  *Call
	stop  context.CancelFunc // sending
	leave func()
	gone  bool // the call has ended by itself: leaving may fail
	wg    sync.WaitGroup

	mu     sync.Mutex
	frames []Frame
	rec    *record.Recorder
}

// id is who the person is in the call now.
func (p *person) id() protocol.ParticipantID { return p.call.Participant() }

// enter joins a call: the one of the link, or a new one.
func enter(t *testing.T, cfg Config) *person {
	t.Helper()
	cfg.Logger = testLog()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cl, err := Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	call, err := cl.Join(ctx)
	if err != nil {
		cl.Close()
		t.Fatal(err)
	}
	p := &person{t: t, cl: cl, call: call}
	call.OnFrame(func(f Frame) {
		f.Data = append([]byte(nil), f.Data...)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.frames = append(p.frames, f)
		if p.rec == nil {
			return
		}
		err := p.rec.Write(record.Frame{
			Participant: string(f.Participant), Source: string(f.Source), Codec: f.Codec,
			Timestamp: f.Timestamp, Arrival: f.Received, Key: f.Key, Data: f.Data,
		})
		if err != nil {
			t.Errorf("recording: %v", err)
		}
	})
	p.leave = sync.OnceFunc(p.quit)
	t.Cleanup(p.leave)
	return p
}

func (p *person) quit() {
	if p.stop != nil {
		p.stop()
	}
	p.wg.Wait()
	if err := p.call.Leave(context.Background()); err != nil && !p.gone {
		p.t.Errorf("leaving: %v", err)
	}
}

// send plays a clip from now on.
func (p *person) send(s protocol.Source, clip *play.Clip) *Track {
	p.t.Helper()
	tr, err := p.call.Publish(s, clip.Codec)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	before := p.stop
	p.stop = func() {
		cancel()
		if before != nil {
			before()
		}
	}
	p.wg.Go(func() {
		if err := play.Run(ctx, tr, clip); err != nil {
			p.t.Errorf("sending %s: %v", s, err)
		}
	})
	return tr
}

func (p *person) sendPattern(c codec.Codec) *Track {
	p.t.Helper()
	clip, err := play.Pattern(c)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(protocol.SourceCamera, clip)
}

func (p *person) sendTone() *Track {
	p.t.Helper()
	clip, err := play.Tone()
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(protocol.SourceMic, clip)
}

// got counts the frames from one participant's source.
func (p *person) got(from protocol.ParticipantID, s protocol.Source) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, f := range p.frames {
		if f.Participant == from && f.Source == s {
			n++
		}
	}
	return n
}

// clean fails the test if anything did not decrypt.
func (p *person) clean() {
	p.t.Helper()
	for _, r := range p.call.Received() {
		if r.DecryptFailures != 0 || r.Replayed != 0 {
			p.t.Errorf("%+v", r)
		}
	}
}
