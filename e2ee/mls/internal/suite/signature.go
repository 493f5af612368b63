package suite

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// ErrSigner is returned when a signer's key does not fit the suite.
var ErrSigner = errors.New("signer does not fit the ciphersuite")

type scheme interface {
	publicKey(crypto.PublicKey) ([]byte, error)
	checkPublic(pub []byte) error
	sign(rand io.Reader, s crypto.Signer, message []byte) ([]byte, error)
	verify(pub, message, sig []byte) bool
}

// SignerPublicKey returns the encoding of a signer's public key in this suite.
func (s *Suite) SignerPublicKey(signer crypto.Signer) ([]byte, error) {
	if signer == nil {
		return nil, fmt.Errorf("%w: it is nil", ErrSigner)
	}
	return s.sig.publicKey(signer.Public())
}

// CheckSignatureKey reports whether pub can be a public key of this suite.
func (s *Suite) CheckSignatureKey(pub []byte) error { return s.sig.checkPublic(pub) }

// SignWithLabel is §5.1.2's SignWithLabel.
func (s *Suite) SignWithLabel(rand io.Reader, signer crypto.Signer, label string, content []byte) ([]byte, error) {
	return s.sig.sign(rand, signer, labelled(label, content))
}

// VerifyWithLabel is §5.1.2's VerifyWithLabel.
func (s *Suite) VerifyWithLabel(pub []byte, label string, content, sig []byte) bool {
	return s.sig.verify(pub, labelled(label, content), sig)
}

type ed25519Scheme struct{}

func (ed25519Scheme) publicKey(k crypto.PublicKey) ([]byte, error) {
	pub, ok := k.(ed25519.PublicKey)
	if !ok || len(pub) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: want Ed25519, have %T", ErrSigner, k)
	}
	return bytes.Clone(pub), nil
}

func (ed25519Scheme) checkPublic(pub []byte) error {
	if len(pub) != ed25519.PublicKeySize {
		return fmt.Errorf("Ed25519 public key of %d bytes", len(pub)) //nolint:staticcheck // a name begins the message
	}
	return nil
}

func (ed25519Scheme) sign(rand io.Reader, s crypto.Signer, message []byte) ([]byte, error) {
	return s.Sign(rand, message, crypto.Hash(0))
}

func (ed25519Scheme) verify(pub, message, sig []byte) bool {
	return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, message, sig)
}

type p256Scheme struct{}

func (p256Scheme) publicKey(k crypto.PublicKey) ([]byte, error) {
	pub, ok := k.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: want ECDSA P-256, have %T", ErrSigner, k)
	}
	return pub.Bytes()
}

func (p256Scheme) checkPublic(pub []byte) error {
	_, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), pub)
	return err
}

func (p256Scheme) sign(rand io.Reader, s crypto.Signer, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	return s.Sign(rand, digest[:], crypto.SHA256)
}

func (p256Scheme) verify(pub, message, sig []byte) bool {
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), pub)
	if err != nil {
		return false
	}
	digest := sha256.Sum256(message)
	return ecdsa.VerifyASN1(k, digest[:], sig)
}
