package mls

import (
	"fmt"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Proposal is a proposed change to a group (RFC 9420 §12.1). The field that belongs to Type is set.
type Proposal struct {
	Type       ProposalType
	Add        *KeyPackage
	Update     *LeafNode
	Remove     LeafIndex
	PSK        PreSharedKeyID
	ReInit     *ReInit
	KEMOutput  []byte      // ProposalExternalInit
	Extensions []Extension // ProposalGroupContextExtensions
}

// ReInit asks to move to a new group (RFC 9420 §12.1.5). This package decodes it and refuses to
// commit it.
type ReInit struct {
	GroupID     []byte
	Version     ProtocolVersion
	CipherSuite CipherSuite
	Extensions  []Extension
}

func (p *Proposal) marshal(w *wire.Writer) {
	w.U16(uint16(p.Type))
	p.marshalBody(w)
}

func (p *Proposal) marshalBody(w *wire.Writer) {
	switch p.Type {
	case ProposalAdd:
		p.Add.marshal(w)
	case ProposalUpdate:
		p.Update.marshal(w)
	case ProposalRemove:
		w.U32(uint32(p.Remove))
	case ProposalPSK:
		p.PSK.marshal(w)
	case ProposalReInit:
		w.Opaque(p.ReInit.GroupID)
		w.U16(uint16(p.ReInit.Version))
		w.U16(uint16(p.ReInit.CipherSuite))
		writeExtensions(w, p.ReInit.Extensions)
	case ProposalExternalInit:
		w.Opaque(p.KEMOutput)
	case ProposalGroupContextExtensions:
		writeExtensions(w, p.Extensions)
	}
}

func readProposal(r *wire.Reader) *Proposal {
	return readProposalBody(r, ProposalType(r.U16()))
}

func readProposalBody(r *wire.Reader, t ProposalType) *Proposal {
	p := &Proposal{Type: t}
	switch t {
	case ProposalAdd:
		p.Add = readKeyPackage(r)
	case ProposalUpdate:
		p.Update = readLeafNode(r)
	case ProposalRemove:
		p.Remove = LeafIndex(r.U32())
	case ProposalPSK:
		p.PSK = readPSKID(r)
	case ProposalReInit:
		p.ReInit = &ReInit{
			GroupID:     r.Opaque(boundGroupID),
			Version:     ProtocolVersion(r.U16()),
			CipherSuite: CipherSuite(r.U16()),
			Extensions:  readExtensions(r),
		}
	case ProposalExternalInit:
		p.KEMOutput = r.Opaque(boundField)
	case ProposalGroupContextExtensions:
		p.Extensions = readExtensions(r)
	default:
		// A proposal has no length of its own: what is not known cannot be skipped.
		r.Fail(fmt.Errorf("%w: %s", ErrUnsupportedProposal, t))
	}
	return p
}

// ProposalRef is the hash by which a commit names a proposal sent before (RFC 9420 §5.2).
type ProposalRef string

func makeProposalRef(s *suite.Suite, c *authenticatedContent) ProposalRef {
	var w wire.Writer
	c.marshal(&w)
	return ProposalRef(s.RefHash("MLS 1.0 Proposal Reference", w.B))
}

// proposalOrRef is one entry of a commit: exactly one of the fields is set.
type proposalOrRef struct {
	proposal *Proposal
	ref      ProposalRef
}

func (p *proposalOrRef) marshal(w *wire.Writer) {
	if p.proposal != nil {
		w.U8(1)
		p.proposal.marshal(w)
		return
	}
	w.U8(2)
	w.Opaque([]byte(p.ref))
}

func readProposalOrRef(r *wire.Reader) (p proposalOrRef) {
	switch r.U8() {
	case 1:
		p.proposal = readProposal(r)
	case 2:
		p.ref = ProposalRef(r.Opaque(boundField))
	default:
		r.Fail(fmt.Errorf("%w: proposal or reference", ErrUnknownVariant))
	}
	return p
}

// hpkeCiphertext is one HPKE encryption (RFC 9420 §7.6).
type hpkeCiphertext struct{ kemOutput, ciphertext []byte }

func (c *hpkeCiphertext) marshal(w *wire.Writer) {
	w.Opaque(c.kemOutput)
	w.Opaque(c.ciphertext)
}

func readHPKECiphertext(r *wire.Reader) hpkeCiphertext {
	return hpkeCiphertext{kemOutput: r.Opaque(boundField), ciphertext: r.Opaque(boundField)}
}

// updatePath replaces a member's leaf and the parents above it (RFC 9420 §7.6).
type updatePath struct {
	leaf  *LeafNode
	nodes []updatePathNode
}

type updatePathNode struct {
	encryptionKey []byte
	secrets       []hpkeCiphertext
}

func (p *updatePath) marshal(w *wire.Writer) {
	p.leaf.marshal(w)
	w.Vector(func() {
		for i := range p.nodes {
			w.Opaque(p.nodes[i].encryptionKey)
			w.Vector(func() {
				for j := range p.nodes[i].secrets {
					p.nodes[i].secrets[j].marshal(w)
				}
			})
		}
	})
}

func readUpdatePath(r *wire.Reader) *updatePath {
	p := &updatePath{leaf: readLeafNode(r)}
	bound := wire.Bound{Max: MaxMessageSize, Err: ErrPathSecretsTooLarge}
	total := 0
	r.Vector(bound, func(r *wire.Reader) {
		if len(p.nodes) == MaxPathNodes {
			r.Fail(ErrPathTooLong)
			return
		}
		n := updatePathNode{encryptionKey: r.Opaque(boundField)}
		r.Vector(bound, func(r *wire.Reader) {
			if total++; total > MaxLeaves {
				r.Fail(ErrTooManyCiphertexts)
				return
			}
			n.secrets = append(n.secrets, readHPKECiphertext(r))
		})
		p.nodes = append(p.nodes, n)
	})
	return p
}

// commit is the content of a Commit message (RFC 9420 §12.4).
type commit struct {
	proposals []proposalOrRef
	path      *updatePath // nil if absent
}

func (c *commit) marshal(w *wire.Writer) {
	w.Vector(func() {
		for i := range c.proposals {
			c.proposals[i].marshal(w)
		}
	})
	w.Optional(c.path != nil)
	if c.path != nil {
		c.path.marshal(w)
	}
}

func readCommit(r *wire.Reader) *commit {
	c := new(commit)
	r.Vector(boundMessage, func(r *wire.Reader) {
		if len(c.proposals) == MaxProposals {
			r.Fail(ErrTooManyProposals)
			return
		}
		c.proposals = append(c.proposals, readProposalOrRef(r))
	})
	if r.Optional() {
		c.path = readUpdatePath(r)
	}
	return c
}
