package suite

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/mlkem"
	"errors"
	"fmt"
	"io"
)

// Errors of public key checks.
var (
	ErrPublicKey = errors.New("HPKE public key is malformed")
	ErrLowOrder  = errors.New("HPKE public key has low order")
)

// PublicKey is a parsed HPKE public key. Parsing one of the hybrid KEM expands a matrix, so keep it.
type PublicKey = hpke.PublicKey

// ParsePublicKey parses an HPKE public key.
func (s *Suite) ParsePublicKey(b []byte) (PublicKey, error) {
	pk, err := s.kem.NewPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	return pk, nil
}

// CheckPublicKey reports whether an encapsulation to b can succeed, at a fraction of the cost of
// parsing. It is called for every key that enters a tree: a key that nobody can encrypt to would
// stop every later commit of every member.
func (s *Suite) CheckPublicKey(b []byte) error { return s.checkPK(b) }

// DeriveKeyPair is KEM.DeriveKeyPair; it returns the serialised private and public keys.
func (s *Suite) DeriveKeyPair(ikm []byte) (priv, pub []byte, err error) {
	k, err := s.kem.DeriveKeyPair(ikm)
	if err != nil {
		return nil, nil, fmt.Errorf("deriving key pair: %w", err)
	}
	if priv, err = k.Bytes(); err != nil {
		return nil, nil, fmt.Errorf("serialising private key: %w", err)
	}
	return priv, k.PublicKey().Bytes(), nil
}

// GenerateKeyPair derives a key pair from Nh fresh bytes of rand.
func (s *Suite) GenerateKeyPair(rand io.Reader) (priv, pub []byte, err error) {
	ikm := make([]byte, s.Nh)
	if _, err := io.ReadFull(rand, ikm); err != nil {
		return nil, nil, fmt.Errorf("reading randomness: %w", err)
	}
	defer clear(ikm)
	return s.DeriveKeyPair(ikm)
}

// PublicFromPrivate returns the public key of a serialised private key.
func (s *Suite) PublicFromPrivate(priv []byte) ([]byte, error) {
	k, err := s.kem.NewPrivateKey(priv)
	if err != nil {
		return nil, fmt.Errorf("parsing private key: %w", err)
	}
	return k.PublicKey().Bytes(), nil
}

// EncryptWithLabel is §5.1.3's EncryptWithLabel. The ephemeral key comes from the process's
// CSPRNG: crypto/hpke offers no other way.
func (s *Suite) EncryptWithLabel(pk PublicKey, label string, context, plaintext []byte) (kemOutput, ciphertext []byte, err error) {
	kemOutput, sender, err := hpke.NewSender(pk, s.kdf, s.aead, labelled(label, context))
	if err != nil {
		return nil, nil, fmt.Errorf("encapsulating: %w", err)
	}
	if ciphertext, err = sender.Seal(nil, plaintext); err != nil {
		return nil, nil, fmt.Errorf("sealing: %w", err)
	}
	return kemOutput, ciphertext, nil
}

// DecryptWithLabel is §5.1.3's DecryptWithLabel.
func (s *Suite) DecryptWithLabel(priv []byte, label string, context, kemOutput, ciphertext []byte) ([]byte, error) {
	k, err := s.kem.NewPrivateKey(priv)
	if err != nil {
		return nil, fmt.Errorf("parsing private key: %w", err)
	}
	r, err := hpke.NewRecipient(kemOutput, k, s.kdf, s.aead, labelled(label, context))
	if err != nil {
		return nil, fmt.Errorf("decapsulating: %w", err)
	}
	return r.Open(nil, ciphertext)
}

const externalInitLabel = "MLS 1.0 external init secret"

// ExternalInit encapsulates an init secret to a group's external public key (§8.3).
func (s *Suite) ExternalInit(externalPub []byte) (kemOutput, initSecret []byte, err error) {
	pk, err := s.ParsePublicKey(externalPub)
	if err != nil {
		return nil, nil, err
	}
	kemOutput, sender, err := hpke.NewSender(pk, s.kdf, s.aead, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("encapsulating: %w", err)
	}
	initSecret, err = sender.Export(externalInitLabel, s.Nh)
	return kemOutput, initSecret, err
}

// OpenExternalInit recovers the init secret of an ExternalInit proposal (§8.3).
func (s *Suite) OpenExternalInit(externalSecret, kemOutput []byte) ([]byte, error) {
	k, err := s.kem.DeriveKeyPair(externalSecret)
	if err != nil {
		return nil, fmt.Errorf("deriving external key: %w", err)
	}
	r, err := hpke.NewRecipient(kemOutput, k, s.kdf, s.aead, nil)
	if err != nil {
		return nil, fmt.Errorf("decapsulating: %w", err)
	}
	return r.Export(externalInitLabel, s.Nh)
}

func checkP256(b []byte) error {
	if _, err := ecdh.P256().NewPublicKey(b); err != nil {
		return fmt.Errorf("%w: %w", ErrPublicKey, err)
	}
	return nil
}

// lowOrder lists the u-coordinates of small order on Curve25519 and its twist (and their
// non-canonical forms), with which X25519 yields all zeros and crypto/ecdh an error.
var lowOrder = [][32]byte{
	{},
	{1},
	{
		0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
		0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
	},
	{
		0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b,
		0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
	},
	nearP(0xec), nearP(0xed), nearP(0xee), // p-1, p, p+1
}

func nearP(low byte) (b [32]byte) {
	for i := range b {
		b[i] = 0xff
	}
	b[0], b[31] = low, 0x7f
	return b
}

func checkX25519(b []byte) error {
	if len(b) != 32 {
		return ErrPublicKey
	}
	u := [32]byte(b)
	u[31] &= 0x7f // X25519 ignores the top bit
	for _, bad := range lowOrder {
		if u == bad {
			return ErrLowOrder
		}
	}
	return nil
}

// checkHybrid checks the ML-KEM half as FIPS 203 §7.2 does (all coefficients below q) without
// expanding the matrix, and the X25519 half for low order.
func checkHybrid(b []byte) error {
	const n = mlkem.EncapsulationKeySize768
	if len(b) != n+32 {
		return ErrPublicKey
	}
	const q = 3329
	for p := b[:n-32]; len(p) >= 3; p = p[3:] {
		x := uint16(p[0]) | uint16(p[1]&0x0f)<<8
		y := uint16(p[1])>>4 | uint16(p[2])<<4
		if x >= q || y >= q {
			return ErrPublicKey
		}
	}
	return checkX25519(b[n:])
}
