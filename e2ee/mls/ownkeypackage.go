package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// OwnKeyPackage is a key package of ours with its private keys.
type OwnKeyPackage struct {
	public      *KeyPackage
	initPrivate []byte
	leafPrivate []byte
	lastResort  bool
	used        bool
}

// KeyPackageOptions describes a key package.
type KeyPackageOptions struct {
	CipherSuite CipherSuite
	Leaf        LeafOptions
	Extensions  []Extension
	// LastResort marks a key package that is handed out when no other is left and so may be used
	// more than once. Its private keys survive Join; replace it soon (RFC 9420 §16.8).
	LastResort bool
}

// NewKeyPackage makes a key package. Store Bytes before publishing Public.
func NewKeyPackage(cfg *Config, o KeyPackageOptions, now time.Time) (*OwnKeyPackage, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s, err := o.CipherSuite.get()
	if err != nil {
		return nil, err
	}
	leaf, err := o.Leaf.leaf(s, cfg.Signer, now)
	if err != nil {
		return nil, err
	}
	k := &OwnKeyPackage{lastResort: o.LastResort}
	if k.leafPrivate, leaf.EncryptionKey, err = s.GenerateKeyPair(cfg.Rand); err != nil {
		return nil, err
	}
	if err := leaf.sign(s, cfg.Rand, cfg.Signer, nil, 0); err != nil {
		return nil, err
	}
	k.public = &KeyPackage{Version: MLS10, CipherSuite: o.CipherSuite, Leaf: leaf, Extensions: cloneExtensions(o.Extensions)}
	if k.initPrivate, k.public.InitKey, err = s.GenerateKeyPair(cfg.Rand); err != nil {
		return nil, err
	}
	var w wire.Writer
	k.public.writeTBS(&w)
	k.public.tbs = len(w.B)
	if k.public.Signature, err = s.SignWithLabel(cfg.Rand, cfg.Signer, labelKeyPackage, w.B); err != nil {
		return nil, fmt.Errorf("signing key package: %w", err)
	}
	w.Opaque(k.public.Signature)
	k.public.raw = w.B
	if err := checkKeyPackage(s, cfg, k.public, LeafCreated, nil, now); err != nil {
		return nil, err
	}
	return k, nil
}

// Public returns the key package to publish, as an MLSMessage.
func (k *OwnKeyPackage) Public() []byte { return k.public.Bytes() }

// KeyPackage returns the public half.
func (k *OwnKeyPackage) KeyPackage() *KeyPackage { return k.public }

// Ref returns the name that a Welcome will call it by.
func (k *OwnKeyPackage) Ref() []byte {
	ref, _ := k.public.Ref() // the suite was known when k was made
	return ref
}

func (k *OwnKeyPackage) use() {
	if k.lastResort {
		return
	}
	clear(k.initPrivate)
	clear(k.leafPrivate)
	k.used = true
}

const keyPackageStateVersion = 1

// Bytes serialises k with its private keys, to be kept until a Welcome comes.
func (k *OwnKeyPackage) Bytes() ([]byte, error) {
	if k.used {
		return nil, ErrKeyPackageUsed
	}
	var w wire.Writer
	w.U16(keyPackageStateVersion)
	k.public.marshal(&w)
	w.Opaque(k.initPrivate)
	w.Opaque(k.leafPrivate)
	w.Optional(k.lastResort)
	return w.B, nil
}

// ParseOwnKeyPackage is the inverse of Bytes.
func ParseOwnKeyPackage(b []byte) (*OwnKeyPackage, error) {
	r := wire.NewReader(bytes.Clone(b))
	if v := r.U16(); r.Err() == nil && v != keyPackageStateVersion {
		return nil, fmt.Errorf("%w: %d", ErrStateVersion, v)
	}
	k := &OwnKeyPackage{
		public:      readKeyPackage(r),
		initPrivate: r.Opaque(boundField),
		leafPrivate: r.Opaque(boundField),
		lastResort:  r.Optional(),
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	s, err := k.public.CipherSuite.get()
	if err != nil {
		return nil, err
	}
	for _, p := range []struct{ priv, pub []byte }{{k.initPrivate, k.public.InitKey}, {k.leafPrivate, k.public.Leaf.EncryptionKey}} {
		pub, err := s.PublicFromPrivate(p.priv)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
		if !bytes.Equal(pub, p.pub) {
			return nil, fmt.Errorf("%w: private key does not match", ErrState)
		}
	}
	return k, nil
}
