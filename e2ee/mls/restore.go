package mls

import (
	"bytes"
	"crypto"
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Restore brings a group back from its serialised state. signers are further signature keys of
// ours: if a pending commit or Update changes our key, the new one must be among them.
func Restore(cfg *Config, state State, signers ...crypto.Signer) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	// Append to a fresh list, so as not to write to the caller's.
	r := restorer{cfg: cfg, signers: append([]crypto.Signer{cfg.Signer}, signers...)}
	return r.restore(state.Group, state.Messages)
}

type restorer struct {
	cfg     *Config
	signers []crypto.Signer
}

func (re *restorer) restore(group, messages []byte) (*Group, error) {
	r := wire.NewReader(bytes.Clone(group))
	g, err := re.readGroup(r)
	if err != nil {
		return nil, err
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if err := g.readMessages(wire.NewReader(bytes.Clone(messages))); err != nil {
		return nil, err
	}
	return g, nil
}

func (re *restorer) signer(s *suite.Suite, key []byte) (crypto.Signer, error) {
	for _, signer := range re.signers {
		if pub, err := s.SignerPublicKey(signer); err == nil && bytes.Equal(pub, key) {
			return signer, nil
		}
	}
	return nil, fmt.Errorf("%w: no signer for our leaf", ErrConfig)
}

func (re *restorer) readGroup(r *wire.Reader) (*Group, error) {
	if v := r.U16(); r.Err() == nil && v != stateVersion {
		return nil, fmt.Errorf("%w: %d", ErrStateVersion, v)
	}
	g := &Group{cfg: re.cfg, version: r.U64(), context: readGroupContext(r)}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	var err error
	if g.suite, err = g.context.cipherSuite.get(); err != nil {
		return nil, err
	}
	g.tree = readTree(r, g.suite)
	g.own = LeafIndex(r.U32())
	g.interim = r.Opaque(boundField)
	g.confirmationTag = r.Opaque(boundField)
	g.removed = !r.Optional()
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	g.contextRaw = g.context.encode()
	if !bytes.Equal(g.tree.rootHash(), g.context.treeHash) {
		return nil, fmt.Errorf("%w: %w", ErrState, ErrTreeHash)
	}
	if err := g.tree.verifyUnmerged(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if g.removed {
		return g, nil
	}
	leaf := g.tree.leaf(g.own)
	if leaf == nil {
		return nil, fmt.Errorf("%w: %w", ErrState, ErrLeafNotFound)
	}
	if g.signer, err = re.signer(g.suite, leaf.SignatureKey); err != nil {
		return nil, err
	}
	g.secrets = new(epochSecrets)
	for _, s := range g.secrets.all() {
		*s = r.Opaque(wire.Bound{Max: g.suite.Nh, Err: ErrState})
		if r.Err() == nil && len(*s) != g.suite.Nh {
			r.Fail(ErrState)
		}
	}
	g.keys = make(privateKeys)
	r.Vector(boundState, func(r *wire.Reader) {
		x := nodeIndex(r.U32())
		g.keys[x] = r.Opaque(boundField)
	})
	if err := re.readProposals(g, r); err != nil {
		return nil, err
	}
	r.Vector(boundState, func(r *wire.Reader) {
		g.resumption = append(g.resumption, resumptionPSK{epoch: r.U64(), key: r.Opaque(boundField)})
	})
	r.Vector(boundState, func(r *wire.Reader) { g.past = append(g.past, readPastEpoch(r)) })
	if r.Optional() {
		if err := re.readPending(g, r); err != nil {
			return nil, err
		}
	}
	if err := r.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if g.keys[treemath.Leaf(uint32(g.own))] == nil {
		return nil, fmt.Errorf("%w: no private key for our leaf", ErrState)
	}
	return g, nil
}

func (re *restorer) readProposals(g *Group, r *wire.Reader) error {
	var failed error
	r.Vector(boundState, func(r *wire.Reader) {
		p := cachedProposal{
			ref:      ProposalRef(r.Opaque(boundField)),
			proposal: readProposal(r),
			sender:   readSender(r),
			private:  r.Opaque(boundField),
		}
		if r.Err() == nil && p.proposal.Type == ProposalUpdate && p.sender == memberSender(g.own) {
			key := p.proposal.Update.SignatureKey
			if pub, err := g.suite.SignerPublicKey(g.signer); err != nil || !bytes.Equal(pub, key) {
				if p.signer, err = re.signer(g.suite, key); err != nil {
					failed = err
				}
			}
		}
		g.proposals = append(g.proposals, p)
	})
	return failed
}

func readPastEpoch(r *wire.Reader) *pastEpoch {
	p := &pastEpoch{
		epoch:      r.U64(),
		ended:      time.Unix(0, int64(r.U64())),
		contextRaw: r.Opaque(boundState),
		senderData: r.Opaque(boundField),
		own:        LeafIndex(r.U32()),
		members:    make(map[LeafIndex]pastMember),
	}
	r.Vector(boundState, func(r *wire.Reader) {
		i := LeafIndex(r.U32())
		p.members[i] = pastMember{signatureKey: r.Opaque(boundField), credential: readCredential(r)}
	})
	return p
}

func (re *restorer) readPending(g *Group, r *wire.Reader) error {
	p := &Pending{group: g, baseEpoch: r.U64(), commit: r.Opaque(boundState), welcome: r.Opaque(boundState)}
	if len(p.welcome) == 0 {
		p.welcome = nil
	}
	info := readCommitInfo(r)
	group, messages := r.Opaque(boundState), r.Opaque(boundState)
	if r.Err() != nil {
		return nil // readGroup reports it
	}
	next, err := re.restore(group, messages)
	if err != nil {
		return fmt.Errorf("pending commit: %w", err)
	}
	for i := range info.Added {
		if info.Added[i].Leaf = next.tree.leaf(info.Added[i].Index); info.Added[i].Leaf == nil {
			return fmt.Errorf("%w: pending commit adds a blank leaf", ErrState)
		}
	}
	if info.ExtensionsChanged {
		info.Extensions = next.context.extensions
	}
	p.next, p.info = next, info
	g.pending = p
	return nil
}

func readCommitInfo(r *wire.Reader) (c CommitInfo) {
	c.Epoch = r.U64()
	c.Committer = LeafIndex(r.U32())
	c.Path = r.Optional()
	r.Vector(boundState, func(r *wire.Reader) { c.Added = append(c.Added, Member{Index: LeafIndex(r.U32())}) })
	r.Vector(boundState, func(r *wire.Reader) { c.Updated = append(c.Updated, LeafIndex(r.U32())) })
	r.Vector(boundState, func(r *wire.Reader) {
		c.Removed = append(c.Removed, RemovedMember{LeafIndex(r.U32()), readLeafNode(r)})
		c.RemovedBy = append(c.RemovedBy, readSender(r))
	})
	r.Vector(boundState, func(r *wire.Reader) { c.PSKs = append(c.PSKs, readPSKID(r)) })
	c.ExtensionsChanged = r.Optional()
	return c
}

func (g *Group) readMessages(r *wire.Reader) error {
	if v := r.U16(); r.Err() == nil && v != stateVersion {
		return fmt.Errorf("%w: %d", ErrStateVersion, v)
	}
	if binding := r.Opaque(boundField); r.Err() == nil && !bytes.Equal(binding, g.binding()) {
		return fmt.Errorf("%w: message keys are of another epoch", ErrStateMismatch)
	}
	if !g.removed {
		g.messages = readSecretTree(r, g.suite)
		if r.Err() == nil && g.messages.leaves != g.tree.size() {
			return fmt.Errorf("%w: message keys are for another tree", ErrStateMismatch)
		}
		for _, p := range g.past {
			p.messages = readSecretTree(r, g.suite)
		}
	}
	if err := r.Done(); err != nil {
		return fmt.Errorf("%w: message keys: %w", ErrState, err)
	}
	return nil
}

func readSecretTree(r *wire.Reader, s *suite.Suite) *secretTree {
	t := &secretTree{
		suite: s, leaves: r.U32(),
		nodes: make(map[nodeIndex][]byte), ratchets: make(map[LeafIndex]*[ratchetCount]ratchet),
	}
	if r.Err() == nil && (t.leaves == 0 || t.leaves > MaxLeaves || t.leaves&(t.leaves-1) != 0) {
		r.Fail(ErrState)
	}
	r.Vector(boundState, func(r *wire.Reader) {
		x := nodeIndex(r.U32())
		t.nodes[x] = r.Opaque(boundField)
	})
	r.Vector(boundState, func(r *wire.Reader) {
		i := LeafIndex(r.U32())
		rs := new([ratchetCount]ratchet)
		for k := range rs {
			rs[k] = readRatchet(r)
		}
		t.ratchets[i] = rs
	})
	return t
}

func readRatchet(r *wire.Reader) ratchet {
	t := ratchet{secret: r.Opaque(boundField), next: r.U32(), evicted: r.U32()}
	r.Vector(boundState, func(r *wire.Reader) {
		if t.skipped == nil {
			t.skipped = make(map[uint32]messageKey)
		}
		g := r.U32()
		t.skipped[g] = messageKey{key: r.Opaque(boundField), nonce: r.Opaque(boundField)}
	})
	return t
}
