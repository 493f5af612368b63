package mls

import (
	"bytes"
	"maps"
	"slices"

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

// State serialises the group. The caller owns the result and may erase it once it is stored.
func (g *Group) State() State {
	if g.groupBlob == nil {
		var w wire.Writer
		g.writeGroup(&w)
		g.groupBlob = w.B
	}
	var w wire.Writer
	g.writeMessages(&w)
	return State{Group: bytes.Clone(g.groupBlob), GroupVersion: g.version, Messages: w.B}
}

// StateSince is State without the Group part if the caller has stored that version of it already:
// in a large group it spares a copy of the whole tree for every message.
func (g *Group) StateSince(version uint64) State {
	if version != g.version {
		return g.State()
	}
	var w wire.Writer
	g.writeMessages(&w)
	return State{GroupVersion: g.version, Messages: w.B}
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
