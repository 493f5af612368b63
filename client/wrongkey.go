//go:build sotto_wrongkey

package client

import "bytes"

// spoilByDefault makes a participant who seals with another key than the one given
// out. The end-to-end tests build such a client, with this tag, to see that others show
// and play nothing of it.
var spoilByDefault = func(key []byte) []byte {
	key = bytes.Clone(key)
	key[0] ^= 1
	return key
}
