// Package storetest is the conformance suite that every backend of package
// store passes.
package storetest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Run runs the suite. open opens the same, at first empty, database each time
// within one subtest.
func Run(t *testing.T, open func(t *testing.T) func() store.Store) {
	for name, test := range map[string]func(*testing.T, func() store.Store){
		"create and find":         createAndFind,
		"creating twice":          createTwice,
		"limit per creator":       limitPerCreator,
		"limit holds in a race":   limitRace,
		"one creator wins a race": createRace,
		"touch and expiry":        touchAndExpiry,
		"survives reopening":      reopen,
		"closed":                  closed,
		"cancelled":               cancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// NewCall makes a record with random ids, in use at a time.
func NewCall(creator protocol.DeviceID, at time.Time) store.Call {
	key := make([]byte, 32)
	rand.Read(key)
	return store.Call{
		ID: protocol.CallID(base64.RawURLEncoding.EncodeToString(key[:16])), AdmissionKey: key,
		Creator: creator, CreatedAt: at, LastUsed: at,
	}
}

var start = time.UnixMilli(1_800_000_000_123)

func opened(t *testing.T, open func() store.Store) store.Store {
	s := open()
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustCreate(t *testing.T, s store.Store, c store.Call) {
	t.Helper()
	if created, err := s.CreateCall(t.Context(), c, 100); err != nil || !created {
		t.Fatalf("CreateCall: %v, %v", created, err)
	}
}

func checkCall(t *testing.T, s store.Store, want store.Call) {
	t.Helper()
	got, err := s.Call(t.Context(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func createAndFind(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	c := NewCall("alice", start)
	if _, err := s.Call(t.Context(), c.ID); !errors.Is(err, store.ErrNoCall) {
		t.Fatalf("before: %v, want ErrNoCall", err)
	}
	mustCreate(t, s, c)
	checkCall(t, s, c)
}

func createTwice(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	c := NewCall("alice", start)
	mustCreate(t, s, c)
	again := c
	again.Creator, again.CreatedAt = "bob", start.Add(time.Hour)
	if created, err := s.CreateCall(t.Context(), again, 0); err != nil || created {
		t.Errorf("the same call again: %v, %v", created, err)
	}
	checkCall(t, s, c)
	other := NewCall("alice", start)
	other.ID = c.ID
	if _, err := s.CreateCall(t.Context(), other, 100); !errors.Is(err, store.ErrConflict) {
		t.Errorf("another key: %v, want ErrConflict", err)
	}
	checkCall(t, s, c)
}

func limitPerCreator(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	for range 3 {
		if _, err := s.CreateCall(t.Context(), NewCall("alice", start), 3); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateCall(t.Context(), NewCall("alice", start), 3); !errors.Is(err, store.ErrTooManyCalls) {
		t.Errorf("a fourth: %v, want ErrTooManyCalls", err)
	}
	if _, err := s.CreateCall(t.Context(), NewCall("bob", start), 3); err != nil {
		t.Errorf("another creator: %v", err)
	}
	if _, err := s.DeleteUnused(t.Context(), start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateCall(t.Context(), NewCall("alice", start), 3); err != nil {
		t.Errorf("after the old ones expired: %v", err)
	}
}

func limitRace(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	var wg sync.WaitGroup
	var created, refused atomic.Int32
	for range 40 {
		wg.Go(func() {
			ok, err := s.CreateCall(context.Background(), NewCall("alice", start), 7)
			switch {
			case err == nil && ok:
				created.Add(1)
			case errors.Is(err, store.ErrTooManyCalls):
				refused.Add(1)
			default:
				t.Errorf("created %v: %v", ok, err)
			}
		})
	}
	wg.Wait()
	if created.Load() != 7 || refused.Load() != 33 {
		t.Errorf("created %d, refused %d", created.Load(), refused.Load())
	}
}

func createRace(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	c := NewCall("alice", start)
	var wg sync.WaitGroup
	var created atomic.Int32
	for range 20 {
		wg.Go(func() {
			ok, err := s.CreateCall(context.Background(), c, 100)
			if err != nil {
				t.Error(err)
			}
			if ok {
				created.Add(1)
			}
		})
	}
	wg.Wait()
	if created.Load() != 1 {
		t.Errorf("created %d times", created.Load())
	}
}

func touchAndExpiry(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	used, unused := NewCall("alice", start), NewCall("alice", start)
	mustCreate(t, s, used)
	mustCreate(t, s, unused)
	later := start.Add(time.Hour)
	if err := s.Touch(t.Context(), []protocol.CallID{used.ID, "never created"}, later); err != nil {
		t.Fatal(err)
	}
	if err := s.Touch(t.Context(), []protocol.CallID{used.ID}, start); err != nil {
		t.Fatal(err)
	}
	used.LastUsed = later
	checkCall(t, s, used)
	if n, err := s.DeleteUnused(t.Context(), later); err != nil || n != 1 {
		t.Errorf("deleted %d, %v; want 1", n, err)
	}
	checkCall(t, s, used)
	if _, err := s.Call(t.Context(), unused.ID); !errors.Is(err, store.ErrNoCall) {
		t.Errorf("the unused call: %v, want ErrNoCall", err)
	}
}

func reopen(t *testing.T, open func() store.Store) {
	s := open()
	c := NewCall("alice", start)
	mustCreate(t, s, c)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	checkCall(t, opened(t, open), c)
}

func closed(t *testing.T, open func() store.Store) {
	s := open()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateCall(t.Context(), NewCall("alice", start), 1); !errors.Is(err, store.ErrClosed) {
		t.Errorf("CreateCall: %v, want ErrClosed", err)
	}
	if _, err := s.Call(t.Context(), "x"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Call: %v, want ErrClosed", err)
	}
}

func cancelled(t *testing.T, open func() store.Store) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Call(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("Call: %v, want context.Canceled", err)
	}
	c := NewCall("alice", start)
	_, _ = s.CreateCall(ctx, c, 1) // either way the store goes on:
	mustCreate(t, s, NewCall("bob", start))
}
