package sframe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"fmt"
	"slices"
)

const (
	// MinBaseKeyLen is the shortest base key accepted, in bytes. Sotto's are 32.
	MinBaseKeyLen = 16
	// MaxFrameLen bounds one frame's plaintext, in bytes. No encoder of a call comes
	// near it; it keeps every length far from the limits of AES-CTR and of 32-bit ints.
	MaxFrameLen = 1 << 24
)

// The labels of RFC 9605 §4.4.2.
const (
	labelKey  = "SFrame 1.0 Secret key "
	labelSalt = "SFrame 1.0 Secret salt "
)

// derive computes key and salt of one KID from its base key (RFC 9605 §4.4.2).
func derive(s Suite, kid uint64, baseKey []byte) (key, salt []byte, err error) {
	p, err := s.params()
	if err != nil {
		return nil, nil, err
	}
	secret, err := hkdf.Extract(p.hash, baseKey, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("sframe: extracting the secret: %w", err)
	}
	defer clear(secret)
	key, err = hkdf.Expand(p.hash, secret, label(labelKey, kid, s), p.keyLen)
	if err != nil {
		return nil, nil, fmt.Errorf("sframe: deriving the key: %w", err)
	}
	salt, err = hkdf.Expand(p.hash, secret, label(labelSalt, kid, s), nonceLen)
	if err != nil {
		return nil, nil, fmt.Errorf("sframe: deriving the salt: %w", err)
	}
	return key, salt, nil
}

// label is text ‖ KID as 8 bytes ‖ suite as 2 bytes.
func label(text string, kid uint64, s Suite) string {
	b := binary.BigEndian.AppendUint64([]byte(text), kid)
	return string(binary.BigEndian.AppendUint16(b, uint16(s)))
}

// newAEAD makes the suite's AEAD from sframe_key.
func newAEAD(s Suite, key []byte) (cipher.AEAD, error) {
	p, err := s.params()
	if err != nil {
		return nil, err
	}
	if !p.gcm {
		return newCTRHMAC(p, key)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sframe: making the cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

// frameKey is the keyed state shared by sender and receiver, and the scratch that
// keeps the frame path free of allocations. Not safe for concurrent use.
type frameKey struct {
	kid    uint64
	tagLen int
	aead   cipher.AEAD // nil once erased
	salt   [nonceLen]byte
	nonce  [nonceLen]byte
	aad    []byte // header ‖ metadata, reused
}

func newFrameKey(s Suite, kid uint64, baseKey []byte) (*frameKey, error) {
	if len(baseKey) < MinBaseKeyLen {
		return nil, ErrBaseKey
	}
	key, salt, err := derive(s, kid, baseKey)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	defer clear(salt)
	aead, err := newAEAD(s, key)
	if err != nil {
		return nil, err
	}
	k := &frameKey{kid: kid, tagLen: s.TagLen(), aead: aead, aad: make([]byte, 0, MaxHeaderLen+64)}
	copy(k.salt[:], salt)
	return k, nil
}

// erase forgets the key. The salt and scratch are overwritten; the AES key
// schedule inside the standard library cannot be, and is left to the collector.
func (k *frameKey) erase() {
	clear(k.salt[:])
	clear(k.nonce[:])
	clear(k.aad[:cap(k.aad)])
	k.aead = nil
}

// prepare sets nonce = salt XOR CTR and aad = header ‖ metadata (RFC 9605 §4.4.3).
func (k *frameKey) prepare(ctr uint64, header, metadata []byte) {
	k.nonce = k.salt
	tail := k.nonce[nonceLen-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^ctr)
	k.aad = append(append(k.aad[:0], header...), metadata...)
}

// seal appends header ‖ ciphertext ‖ tag to dst. Plaintext may overlap dst in any way.
func (k *frameKey) seal(dst []byte, ctr uint64, metadata, plaintext []byte) []byte {
	var scratch [MaxHeaderLen]byte
	header := Header{KID: k.kid, CTR: ctr}.Append(scratch[:0])
	k.prepare(ctr, header, metadata)

	at := len(dst)
	dst = grow(dst, len(header)+len(plaintext)+k.tagLen)
	body := dst[at+len(header):][:len(plaintext)]
	copy(body, plaintext) // first: the header may land on the plaintext's own bytes
	copy(dst[at:], header)
	k.aead.Seal(body[:0], k.nonce[:], body, k.aad)
	return dst
}

// open verifies sealed, whose header h of n bytes is parsed already, and appends
// the plaintext to dst. On failure the bytes it touched past len(dst) are zero.
func (k *frameKey) open(dst []byte, h Header, n int, metadata, sealed []byte) ([]byte, error) {
	ct := sealed[n:]
	if len(ct) < k.tagLen {
		return nil, ErrMalformed
	}
	k.prepare(h.CTR, sealed[:n], metadata)

	at := len(dst)
	dst = grow(dst, len(ct))
	body := dst[at:]
	copy(body, ct)
	if _, err := k.aead.Open(body[:0], k.nonce[:], body, k.aad); err != nil {
		clear(body)
		return nil, ErrAuth
	}
	return dst[:at+len(ct)-k.tagLen], nil
}

// grow lengthens b by n bytes of any content, reallocating only when it must.
func grow(b []byte, n int) []byte { return slices.Grow(b, n)[:len(b)+n] }
