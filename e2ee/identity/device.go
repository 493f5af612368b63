package identity

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
)

// SeedLen is the length in bytes of a device's seed, its one secret.
const SeedLen = ed25519.SeedSize

// ErrSeed: a seed of the wrong length.
var ErrSeed = errors.New("identity: a device seed has 32 bytes")

// Device is a device's signing key. The zero value is not usable.
type Device struct{ key ed25519.PrivateKey }

// NewSeed draws a device's seed from rand, which must be cryptographic.
func NewSeed(rand io.Reader) ([]byte, error) {
	seed := make([]byte, SeedLen)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return nil, fmt.Errorf("identity: drawing a device seed: %w", err)
	}
	return seed, nil
}

// DeviceFromSeed expands the seed of a device. Error: ErrSeed.
func DeviceFromSeed(seed []byte) (Device, error) {
	if len(seed) != SeedLen {
		return Device{}, ErrSeed
	}
	return Device{key: ed25519.NewKeyFromSeed(seed)}, nil
}

// PublicKey is the device key as others know it, 32 bytes.
func (d Device) PublicKey() ed25519.PublicKey { return d.key.Public().(ed25519.PublicKey) }

// ID names the device.
func (d Device) ID() ID { return DeviceID(d.PublicKey()) }

// SignLogin answers a server's login challenge; see LoginMessage.
func (d Device) SignLogin(challenge []byte, host string) ([]byte, error) {
	msg, err := LoginMessage(challenge, d.PublicKey(), host)
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(d.key, msg), nil
}
