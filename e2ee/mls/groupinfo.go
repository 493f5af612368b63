package mls

import (
	"crypto"
	"fmt"
	"io"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// groupContext is the state that all members agree on (RFC 9420 §8.1).
type groupContext struct {
	version             ProtocolVersion
	cipherSuite         CipherSuite
	groupID             []byte
	epoch               uint64
	treeHash            []byte
	confirmedTranscript []byte
	extensions          []Extension
}

func (c *groupContext) marshal(w *wire.Writer) {
	w.U16(uint16(c.version))
	w.U16(uint16(c.cipherSuite))
	w.Opaque(c.groupID)
	w.U64(c.epoch)
	w.Opaque(c.treeHash)
	w.Opaque(c.confirmedTranscript)
	writeExtensions(w, c.extensions)
}

func (c *groupContext) encode() []byte {
	var w wire.Writer
	c.marshal(&w)
	return w.B
}

func readGroupContext(r *wire.Reader) groupContext {
	return groupContext{
		version:             ProtocolVersion(r.U16()),
		cipherSuite:         CipherSuite(r.U16()),
		groupID:             r.Opaque(boundGroupID),
		epoch:               r.U64(),
		treeHash:            r.Opaque(boundField),
		confirmedTranscript: r.Opaque(boundField),
		extensions:          readExtensions(r),
	}
}

// groupInfo introduces a group to joiners (RFC 9420 §12.4.3).
type groupInfo struct {
	context         groupContext
	extensions      []Extension
	confirmationTag []byte
	signer          LeafIndex
	signature       []byte
}

func (g *groupInfo) writeTBS(w *wire.Writer) {
	g.context.marshal(w)
	writeExtensions(w, g.extensions)
	w.Opaque(g.confirmationTag)
	w.U32(uint32(g.signer))
}

func (g *groupInfo) marshal(w *wire.Writer) {
	g.writeTBS(w)
	w.Opaque(g.signature)
}

func readGroupInfo(r *wire.Reader) *groupInfo {
	return &groupInfo{
		context:         readGroupContext(r),
		extensions:      readExtensions(r),
		confirmationTag: r.Opaque(boundField),
		signer:          LeafIndex(r.U32()),
		signature:       r.Opaque(boundField),
	}
}

const labelGroupInfo = "GroupInfoTBS"

func (g *groupInfo) sign(s *suite.Suite, rand io.Reader, signer crypto.Signer) error {
	var w wire.Writer
	g.writeTBS(&w)
	sig, err := s.SignWithLabel(rand, signer, labelGroupInfo, w.B)
	if err != nil {
		return fmt.Errorf("signing group info: %w", err)
	}
	g.signature = sig
	return nil
}

func (g *groupInfo) verify(s *suite.Suite, key []byte) error {
	var w wire.Writer
	g.writeTBS(&w)
	if !s.VerifyWithLabel(key, labelGroupInfo, w.B, g.signature) {
		return ErrGroupInfoSignature
	}
	return nil
}

// welcome gives new members the secrets of the epoch they are added in (RFC 9420 §12.4.3.1).
type welcome struct {
	cipherSuite        CipherSuite
	secrets            []encryptedGroupSecrets
	encryptedGroupInfo []byte
}

type encryptedGroupSecrets struct {
	newMember []byte // KeyPackageRef
	secrets   hpkeCiphertext
}

func (m *welcome) marshal(w *wire.Writer) {
	w.U16(uint16(m.cipherSuite))
	w.Vector(func() {
		for i := range m.secrets {
			w.Opaque(m.secrets[i].newMember)
			m.secrets[i].secrets.marshal(w)
		}
	})
	w.Opaque(m.encryptedGroupInfo)
}

func readWelcome(r *wire.Reader) *welcome {
	m := &welcome{cipherSuite: CipherSuite(r.U16())}
	r.Vector(boundMessage, func(r *wire.Reader) {
		if len(m.secrets) == MaxWelcomeSecrets {
			r.Fail(ErrTooManyWelcomeSecrets)
			return
		}
		m.secrets = append(m.secrets, encryptedGroupSecrets{newMember: r.Opaque(boundField), secrets: readHPKECiphertext(r)})
	})
	m.encryptedGroupInfo = r.Opaque(boundCiphertext)
	return m
}

// groupSecrets is the plaintext for one new member.
type groupSecrets struct {
	joinerSecret []byte
	pathSecret   []byte // nil if absent
	psks         []PreSharedKeyID
}

func (g *groupSecrets) marshal(w *wire.Writer) {
	w.Opaque(g.joinerSecret)
	w.Optional(g.pathSecret != nil)
	if g.pathSecret != nil {
		w.Opaque(g.pathSecret)
	}
	w.Vector(func() {
		for i := range g.psks {
			g.psks[i].marshal(w)
		}
	})
}

func readGroupSecrets(r *wire.Reader) *groupSecrets {
	g := &groupSecrets{joinerSecret: r.Opaque(boundField)}
	if r.Optional() {
		g.pathSecret = r.Opaque(boundField)
	}
	r.Vector(boundMessage, func(r *wire.Reader) {
		if len(g.psks) == MaxPSKs {
			r.Fail(ErrTooManyPSKs)
			return
		}
		g.psks = append(g.psks, readPSKID(r))
	})
	return g
}
