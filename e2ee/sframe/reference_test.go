package sframe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"io"
	"math/big"
	"testing"

	"golang.org/x/crypto/hkdf"
	"pgregory.net/rapid"
)

// referenceSeal is RFC 9605 §4 read a second time: another HKDF, big integers,
// fresh memory for every step, nothing shared with the package's own code. Only tests may
// choose a counter.
func referenceSeal(s Suite, kid, ctr uint64, base, metadata, plaintext []byte) []byte {
	var newHash func() hash.Hash = sha256.New
	encLen, tagLen := 16, map[Suite]int{1: 10, 2: 8, 3: 4, 4: 16, 5: 16, 6: 10, 7: 8, 8: 4}[s]
	if s >= 5 {
		newHash, encLen = sha512.New, 32
	}
	isGCM := s == 4 || s == 5
	keyLen := encLen
	if !isGCM {
		keyLen += newHash().Size()
	}

	secret := hkdf.Extract(newHash, base, nil)
	expand := func(what string, n int) []byte {
		info := fmt.Sprintf("SFrame 1.0 Secret %s ", what)
		info += string(new(big.Int).SetUint64(kid).FillBytes(make([]byte, 8))) + string([]byte{0, byte(s)})
		out := make([]byte, n)
		if _, err := io.ReadFull(hkdf.Expand(newHash, secret, []byte(info)), out); err != nil {
			panic(err)
		}
		return out
	}
	key := expand("key", keyLen)
	salt := new(big.Int).SetBytes(expand("salt", 12))
	nonce := new(big.Int).Xor(salt, new(big.Int).SetUint64(ctr)).FillBytes(make([]byte, 12))

	header := []byte{0}
	for i, v := range []uint64{kid, ctr} {
		nibble := byte(v)
		if v > 7 {
			be := new(big.Int).SetUint64(v).Bytes()
			header = append(header, be...)
			nibble = 8 + byte(len(be)-1)
		}
		header[0] |= nibble << (4 - 4*i)
	}
	aad := append(append([]byte{}, header...), metadata...)

	block, err := aes.NewCipher(key[:encLen])
	if err != nil {
		panic(err)
	}
	if isGCM {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			panic(err)
		}
		return append(header, gcm.Seal(nil, nonce, plaintext, aad)...)
	}
	ct := make([]byte, len(plaintext))
	cipher.NewCTR(block, append(append([]byte{}, nonce...), 0, 0, 0, 0)).XORKeyStream(ct, plaintext)
	mac := hmac.New(newHash, key[encLen:])
	for _, n := range []int{len(aad), len(ct), tagLen} {
		mac.Write(big.NewInt(int64(n)).FillBytes(make([]byte, 8)))
	}
	mac.Write(nonce)
	mac.Write(aad)
	mac.Write(ct)
	return append(append(header, ct...), mac.Sum(nil)[:tagLen]...)
}

// Any counter, not only the small ones a fresh sender reaches.
func TestAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		suite := rapid.SampledFrom(allSuites).Draw(t, "suite")
		kid := rapid.Uint64().Draw(t, "kid") >> rapid.IntRange(0, 63).Draw(t, "kshift")
		ctr := rapid.Uint64().Draw(t, "ctr") >> rapid.IntRange(0, 63).Draw(t, "cshift")
		base := rapid.SliceOfN(rapid.Byte(), MinBaseKeyLen, 64).Draw(t, "base key")
		meta := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "metadata")
		pt := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "plaintext")
		fk, err := newFrameKey(suite, kid, base)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := fk.seal(nil, ctr, meta, pt), referenceSeal(suite, kid, ctr, base, meta, pt)
		if string(ours) != string(theirs) {
			t.Fatalf("sealed %x, reference %x", ours, theirs)
		}
	})
}
