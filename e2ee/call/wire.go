package call

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

const (
	labelSenderKey = "sotto/1 sender key"
	payloadVersion = 0x01
	nonceLen       = 12
	tagLen         = 16
	padTo          = 256
	// maxPayloadLen is far above the largest message there is: a name of 64 bytes,
	// escaped, makes it 768.
	maxPayloadLen = 4096
)

// The kinds of messages.
const (
	typeKey     = "key"
	typeNeedKey = "need_key"
)

const (
	baseKeyLen   = 32
	sessionIDLen = 16
)

// sessionID is drawn by every session; a key message names its receiver's.
type sessionID [sessionIDLen]byte

// message is the plaintext of a payload. Which fields count depends on T.
type message struct {
	T string `json:"t"`
	N uint64 `json:"n"`

	Session blob `json:"session,omitempty"` // need_key: the asking session

	For       blob   `json:"for,omitempty"` // key: the session that asked
	Gen       uint64 `json:"gen,omitempty"`
	BaseKey   blob   `json:"base_key,omitempty"`
	KIDPrefix uint32 `json:"kid_prefix,omitempty"`
	Name      string `json:"name,omitempty"`
}

// blob is a byte string, base64url without padding in JSON.
type blob []byte

func (b blob) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, b), nil
}

func (b *blob) UnmarshalText(text []byte) error {
	out, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	*b = out
	return err
}

// encode makes the padded plaintext.
func (m message) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic("call: a message always encodes: " + err.Error())
	}
	return append(b, bytes.Repeat([]byte{' '}, (padTo-len(b)%padTo)%padTo)...)
}

// decodeMessage reads a plaintext. Sizes of byte strings are the caller's to check.
func decodeMessage(b []byte) (message, error) {
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		return message{}, fmt.Errorf("call: reading a message: %w", err)
	}
	return m, nil
}

// channel seals or opens the messages of one direction between two participants.
type channel struct {
	aead cipher.AEAD
	aad  []byte
}

func newChannel(secret Secret, call, from, to identity.ID) channel {
	names := string(call[:]) + string(from[:]) + string(to[:])
	key := secret.expand(labelSenderKey+names, 32)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("call: AES takes 32 bytes: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("call: GCM takes AES: " + err.Error())
	}
	return channel{aead: aead, aad: []byte(labelSenderKey + string(byte(payloadVersion)) + names)}
}

// seal makes a payload under a random nonce. The key seals at most a few thousand
// messages, so that nonces do not meet (NIST SP 800-38D §8.3 allows 2^32).
func (c channel) seal(rand io.Reader, plaintext []byte) []byte {
	out := make([]byte, 1+nonceLen, 1+nonceLen+len(plaintext)+tagLen)
	out[0] = payloadVersion
	mustRead(rand, out[1:])
	return c.aead.Seal(out, out[1:], plaintext, c.aad)
}

// open is the reverse; an empty refusal means success.
func (c channel) open(payload []byte) ([]byte, Refusal) {
	if len(payload) < 1+nonceLen+tagLen || len(payload) > maxPayloadLen || payload[0] != payloadVersion {
		return nil, RefusedMalformed
	}
	plaintext, err := c.aead.Open(nil, payload[1:1+nonceLen], payload[1+nonceLen:], c.aad)
	if err != nil {
		return nil, RefusedAuth
	}
	return plaintext, ""
}

// mustRead fills b with randomness. Without it there is no safe way on, so a
// failing source ends the program, as in crypto/rand itself.
func mustRead(rand io.Reader, b []byte) {
	if _, err := io.ReadFull(rand, b); err != nil {
		panic("call: the random source failed: " + err.Error())
	}
}
