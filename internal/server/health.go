package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// readyTimeout bounds one round of checks.
	readyTimeout = 3 * time.Second
	// readyCache keeps strangers who ask in a loop from loading the disk.
	readyCache = time.Second
)

// check is one thing that must hold for the server to be ready.
type check struct {
	name string
	run  func(context.Context) error
}

// readiness answers /readyz.
type readiness struct {
	checks []check
	now    func() time.Time

	mu       sync.Mutex
	stopping bool
	failure  string
	asked    time.Time
}

// stop makes every further answer a failure.
func (r *readiness) stop() {
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
}

// failing returns the name of the first check that fails, or "".
func (r *readiness) failing(ctx context.Context) string {
	r.mu.Lock()
	defer r.mu.Unlock() // one round at a time; the others wait for its result
	if r.stopping {
		return "shutting down"
	}
	if now := r.now(); !r.asked.IsZero() && now.Sub(r.asked) < readyCache {
		return r.failure
	}
	// The asker going away must not be taken for a failure of the check.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	r.failure, r.asked = "", r.now()
	for _, c := range r.checks {
		if err := c.run(ctx); err != nil {
			r.failure = c.name
			break
		}
	}
	return r.failure
}

// ServeHTTP implements /readyz: 200 "ready", or 503 and the name of what is
// not. The cause is for the log and the operator, not for strangers.
func (r *readiness) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if what := r.failing(req.Context()); what != "" {
		plainText(w, http.StatusServiceUnavailable, "not ready: "+what)
		return
	}
	plainText(w, http.StatusOK, "ready")
}

// alive implements /healthz: the process answers.
func alive(w http.ResponseWriter, _ *http.Request) { plainText(w, http.StatusOK, "ok") }

func plainText(w http.ResponseWriter, status int, lines ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, strings.Join(lines, "\n"))
}
