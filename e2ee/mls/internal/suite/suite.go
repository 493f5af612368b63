// Package suite holds the cryptography of one MLS ciphersuite (RFC 9420 §5.1, §5.2, §8, §17.1).
//
// It must never choose parameters by itself: a suite is fixed by its number. It keeps no keys.
package suite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// ErrUnknown is returned by Get for a number that is not implemented.
var ErrUnknown = errors.New("unknown ciphersuite")

// Suite is one ciphersuite. Values are shared and immutable.
type Suite struct {
	ID         uint16
	Nh, Nk, Nn int // sizes of the hash, the AEAD key and the AEAD nonce in bytes

	kem     hpke.KEM
	kdf     hpke.KDF
	aead    hpke.AEAD
	newHash func() hash.Hash
	newAEAD func(key []byte) (cipher.AEAD, error)
	sig     scheme
	checkPK func([]byte) error
}

// The suites: 1, 2 and 3 of RFC 9420 §17.1; 0xF002 is our private code point for
// MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519 of draft-ietf-mls-pq-ciphersuites.
var suites = map[uint16]*Suite{
	1: {
		ID: 1, Nh: 32, Nk: 16, Nn: 12, newHash: sha256.New, newAEAD: newGCM, sig: ed25519Scheme{},
		kem: hpke.DHKEM(ecdh.X25519()), kdf: hpke.HKDFSHA256(), aead: hpke.AES128GCM(), checkPK: checkX25519,
	},
	2: {
		ID: 2, Nh: 32, Nk: 16, Nn: 12, newHash: sha256.New, newAEAD: newGCM, sig: p256Scheme{},
		kem: hpke.DHKEM(ecdh.P256()), kdf: hpke.HKDFSHA256(), aead: hpke.AES128GCM(), checkPK: checkP256,
	},
	3: {
		ID: 3, Nh: 32, Nk: 32, Nn: 12, newHash: sha256.New, newAEAD: chacha20poly1305.New, sig: ed25519Scheme{},
		kem: hpke.DHKEM(ecdh.X25519()), kdf: hpke.HKDFSHA256(), aead: hpke.ChaCha20Poly1305(), checkPK: checkX25519,
	},
	0xF002: {
		ID: 0xF002, Nh: 48, Nk: 32, Nn: 12, newHash: sha512.New384, newAEAD: newGCM, sig: ed25519Scheme{},
		kem: hpke.MLKEM768X25519(), kdf: hpke.HKDFSHA384(), aead: hpke.AES256GCM(), checkPK: checkHybrid,
	},
}

// Get returns the suite with the number id.
func Get(id uint16) (*Suite, error) {
	if s, ok := suites[id]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("%w %#04x", ErrUnknown, id)
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Hash returns the suite's hash of the concatenation of parts.
func (s *Suite) Hash(parts ...[]byte) []byte {
	h := s.newHash()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// RefHash computes RefHash(label, value) of §5.2.
func (s *Suite) RefHash(label string, value []byte) []byte {
	var w wire.Writer
	w.Opaque([]byte(label))
	w.Length(len(value))
	return s.Hash(w.B, value)
}

// MAC computes the suite's HMAC.
func (s *Suite) MAC(key, data []byte) []byte {
	h := hmac.New(s.newHash, key)
	h.Write(data)
	return h.Sum(nil)
}

// VerifyMAC compares in constant time.
func (s *Suite) VerifyMAC(key, data, tag []byte) bool { return hmac.Equal(s.MAC(key, data), tag) }

// Extract is KDF.Extract.
func (s *Suite) Extract(salt, ikm []byte) []byte {
	out, err := hkdf.Extract(s.newHash, ikm, salt)
	if err != nil {
		panic("suite: hkdf.Extract: " + err.Error()) // only in FIPS mode with short keys
	}
	return out
}

// ExpandWithLabel is §8's ExpandWithLabel. n must be at most 255·Nh.
func (s *Suite) ExpandWithLabel(secret []byte, label string, context []byte, n int) []byte {
	w := wire.Writer{B: make([]byte, 0, 16+len(label)+len(context))}
	w.U16(uint16(n))
	w.Length(len(labelPrefix) + len(label))
	w.B = append(append(w.B, labelPrefix...), label...)
	w.Opaque(context)
	out, err := hkdf.Expand(s.newHash, secret, string(w.B), n)
	if err != nil {
		panic("suite: hkdf.Expand: " + err.Error()) // n is bounded by the callers
	}
	return out
}

// DeriveSecret is §8's DeriveSecret.
func (s *Suite) DeriveSecret(secret []byte, label string) []byte {
	return s.ExpandWithLabel(secret, label, nil, s.Nh)
}

// DeriveTreeSecret is §9's DeriveTreeSecret.
func (s *Suite) DeriveTreeSecret(secret []byte, label string, generation uint32, n int) []byte {
	var w wire.Writer
	w.U32(generation)
	return s.ExpandWithLabel(secret, label, w.B, n)
}

// Seal encrypts with the suite's AEAD.
func (s *Suite) Seal(key, nonce, plaintext, aad []byte) ([]byte, error) {
	a, err := s.newAEAD(key)
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nonce, plaintext, aad), nil
}

// Open decrypts with the suite's AEAD.
func (s *Suite) Open(key, nonce, ciphertext, aad []byte) ([]byte, error) {
	a, err := s.newAEAD(key)
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nonce, ciphertext, aad)
}

const labelPrefix = "MLS 1.0 "

// labelled encodes struct { opaque label<V>; opaque content<V>; } with the MLS prefix: it is
// SignContent of §5.1.2 and EncryptContext of §5.1.3.
func labelled(label string, content []byte) []byte {
	w := wire.Writer{B: make([]byte, 0, 16+len(label)+len(content))}
	w.Length(len(labelPrefix) + len(label))
	w.B = append(append(w.B, labelPrefix...), label...)
	w.Opaque(content)
	return w.B
}
