package mls

import (
	"bytes"
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// provisional starts the group of the next epoch: the new tree and extensions, the old confirmed
// transcript (§12.4.1). It shares nothing mutable with g.
func (g *Group) provisional(t *transition) *Group {
	next := &Group{
		cfg: g.cfg, suite: g.suite, signer: g.signer, own: g.own, tree: t.tree,
		context: g.context, keys: g.keys.clone(),
	}
	next.context.epoch++
	next.context.extensions = t.extensions
	next.context.treeHash = t.tree.rootHash()
	next.keys.prune(t.tree)
	if t.ownUpdate != nil {
		next.keys[treemath.Leaf(uint32(g.own))] = t.ownUpdate.private
		if t.ownUpdate.signer != nil {
			next.signer = t.ownUpdate.signer
		}
	}
	return next
}

// nextFromCommit derives the next epoch from a received commit.
func (g *Group) nextFromCommit(c *authenticatedContent, t *transition, steps []pathStep) (*Group, error) {
	next := g.provisional(t)
	commitSecret := make([]byte, g.suite.Nh)
	if path := c.content.commit.path; path != nil {
		keys, secret, err := t.tree.decryptPath(g.own, next.keys, steps, path, t.added, next.context.encode())
		if err != nil {
			return nil, err
		}
		for x, k := range keys {
			next.keys[x] = k
		}
		commitSecret = secret
	}
	initSecret := g.secrets.init
	if t.externalInit != nil {
		var err error
		if initSecret, err = g.suite.OpenExternalInit(g.secrets.external, t.externalInit); err != nil {
			return nil, fmt.Errorf("%w: external init: %w", ErrDecrypt, err)
		}
	}
	psks, err := g.lookupPSKs(t.psks)
	if err != nil {
		return nil, err
	}
	next.context.confirmedTranscript = confirmedTranscript(g.suite, g.interim, c)
	next.advance(initSecret, commitSecret, psks)
	if !g.suite.VerifyMAC(next.secrets.confirmation, next.context.confirmedTranscript, c.auth.confirmationTag) {
		return nil, ErrConfirmationTag
	}
	next.confirm(c.auth.confirmationTag)
	return next, nil
}

// advance runs the key schedule (§8) for the context, which must be complete. It returns the
// joiner and member secrets for a Welcome.
func (g *Group) advance(initSecret, commitSecret []byte, psks []pskInput) (joiner, member []byte) {
	g.contextRaw = g.context.encode()
	joiner = joinerSecret(g.suite, initSecret, commitSecret, g.contextRaw)
	member = memberSecret(g.suite, joiner, pskSecret(g.suite, psks))
	clear(commitSecret)
	g.enterEpoch(epochSecret(g.suite, member, g.contextRaw))
	return joiner, member
}

func (g *Group) confirm(tag []byte) {
	g.confirmationTag = tag
	g.interim = interimTranscript(g.suite, g.context.confirmedTranscript, tag)
}

// become moves g to the next epoch and erases what belonged to the old one, but for what the
// configuration keeps.
func (g *Group) become(next *Group, now time.Time) {
	if g.pending != nil && g.pending.next != nil { // it has lost the race
		g.pending.drop()
	}
	next.past = g.retire(now)
	next.resumption = g.resumption
	if g.cfg.ResumptionEpochs > 0 {
		next.resumption = append(next.resumption, resumptionPSK{g.context.epoch, bytes.Clone(g.secrets.resumption)})
		for len(next.resumption) > g.cfg.ResumptionEpochs {
			clear(next.resumption[0].key)
			next.resumption = next.resumption[1:]
		}
	}
	for x, key := range g.keys {
		if kept := next.keys[x]; len(kept) == 0 || &kept[0] != &key[0] {
			clear(key)
		}
	}
	for i := range g.proposals {
		p := &g.proposals[i]
		if kept := next.keys[treemath.Leaf(uint32(next.own))]; len(p.private) > 0 && &kept[0] != &p.private[0] {
			clear(p.private)
		}
	}
	g.secrets.wipe()
	next.version = g.version + 1
	*g = *next
}

// leave ends the group after our removal.
func (g *Group) leave() {
	if g.pending != nil {
		g.pending.drop()
	}
	g.secrets.wipe()
	g.messages.wipe()
	for _, key := range g.keys {
		clear(key)
	}
	for _, p := range g.past {
		p.wipe()
	}
	for _, r := range g.resumption {
		clear(r.key)
	}
	for _, p := range g.proposals {
		clear(p.private)
	}
	g.keys, g.past, g.resumption, g.proposals, g.pending = nil, nil, nil, nil, nil
	g.removed = true
	g.changed()
}
