package mls

import (
	"bytes"
	"crypto"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// State is a group in serialised form, in two parts because they change at different paces. Both
// hold secrets in the clear: encrypt them at rest, overwrite the old ones, and write both in one
// transaction.
type State struct {
	// Group is everything but the message keys. It changes with epochs, proposals and pending
	// commits and grows with the number of members.
	Group []byte
	// GroupVersion increases when Group changes: a writer that has stored this version need not
	// store Group again.
	GroupVersion uint64
	// Messages holds the message keys of the current and past epochs. It changes with every
	// message sent or received and is small.
	Messages []byte
}

const stateVersion = 1

// changed marks the Group part of the state as changed.
func (g *Group) changed() {
	g.version++
	g.groupBlob = nil
}

// State serialises the group.
func (g *Group) State() State {
	if g.groupBlob == nil {
		var w wire.Writer
		g.writeGroup(&w)
		g.groupBlob = w.B
	}
	var w wire.Writer
	g.writeMessages(&w)
	return State{Group: g.groupBlob, GroupVersion: g.version, Messages: w.B}
}

// boundState lets one part of a state be as large as it needs to be.
var boundState = wire.Bound{Max: 1<<30 - 1, Err: ErrState}

func (g *Group) writeGroup(w *wire.Writer) {
	w.U16(stateVersion)
	w.U64(g.version)
	g.context.marshal(w)
	g.tree.marshal(w)
	w.U32(uint32(g.own))
	w.Opaque(g.interim)
	w.Opaque(g.confirmationTag)
	w.Optional(!g.removed)
	if g.removed {
		return
	}
	for _, s := range g.secrets.all() {
		w.Opaque(*s)
	}
	w.Vector(func() {
		for _, x := range slices.Sorted(maps.Keys(g.keys)) {
			w.U32(uint32(x))
			w.Opaque(g.keys[x])
		}
	})
	w.Vector(func() {
		for i := range g.proposals {
			g.proposals[i].write(w)
		}
	})
	w.Vector(func() {
		for _, r := range g.resumption {
			w.U64(r.epoch)
			w.Opaque(r.key)
		}
	})
	w.Vector(func() {
		for _, p := range g.past {
			p.write(w)
		}
	})
	w.Optional(g.pending != nil)
	if g.pending != nil {
		g.pending.write(w)
	}
}

func (p *cachedProposal) write(w *wire.Writer) {
	w.Opaque([]byte(p.ref))
	p.proposal.marshal(w)
	p.sender.marshal(w)
	w.Opaque(p.private)
}

func (p *pastEpoch) write(w *wire.Writer) {
	w.U64(p.epoch)
	w.U64(uint64(p.ended.UnixNano()))
	w.Opaque(p.contextRaw)
	w.Opaque(p.senderData)
	w.U32(uint32(p.own))
	w.Vector(func() {
		for _, i := range slices.Sorted(maps.Keys(p.members)) {
			m := p.members[i]
			w.U32(uint32(i))
			w.Opaque(m.signatureKey)
			m.credential.marshal(w)
		}
	})
}

func (p *Pending) write(w *wire.Writer) {
	w.U64(p.baseEpoch)
	w.Opaque(p.commit)
	w.Opaque(p.welcome)
	p.info.write(w)
	w.Vector(func() { p.next.writeGroup(w) })
	w.Vector(func() { p.next.writeMessages(w) })
}

func (c *CommitInfo) write(w *wire.Writer) {
	w.U64(c.Epoch)
	w.U32(uint32(c.Committer))
	w.Optional(c.Path)
	w.Vector(func() {
		for _, m := range c.Added {
			w.U32(uint32(m.Index))
		}
	})
	w.Vector(func() {
		for _, i := range c.Updated {
			w.U32(uint32(i))
		}
	})
	w.Vector(func() {
		for i, m := range c.Removed {
			w.U32(uint32(m.Index))
			m.Leaf.marshal(w)
			c.RemovedBy[i].marshal(w)
		}
	})
	w.Vector(func() {
		for i := range c.PSKs {
			c.PSKs[i].marshal(w)
		}
	})
	w.Optional(c.ExtensionsChanged)
}

func (g *Group) writeMessages(w *wire.Writer) {
	w.U16(stateVersion)
	w.Opaque(g.binding())
	if g.removed {
		return
	}
	g.messages.write(w)
	for _, p := range g.past {
		p.messages.write(w)
	}
}

// binding names the epoch that message keys belong to. It is the transcript: two epochs of one
// group never share it.
func (g *Group) binding() []byte { return g.suite.Hash(g.context.groupID, g.interim) }

func (t *secretTree) write(w *wire.Writer) {
	w.U32(t.leaves)
	w.Vector(func() {
		for _, x := range slices.Sorted(maps.Keys(t.nodes)) {
			w.U32(uint32(x))
			w.Opaque(t.nodes[x])
		}
	})
	w.Vector(func() {
		for _, i := range slices.Sorted(maps.Keys(t.ratchets)) {
			w.U32(uint32(i))
			for k := range t.ratchets[i] {
				t.ratchets[i][k].write(w)
			}
		}
	})
}

func (r *ratchet) write(w *wire.Writer) {
	w.Opaque(r.secret)
	w.U32(r.next)
	w.U32(r.evicted)
	w.Vector(func() {
		for _, g := range slices.Sorted(maps.Keys(r.skipped)) {
			w.U32(g)
			w.Opaque(r.skipped[g].key)
			w.Opaque(r.skipped[g].nonce)
		}
	})
}

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
