package mls

import (
	"fmt"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// KeyPackage is what a client publishes so that others can add it while it is away
// (RFC 9420 §10).
type KeyPackage struct {
	Version     ProtocolVersion
	CipherSuite CipherSuite
	InitKey     []byte
	Leaf        *LeafNode
	Extensions  []Extension
	Signature   []byte

	raw []byte
	tbs int
}

// ParseKeyPackage decodes an MLSMessage that holds a key package. It checks nothing but the form;
// Commit and ProposeAdd do the rest.
func ParseKeyPackage(message []byte) (*KeyPackage, error) {
	m, err := parseMessage(message)
	if err != nil {
		return nil, err
	}
	if m.wireFormat != formatKeyPackage {
		return nil, fmt.Errorf("%w: want a key package, have %s", ErrWireFormat, m.wireFormat)
	}
	return m.keyPackage, nil
}

// Ref returns the hash that a Welcome names the key package by (RFC 9420 §5.2).
func (k *KeyPackage) Ref() ([]byte, error) {
	s, err := k.CipherSuite.get()
	if err != nil {
		return nil, err
	}
	return k.ref(s), nil
}

// Bytes returns the MLSMessage encoding of the key package.
func (k *KeyPackage) Bytes() []byte {
	var w wire.Writer
	writeMessageHeader(&w, formatKeyPackage)
	w.Raw(k.raw)
	return w.B
}

const labelKeyPackage = "KeyPackageTBS"

func (k *KeyPackage) ref(s *suite.Suite) []byte {
	return s.RefHash("MLS 1.0 KeyPackage Reference", k.raw)
}

func (k *KeyPackage) writeTBS(w *wire.Writer) {
	w.U16(uint16(k.Version))
	w.U16(uint16(k.CipherSuite))
	w.Opaque(k.InitKey)
	k.Leaf.marshal(w)
	writeExtensions(w, k.Extensions)
}

func (k *KeyPackage) marshal(w *wire.Writer) { w.Raw(k.raw) }

func readKeyPackage(r *wire.Reader) *KeyPackage {
	start := r.Pos()
	k := &KeyPackage{
		Version:     ProtocolVersion(r.U16()),
		CipherSuite: CipherSuite(r.U16()),
		InitKey:     r.Opaque(boundField),
		Leaf:        readLeafNode(r),
		Extensions:  readExtensions(r),
	}
	k.tbs = len(r.Since(start))
	k.Signature = r.Opaque(boundField)
	k.raw = r.Since(start)
	return k
}

// verify does the checks of RFC 9420 §10.1 that need no group beside its suite.
func (k *KeyPackage) verify(s *suite.Suite) error {
	if k.Version != MLS10 {
		return fmt.Errorf("%w: %d", ErrVersion, k.Version)
	}
	if k.CipherSuite != CipherSuite(s.ID) {
		return fmt.Errorf("%w: key package is for %s", ErrCipherSuiteMismatch, k.CipherSuite)
	}
	if err := checkExtensionList(k.Extensions); err != nil {
		return err
	}
	// A type that the client itself does not support means nothing to it (§13.4).
	for _, e := range k.Extensions {
		if !k.Leaf.supportsExtension(e.Type) {
			return fmt.Errorf("%w: key package extension %#04x", ErrExtensionNotSupported, uint16(e.Type))
		}
	}
	if string(k.InitKey) == string(k.Leaf.EncryptionKey) {
		return ErrInitKeyReused
	}
	if err := s.CheckPublicKey(k.InitKey); err != nil {
		return fmt.Errorf("%w: init key: %w", ErrPublicKey, err)
	}
	if !s.VerifyWithLabel(k.Leaf.SignatureKey, labelKeyPackage, k.raw[:k.tbs], k.Signature) {
		return ErrKeyPackageSignature
	}
	return nil
}
