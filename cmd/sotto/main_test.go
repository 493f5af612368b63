package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// output is a writer that a test can read meanwhile.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}

func startServer(t *testing.T) *server.Server {
	t.Helper()
	cfg, err := config.Parse([]string{"--listen=127.0.0.1:0", "--data-dir=" + t.TempDir()}, config.Env(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := server.Start(ctx, &cfg.Options, server.Deps{Page: fstest.MapFS{"index.html": {Data: []byte("<html>")}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// command is one command line under way.
type command struct {
	out, err output
	stop     context.CancelFunc // as Ctrl-C
	code     chan int
}

func start(t *testing.T, live bool, args ...string) *command {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &command{stop: cancel, code: make(chan int, 1)}
	go func() { c.code <- run(ctx, args, terminal{out: &c.out, err: &c.err, live: live}) }()
	t.Cleanup(cancel)
	return c
}

func (c *command) wait(t *testing.T) int {
	t.Helper()
	select {
	case code := <-c.code:
		return code
	case <-time.After(patience):
		t.Fatalf("did not end\n%s", c.err.String())
		return -1
	}
}

// link waits for the first line, which is the invitation.
func (c *command) link(t *testing.T) string {
	t.Helper()
	eventually(t, "the link", func() bool { return strings.Contains(c.out.String(), "\n") })
	first, _, _ := strings.Cut(c.out.String(), "\n")
	if !strings.Contains(first, "/c/") || !strings.Contains(first, "#") {
		t.Fatalf("first line %q", first)
	}
	return first
}

func TestExitCodes(t *testing.T) {
	s := startServer(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"version", exitOK, "sotto "},
		{"--help", exitOK, "call"},
		{"call --help", exitOK, "--record"},
		{"", exitUsage, "expected"},
		{"nonsense", exitUsage, "nonsense"},
		{"call", exitUsage, "--new"},
		{"call a --new b", exitUsage, "either"},
		{"call a --duration=-1s", exitUsage, "negative"},
		{"call a --log loud", exitUsage, "debug"},
		{"call https://127.0.0.1/c/x#y", exitRefused, "link_damaged"},
		{"call --new http://example.org", exitRefused, "insecure_url"},
		{"call --new https://127.0.0.1:1", exitRefused, "unreachable"},
		{"call a --send absent.ivf", exitFiles, "absent.ivf"},
		{"call a --send pattern:h264", exitFiles, "pattern:vp8"},
		{"call a --send pattern:opus", exitFiles, "pattern:vp8"},
		{"call a --send tone --send tone --send tone", exitUsage, "at most two"},
		{"call a --record " + file, exitFiles, "record"},
		{"call --new " + s.URL() + " --duration 300ms --require-media", exitSilent, "no media"},
		{"doctor nonsense", exitUsage, "bad_url"},
		{"doctor https://127.0.0.1:1", exitRefused, "unreachable"},
	} {
		c := start(t, false, strings.Fields(tc.args)...)
		if code := c.wait(t); code != tc.code {
			t.Errorf("%q: exit code %d, want %d\n%s", tc.args, code, tc.code, c.err.String())
		}
		if all := c.out.String() + c.err.String(); !strings.Contains(all, tc.says) {
			t.Errorf("%q does not say %q:\n%s", tc.args, tc.says, all)
		}
	}
}

func TestDoctor(t *testing.T) {
	s := startServer(t)
	c := start(t, false, "doctor", s.URL())
	if code := c.wait(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"warn  certificate", "ok    signalling", "ok    media UDP", "ok    media TCP"} {
		if !strings.Contains(c.out.String(), want) {
			t.Errorf("no %q in\n%s", want, c.out.String())
		}
	}
}

// A whole call: one starts it, one joins, records and leaves at Ctrl-C.
func TestCall(t *testing.T) {
	s := startServer(t)
	dir := filepath.Join(t.TempDir(), "rec")
	ann := start(t, false, "call", "--new", s.URL(), "--name", "Ann", "--json", "--send", "pattern:av1", "--send", "tone")
	link := ann.link(t)
	ben := start(t, true, "call", link, "--name", "Ben", "--record", dir, "--require-media", "--duration", "3s",
		"--send", filepath.Join("..", "..", "client", "pattern", "pattern.vp9.ivf"))
	if code := ben.wait(t); code != exitOK {
		t.Errorf("exit code %d\n%s", code, ben.err.String())
	}
	ann.stop()
	if code := ann.wait(t); code != exitOK {
		t.Errorf("exit code %d after Ctrl-C\n%s", code, ann.err.String())
	}
	if e := ann.err.String(); e != "" {
		t.Errorf("standard error without a terminal: %q", e)
	}
	if p := ben.err.String(); !strings.Contains(p, "others 1, in ") || strings.Contains(p, "Ann") {
		t.Errorf("progress %q", p)
	}
	if o := ben.out.String(); !strings.Contains(o, "from Ann") || !strings.Contains(o, "recorded") {
		t.Errorf("%s", o)
	}
	_, body, _ := strings.Cut(ann.out.String(), "\n")
	var sum summary
	if err := json.Unmarshal([]byte(body), &sum); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	if len(sum.Received) != 1 || sum.Received[0].Name != "Ben" || sum.Received[0].Frames < 10 || sum.Received[0].Width != 640 ||
		sum.Total.DecryptFailures != 0 || sum.Sent["camera"].Frames < 30 || sum.Sent["mic"].Frames < 100 || sum.Transport != "udp" {
		t.Errorf("%s", body)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
		if info, err := f.Info(); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v, %v", f.Name(), info, err)
		}
	}
	if len(names) != 2 || !slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "-camera.av1.ivf") }) ||
		!slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, "-mic.ogg") }) {
		t.Errorf("recorded %q", names)
	}
}

// Ctrl-C on the way in is no failure.
func TestInterruptedWhileJoining(t *testing.T) {
	s := startServer(t)
	c := start(t, false, "call", "--new", s.URL(), "--json")
	c.stop() // at some point of the way in
	if code := c.wait(t); code != exitOK {
		t.Errorf("exit code %d\n%s", code, c.err.String())
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 9999: "9999 B", 10_000: "10 kB", 9_999_999: "9999 kB", 10_000_000: "10 MB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
