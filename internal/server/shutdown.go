package server

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Shutdown stops in order: /readyz fails, for ShutdownDelay; nothing more is
// accepted; clients are told; requests under way finish; then all is closed.
// When ctx ends first, the rest is cut short and ctx's error returned. Further
// calls return what the first did.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopOnce.Do(func() { s.stopErr = s.shutdown(ctx) })
	return s.stopErr
}

func (s *Server) shutdown(ctx context.Context) error {
	s.ready.stop()
	if s.cfg.ShutdownDelay > 0 {
		select {
		case <-time.After(s.cfg.ShutdownDelay):
		case <-ctx.Done():
		}
	}
	_ = s.mux.Close()

	var errs []error
	for _, h := range []*http.Server{s.main, s.plain, s.operator} {
		if h == nil {
			continue
		}
		if err := h.Shutdown(ctx); err != nil {
			errs = append(errs, err)
			_ = h.Close()
		}
	}
	s.release()
	s.serving.Wait()
	return errors.Join(errs...)
}

// release closes what is open, also of a server that did not start.
func (s *Server) release() {
	for _, c := range []interface{ Close() error }{s.tcp, s.udp, s.operatorTCP} {
		if c != nil {
			_ = c.Close()
		}
	}
}
