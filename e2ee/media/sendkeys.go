package media

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/sotto-sfu/sotto/e2ee/sframe"
)

// SendKeys makes the sealers of one participant in one call, and remembers every
// base key it has seen for as long as the call lasts: key events that come twice, in whatever
// order, cannot start a counter over. Safe for concurrent use.
type SendKeys struct {
	mu   sync.Mutex
	keys map[[sha256.Size]byte]*sframe.SendKey // by hash of the base key
}

// NewSendKeys makes an empty set.
func NewSendKeys() *SendKeys {
	return &SendKeys{keys: make(map[[sha256.Size]byte]*sframe.SendKey)}
}

// Sealer makes the one sealer of kid under baseKey, which is 32 random bytes that
// nobody else sends with. Errors, wrapped: [sframe.ErrKIDUsed] if this pair had its sealer already,
// even a closed one; [sframe.ErrBaseKey].
func (k *SendKeys) Sealer(kid uint64, baseKey []byte) (*Sealer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	id := sha256.Sum256(baseKey)
	key, ok := k.keys[id]
	if !ok {
		var err error
		if key, err = sframe.NewSendKey(Suite, baseKey); err != nil {
			return nil, fmt.Errorf("media: making a sealer: %w", err)
		}
		k.keys[id] = key
	}
	sender, err := key.Sender(kid)
	if err != nil {
		return nil, fmt.Errorf("media: making a sealer: %w", err)
	}
	return &Sealer{sender: sender}, nil
}

// Close overwrites the base keys. Sealers already made work until they are closed.
func (k *SendKeys) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		key.Close()
	}
}
