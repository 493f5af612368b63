package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Errors on which callers branch. Everything else is a failure of the store.
var (
	ErrNoCall       = errors.New("store: no such call")
	ErrTooManyCalls = errors.New("store: the device has too many calls")
	ErrConflict     = errors.New("store: the call exists with another admission key")
	ErrClosed       = errors.New("store: closed")
)

// Call is the durable record of a call. Times have millisecond precision.
type Call struct {
	ID           protocol.CallID
	AdmissionKey []byte // Ed25519 public key, 32 bytes
	Creator      protocol.DeviceID
	CreatedAt    time.Time
	LastUsed     time.Time // when somebody was last in it
}

// Store is what every backend offers. All methods may be called concurrently.
// A write that returned nil is durable; one cut short by its context may or
// may not have happened.
type Store interface {
	// CreateCall records a call unless it exists: created tells. An existing
	// call is left as it is, and is [ErrConflict] under another admission key.
	// When the creator holds maxPerCreator calls already, a new one is
	// [ErrTooManyCalls]; both are decided atomically.
	CreateCall(ctx context.Context, c Call, maxPerCreator int) (created bool, err error)
	// Call finds a call, or [ErrNoCall].
	Call(ctx context.Context, id protocol.CallID) (Call, error)
	// Touch notes that the calls were in use at a time; unknown ones are
	// ignored and LastUsed never goes back.
	Touch(ctx context.Context, ids []protocol.CallID, at time.Time) error
	// DeleteUnused removes the calls last used before a time and says how many.
	DeleteUnused(ctx context.Context, before time.Time) (int, error)
	// Close waits for writes in progress. Later calls get [ErrClosed].
	Close() error
}

// Open opens the store that url names: "sqlite:FILE" (relative) or
// "sqlite:///FILE" (absolute). The file and its folder are made if absent.
func Open(ctx context.Context, url string) (Store, error) {
	scheme, rest, ok := strings.Cut(url, ":")
	switch {
	case ok && scheme == "sqlite":
		path := strings.TrimPrefix(rest, "//")
		if path == "" {
			return nil, fmt.Errorf("store %q names no file: use sqlite:FILE", url)
		}
		return openSQLite(ctx, path)
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		// The URL may hold a password: it is not repeated.
		return nil, errors.New("store: PostgreSQL is not supported yet: use sqlite:FILE")
	default:
		return nil, errors.New("store: the URL is of no known kind: use sqlite:FILE")
	}
}
