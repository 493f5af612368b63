package server

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/sotto-sfu/sotto/client"
)

// safeBuffer is a log that several goroutines write to.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestNothingNamesPeople holds a whole call, an unclean end included, and then
// looks for whoever was in it, in the log at level info and in the metrics.
func TestNothingNamesPeople(t *testing.T) {
	var logged safeBuffer
	s := startWith(t, options(t), Deps{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	ann := enter(ctx, t, client.Config{URL: s.URL(), Name: "Ann-the-founder"})
	ben := enter(ctx, t, client.Config{Link: ann.client.Invitation(), Name: "Ben-the-guest"})
	waitFor(t, "both to see each other", func() bool { return len(ann.call.Members()) > 0 && len(ben.call.Members()) > 0 })
	secrets := map[string]string{
		"the address": "127.0.0.1", "the call": string(ann.client.CallID()), "a name": "the-guest",
		"Ann": string(ann.call.Participant()), "Ben": string(ben.call.Participant()),
	}
	_, scraped := get(t, s.URL()+"/metrics")
	if !strings.Contains(scraped, "sotto_participants 2\n") {
		t.Errorf("the metrics do not see the call:\n%s", scraped)
	}

	if err := ann.call.Leave(ctx); err != nil {
		t.Error(err)
	}
	if err := s.Shutdown(ctx); err != nil { // Ben is still there
		t.Error(err)
	}
	for what, secret := range secrets {
		if secret == "" {
			t.Errorf("%s is not known to the test", what)
			continue
		}
		if text := logged.String(); strings.Contains(text, secret) {
			t.Errorf("the log at level info tells %s:\n%s", what, text)
		}
		if strings.Contains(scraped, secret) {
			t.Errorf("the metrics tell %s", what)
		}
	}
}

type person struct {
	client *client.Client
	call   *client.Call
}

func enter(ctx context.Context, t *testing.T, cfg client.Config) person {
	t.Helper()
	c, err := client.Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	call, err := c.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		gone, cancel := context.WithCancel(context.Background())
		cancel() // the server is gone, or need not be told
		_ = call.Leave(gone)
		c.Close()
	})
	return person{c, call}
}
