package call

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// SecretLen is the length of a call secret in bytes.
const SecretLen = 32

// ErrSecret: bytes that cannot be a call secret.
var ErrSecret = errors.New("call: a call secret has 32 bytes")

const labelAdmission = "sotto/1 admission"

// Secret is a call's secret, made by its founder. Who holds it may join, and can
// read and be heard. It prints as a placeholder, lest it end up in a log.
type Secret struct{ b [SecretLen]byte }

// NewSecret draws a secret from rand, which must be cryptographic.
func NewSecret(rand io.Reader) (Secret, error) {
	var s Secret
	if _, err := io.ReadFull(rand, s.b[:]); err != nil {
		return Secret{}, fmt.Errorf("call: drawing a call secret: %w", err)
	}
	return s, nil
}

// SecretFromBytes copies a secret. Error: ErrSecret.
func SecretFromBytes(b []byte) (Secret, error) {
	var s Secret
	if len(b) != SecretLen {
		return Secret{}, ErrSecret
	}
	copy(s.b[:], b)
	return s, nil
}

// Bytes is a copy of the secret's 32 bytes.
func (s Secret) Bytes() []byte { return append([]byte(nil), s.b[:]...) }

// String hides the secret.
func (s Secret) String() string { return "[call secret]" }

// GoString hides the secret from %#v too.
func (s Secret) GoString() string { return s.String() }

// text is the secret as it stands in a link.
func (s Secret) text() string { return base64.RawURLEncoding.EncodeToString(s.b[:]) }

// AdmissionKey is the Ed25519 key with which holders of the secret prove to the
// server that they may join: its seed is HKDF-Expand(secret, "sotto/1 admission", 32).
func (s Secret) AdmissionKey() ed25519.PrivateKey {
	seed := s.expand(labelAdmission, ed25519.SeedSize)
	defer clear(seed)
	return ed25519.NewKeyFromSeed(seed)
}

// CallID names the call: it commits to the admission key and so to the secret.
func (s Secret) CallID() identity.ID {
	return identity.CallID(s.AdmissionKey().Public().(ed25519.PublicKey))
}

// expand is HKDF-Expand with SHA-256; the secret is uniform, so it is used as the
// pseudorandom key directly (RFC 5869 §3.3).
func (s Secret) expand(info string, n int) []byte {
	out, err := hkdf.Expand(sha256.New, s.b[:], info, n)
	if err != nil {
		panic("call: HKDF cannot fail for such lengths: " + err.Error())
	}
	return out
}
