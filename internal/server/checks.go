package server

import (
	"context"
	"errors"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// checks are what /readyz asks for.
func (s *Server) checks(now func() time.Time) []check {
	return []check{
		{"sockets", func(context.Context) error {
			if !s.accepting.Load() {
				return errors.New("no longer accepting")
			}
			return nil
		}},
		{"data folder", func(context.Context) error { return openDataDir(s.cfg.DataDir) }},
		// A write transaction that touches nothing: the writer is alive and the
		// database can be locked.
		{"store", func(ctx context.Context) error {
			return s.store.Touch(ctx, []protocol.CallID{"readiness probe"}, now())
		}},
	}
}
