package sframe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
)

// ctrHMAC is the AEAD of RFC 9605 §4.5.1: AES in counter mode, then HMAC over
// lengths, nonce, associated data and ciphertext, truncated to tagLen bytes.
// It is not safe for concurrent use: it keeps one running HMAC.
type ctrHMAC struct {
	block  cipher.Block
	mac    hash.Hash
	tagLen int
	sum    []byte // scratch for the full tag
}

// newCTRHMAC splits key = AES key ‖ HMAC key.
func newCTRHMAC(p suiteParams, key []byte) (*ctrHMAC, error) {
	if len(key) != p.keyLen {
		return nil, fmt.Errorf("sframe: key of %d bytes, want %d", len(key), p.keyLen)
	}
	block, err := aes.NewCipher(key[:p.encKey])
	if err != nil {
		return nil, fmt.Errorf("sframe: making the cipher: %w", err)
	}
	return &ctrHMAC{block: block, mac: hmac.New(p.hash, key[p.encKey:]), tagLen: p.tagLen}, nil
}

func (c *ctrHMAC) NonceSize() int { return nonceLen }
func (c *ctrHMAC) Overhead() int  { return c.tagLen }

// Seal implements cipher.AEAD.
func (c *ctrHMAC) Seal(dst, nonce, plaintext, aad []byte) []byte {
	at := len(dst)
	dst = grow(dst, len(plaintext)+c.tagLen)
	ct := dst[at : at+len(plaintext)]
	c.xor(ct, plaintext, nonce)
	copy(dst[at+len(plaintext):], c.tag(nonce, aad, ct))
	return dst
}

// Open implements cipher.AEAD: the tag is verified before anything is decrypted.
func (c *ctrHMAC) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < c.tagLen {
		return nil, ErrMalformed
	}
	ct, tag := sealed[:len(sealed)-c.tagLen], sealed[len(sealed)-c.tagLen:]
	if subtle.ConstantTimeCompare(tag, c.tag(nonce, aad, ct)) != 1 {
		return nil, ErrAuth
	}
	at := len(dst)
	dst = grow(dst, len(ct))
	c.xor(dst[at:], ct, nonce)
	return dst, nil
}

// xor runs the key stream over src. The block counter is the 4 bytes after the nonce.
func (c *ctrHMAC) xor(dst, src, nonce []byte) {
	var iv [aes.BlockSize]byte
	copy(iv[:], nonce)
	cipher.NewCTR(c.block, iv[:]).XORKeyStream(dst, src)
}

// tag computes the truncated HMAC. The result is valid until the next call.
func (c *ctrHMAC) tag(nonce, aad, ct []byte) []byte {
	var lens [24]byte
	binary.BigEndian.PutUint64(lens[0:], uint64(len(aad)))
	binary.BigEndian.PutUint64(lens[8:], uint64(len(ct)))
	binary.BigEndian.PutUint64(lens[16:], uint64(c.tagLen))
	c.mac.Reset()
	c.mac.Write(lens[:])
	c.mac.Write(nonce)
	c.mac.Write(aad)
	c.mac.Write(ct)
	c.sum = c.mac.Sum(c.sum[:0])
	return c.sum[:c.tagLen]
}
