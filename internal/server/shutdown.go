package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	if err := s.signal.Shutdown(ctx); err != nil { // hijacked from the HTTP servers: they do not wait for it
		errs = append(errs, fmt.Errorf("telling clients: %w", err))
	}
	for _, h := range []*http.Server{s.main, s.plain, s.operator} {
		if h == nil {
			continue
		}
		if err := h.Shutdown(ctx); err != nil {
			errs = append(errs, err)
			_ = h.Close()
		}
	}
	errs = append(errs, s.release())
	s.serving.Wait()
	return errors.Join(errs...)
}

// release closes what is open, also of a server that did not start.
func (s *Server) release() error {
	var errs []error
	if s.signal != nil {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = s.signal.Shutdown(now) // nothing is left to end but of a server that did not start
	}
	if s.media != nil {
		errs = append(errs, ignoreClosed(s.media.Close())) // closes its sockets too
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	for _, c := range []io.Closer{s.tcp, s.udp, s.operatorTCP} {
		if c != nil {
			errs = append(errs, ignoreClosed(c.Close()))
		}
	}
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
