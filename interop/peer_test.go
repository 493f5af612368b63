//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// replyTimeout is how long a peer may think about one request. The slowest one,
// a commit of the hybrid suite, takes a few dozen milliseconds.
const replyTimeout = time.Minute

// peer is a Node process that runs peer.mjs.
type peer struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	replies *bufio.Reader
}

// refusal is the error of a peer that did not accept a request.
type refusal struct{ text string }

func (r refusal) Error() string { return "ts-mls: " + r.text }

// request is one line to a peer. Fields that an operation does not know are
// left out; see peer.mjs.
type request map[string]any

// call sends r and decodes the reply into out, if that is not nil. It returns a
// refusal if the peer answers with an error; anything else wrong is fatal, for
// the peer is then unusable.
func (p *peer) call(t testing.TB, r request, out any) error {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("writing to the peer: %v", err)
	}
	overdue := time.AfterFunc(replyTimeout, func() { _ = p.cmd.Process.Kill() })
	reply, err := p.replies.ReadBytes('\n')
	if !overdue.Stop() {
		t.Fatalf("no reply to %v within %v", r["op"], replyTimeout)
	}
	if err != nil {
		t.Fatalf("reading from the peer: %v", err)
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(reply, &failed); err != nil {
		t.Fatalf("reply %q: %v", reply, err)
	}
	if failed.Error != "" {
		return refusal{failed.Error}
	}
	if out != nil {
		if err := json.Unmarshal(reply, out); err != nil {
			t.Fatalf("reply %q: %v", reply, err)
		}
	}
	return nil
}

func startPeer() (*peer, error) {
	cmd := exec.Command("node", "peer.mjs")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Node, which these tests need: %w", err)
	}
	return &peer{cmd: cmd, in: in, replies: bufio.NewReaderSize(out, 1<<20)}, nil
}

// stop ends the process, which leaves its loop when its input ends.
func (p *peer) stop() error {
	_ = p.in.Close()
	return p.cmd.Wait()
}

// peerPool keeps peers between tests: starting one takes longer than most of
// what it is then asked to do.
type peerPool struct {
	mu   sync.Mutex
	idle []*peer
	all  []*peer
}

var peers peerPool

// take returns a peer that is the caller's until the end of its test.
func (pool *peerPool) take(t testing.TB) *peer {
	t.Helper()
	pool.mu.Lock()
	defer pool.mu.Unlock()
	var p *peer
	if n := len(pool.idle); n > 0 {
		p, pool.idle = pool.idle[n-1], pool.idle[:n-1]
	} else {
		var err error
		if p, err = startPeer(); err != nil {
			t.Fatal(err)
		}
		pool.all = append(pool.all, p)
	}
	t.Cleanup(func() {
		if t.Failed() {
			return // it may be in the middle of a reply
		}
		pool.mu.Lock()
		defer pool.mu.Unlock()
		pool.idle = append(pool.idle, p)
	})
	return p
}

func (pool *peerPool) stop() error {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	var errs []error
	for _, p := range pool.all {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
}
