package sframe

import (
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
)

// Suite is a cipher suite identifier of the IANA registry "SFrame Cipher Suites"
// (RFC 9605 §8.1). 6 to 8 are not in the RFC itself but in its authors' published vectors:
// the first three with AES-256 and SHA-512.
type Suite uint16

// The cipher suites. The number that ends a name is the tag length in bits.
// Sotto seals with AES256GCMSHA512 only; the others exist so that the whole of
// RFC 9605 is held to its test vectors.
const (
	AES128CTRHMACSHA256_80 Suite = 0x0001
	AES128CTRHMACSHA256_64 Suite = 0x0002
	AES128CTRHMACSHA256_32 Suite = 0x0003
	AES128GCMSHA256        Suite = 0x0004
	AES256GCMSHA512        Suite = 0x0005
	AES256CTRHMACSHA512_80 Suite = 0x0006
	AES256CTRHMACSHA512_64 Suite = 0x0007
	AES256CTRHMACSHA512_32 Suite = 0x0008
)

// nonceLen is Nn, the same in every suite (RFC 9605 §4.5, table 1).
const nonceLen = 12

// suiteParams are the constants of RFC 9605 §4.5, table 1, lengths in bytes.
type suiteParams struct {
	name   string
	hash   func() hash.Hash
	encKey int // Nka: the AES key
	keyLen int // Nk: everything derived as sframe_key
	tagLen int // Nt
	gcm    bool
}

var suites = map[Suite]suiteParams{
	AES128CTRHMACSHA256_80: {"AES_128_CTR_HMAC_SHA256_80", sha256.New, 16, 48, 10, false},
	AES128CTRHMACSHA256_64: {"AES_128_CTR_HMAC_SHA256_64", sha256.New, 16, 48, 8, false},
	AES128CTRHMACSHA256_32: {"AES_128_CTR_HMAC_SHA256_32", sha256.New, 16, 48, 4, false},
	AES128GCMSHA256:        {"AES_128_GCM_SHA256_128", sha256.New, 16, 16, 16, true},
	AES256GCMSHA512:        {"AES_256_GCM_SHA512_128", sha512.New, 32, 32, 16, true},
	AES256CTRHMACSHA512_80: {"AES_256_CTR_HMAC_SHA512_80", sha512.New, 32, 96, 10, false},
	AES256CTRHMACSHA512_64: {"AES_256_CTR_HMAC_SHA512_64", sha512.New, 32, 96, 8, false},
	AES256CTRHMACSHA512_32: {"AES_256_CTR_HMAC_SHA512_32", sha512.New, 32, 96, 4, false},
}

// params looks a suite up; an unknown one is ErrSuite.
func (s Suite) params() (suiteParams, error) {
	p, ok := suites[s]
	if !ok {
		return suiteParams{}, fmt.Errorf("%w: 0x%04x", ErrSuite, uint16(s))
	}
	return p, nil
}

// TagLen is the length in bytes of the suite's authentication tag, 0 for an unknown suite.
func (s Suite) TagLen() int { return suites[s].tagLen }

// String is the suite's registered name.
func (s Suite) String() string {
	if p, ok := suites[s]; ok {
		return p.name
	}
	return fmt.Sprintf("unknown suite 0x%04x", uint16(s))
}
