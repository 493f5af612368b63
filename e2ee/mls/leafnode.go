package mls

import (
	"crypto"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Capabilities is what a client supports beyond the defaults of RFC 9420 §7.2.
type Capabilities struct {
	Versions     []ProtocolVersion
	CipherSuites []CipherSuite
	Extensions   []ExtensionType
	Proposals    []ProposalType
	Credentials  []CredentialType
}

// DefaultCapabilities returns what this package supports: MLS 1.0, its ciphersuites and basic
// credentials, plus the given extension types, which the application implements.
func DefaultCapabilities(extensions ...ExtensionType) Capabilities {
	return Capabilities{
		Versions:     []ProtocolVersion{MLS10},
		CipherSuites: []CipherSuite{X25519AES128, P256AES128, X25519ChaCha, Hybrid},
		Extensions:   slices.Clone(extensions),
		Credentials:  []CredentialType{CredentialBasic},
	}
}

func (c *Capabilities) clone() Capabilities {
	return Capabilities{
		Versions:     slices.Clone(c.Versions),
		CipherSuites: slices.Clone(c.CipherSuites),
		Extensions:   slices.Clone(c.Extensions),
		Proposals:    slices.Clone(c.Proposals),
		Credentials:  slices.Clone(c.Credentials),
	}
}

func (c *Capabilities) marshal(w *wire.Writer) {
	writeU16s(w, c.Versions)
	writeU16s(w, c.CipherSuites)
	writeU16s(w, c.Extensions)
	writeU16s(w, c.Proposals)
	writeU16s(w, c.Credentials)
}

func readCapabilities(r *wire.Reader) Capabilities {
	return Capabilities{
		Versions:     readU16s[ProtocolVersion](r),
		CipherSuites: readU16s[CipherSuite](r),
		Extensions:   readU16s[ExtensionType](r),
		Proposals:    readU16s[ProposalType](r),
		Credentials:  readU16s[CredentialType](r),
	}
}

// LeafSource says what a leaf was made for (RFC 9420 §7.2).
type LeafSource uint8

// The leaf sources of RFC 9420.
const (
	LeafFromKeyPackage LeafSource = 1
	LeafFromUpdate     LeafSource = 2
	LeafFromCommit     LeafSource = 3
)

// Lifetime is the validity of a leaf made for a key package, in seconds since the Unix epoch, both
// ends included.
type Lifetime struct{ NotBefore, NotAfter uint64 }

// Contains reports whether t lies within l.
func (l Lifetime) Contains(t time.Time) bool {
	now := t.Unix()
	return now >= 0 && l.NotBefore <= uint64(now) && uint64(now) <= l.NotAfter
}

// LeafNode is the public description of a member (RFC 9420 §7.2). It is immutable once parsed.
type LeafNode struct {
	EncryptionKey []byte
	SignatureKey  []byte
	Credential    Credential
	Capabilities  Capabilities
	Source        LeafSource
	Lifetime      Lifetime // LeafFromKeyPackage only
	ParentHash    []byte   // LeafFromCommit only
	Extensions    []Extension
	Signature     []byte

	raw []byte // the whole encoding
	tbs int    // length of the encoding before the signature
	key keyCache
}

// keyCache holds a parsed encryption key: parsing is a good part of the price of encrypting.
type keyCache struct {
	p atomic.Pointer[suite.PublicKey]
}

func (c *keyCache) get(s *suite.Suite, encoded []byte) (suite.PublicKey, error) {
	if pk := c.p.Load(); pk != nil {
		return *pk, nil
	}
	pk, err := s.ParsePublicKey(encoded)
	if err != nil {
		return nil, err
	}
	c.p.Store(&pk)
	return pk, nil
}

func (l *LeafNode) writeTBS(w *wire.Writer) {
	w.Opaque(l.EncryptionKey)
	w.Opaque(l.SignatureKey)
	l.Credential.marshal(w)
	l.Capabilities.marshal(w)
	w.U8(uint8(l.Source))
	switch l.Source {
	case LeafFromKeyPackage:
		w.U64(l.Lifetime.NotBefore)
		w.U64(l.Lifetime.NotAfter)
	case LeafFromCommit:
		w.Opaque(l.ParentHash)
	}
	writeExtensions(w, l.Extensions)
}

func (l *LeafNode) marshal(w *wire.Writer) { w.Raw(l.raw) }

func readLeafNode(r *wire.Reader) *LeafNode {
	start := r.Pos()
	l := &LeafNode{
		EncryptionKey: r.Opaque(boundField),
		SignatureKey:  r.Opaque(boundField),
		Credential:    readCredential(r),
		Capabilities:  readCapabilities(r),
		Source:        LeafSource(r.U8()),
	}
	switch l.Source {
	case LeafFromKeyPackage:
		l.Lifetime = Lifetime{NotBefore: r.U64(), NotAfter: r.U64()}
	case LeafFromUpdate:
	case LeafFromCommit:
		l.ParentHash = r.Opaque(boundField)
	default:
		r.Fail(ErrLeafSource)
	}
	l.Extensions = readExtensions(r)
	l.tbs = len(r.Since(start))
	l.Signature = r.Opaque(boundField)
	l.raw = r.Since(start)
	return l
}

// signedContent is LeafNodeTBS: leaves made for a group are bound to it and to their place in it,
// so that nobody can move them.
func (l *LeafNode) signedContent(groupID []byte, index LeafIndex) []byte {
	w := wire.Writer{B: make([]byte, 0, l.tbs+len(groupID)+8)}
	w.Raw(l.raw[:l.tbs])
	if l.Source != LeafFromKeyPackage {
		w.Opaque(groupID)
		w.U32(uint32(index))
	}
	return w.B
}

const labelLeafNode = "LeafNodeTBS"

func (l *LeafNode) sign(s *suite.Suite, rand io.Reader, signer crypto.Signer, groupID []byte, index LeafIndex) error {
	var w wire.Writer
	l.writeTBS(&w)
	l.raw, l.tbs = w.B, len(w.B)
	sig, err := s.SignWithLabel(rand, signer, labelLeafNode, l.signedContent(groupID, index))
	if err != nil {
		return fmt.Errorf("signing leaf: %w", err)
	}
	l.Signature = sig
	w.Opaque(sig)
	l.raw = w.B
	return nil
}

func (l *LeafNode) verify(s *suite.Suite, groupID []byte, index LeafIndex) error {
	if !s.VerifyWithLabel(l.SignatureKey, labelLeafNode, l.signedContent(groupID, index), l.Signature) {
		return ErrLeafSignature
	}
	return nil
}

// supportsExtension reports whether the leaf's client handles extensions of type t.
func (l *LeafNode) supportsExtension(t ExtensionType) bool {
	return t.isDefault() || slices.Contains(l.Capabilities.Extensions, t)
}

func (l *LeafNode) supportsCredential(t CredentialType) bool {
	return slices.Contains(l.Capabilities.Credentials, t)
}
