package mls

import (
	"crypto"
	"fmt"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// LeafUpdate says what changes in our leaf beside the encryption key. What is nil stays.
type LeafUpdate struct {
	Credential   *Credential
	Capabilities *Capabilities
	Extensions   []Extension
	// Signer replaces our signature key from the next epoch on.
	Signer crypto.Signer
}

func (g *Group) renewedLeaf(o LeafUpdate) (*LeafNode, crypto.Signer, error) {
	l := g.tree.leaf(g.own).withoutKeys()
	signer := g.signer
	if o.Credential != nil {
		l.Credential = o.Credential.clone()
	}
	if o.Capabilities != nil {
		l.Capabilities = o.Capabilities.clone()
	}
	if o.Extensions != nil {
		l.Extensions = cloneExtensions(o.Extensions)
	}
	if o.Signer != nil {
		key, err := g.suite.SignerPublicKey(o.Signer)
		if err != nil {
			return nil, nil, err
		}
		l.SignatureKey, signer = key, o.Signer
	}
	return l, signer, nil
}

// CommitOptions says what a commit does. The zero value commits the waiting proposals and renews
// our keys.
type CommitOptions struct {
	// Proposals are committed beside those that wait.
	Proposals []Proposal
	// IgnoreWaiting leaves out the waiting proposals.
	IgnoreWaiting bool
	// OmitPath saves the update path where RFC 9420 §12.4 allows it: there is a proposal and all
	// are adds or PSKs. The commit then does not heal from a compromise of our keys.
	OmitPath bool
	// Leaf changes our leaf. It needs a path.
	Leaf LeafUpdate
	// AuthenticatedData travels with the commit readable to all, but signed.
	AuthenticatedData []byte
	// OmitRatchetTree leaves the tree out of the Welcome; the joiners must get RatchetTree by
	// another way.
	OmitRatchetTree bool
	// GroupInfoExtensions are for the joiners.
	GroupInfoExtensions []Extension
}

// Pending is a commit of ours that nobody has accepted yet. The group stays in its epoch until
// Merge; if somebody else's commit comes first, processing that drops this one.
type Pending struct {
	group     *Group
	next      *Group
	baseEpoch uint64
	commit    []byte
	welcome   []byte
	info      CommitInfo
	persisted bool
}

// State returns what must be stored before the commit may leave. It includes the pending commit
// itself, so that after a crash Group.Pending has it again.
func (p *Pending) State() State {
	p.persisted = true
	return p.group.State()
}

// Release returns the commit as an MLSMessage. It returns ErrNotPersisted if State was not called,
// unless the group is ephemeral.
func (p *Pending) Release() ([]byte, error) {
	if !p.persisted && !p.group.cfg.Ephemeral {
		return nil, ErrNotPersisted
	}
	return p.commit, nil
}

// Welcome returns the MLSMessage for the added members, or nil if there are none. It must not
// reach them before the commit is accepted.
func (p *Pending) Welcome() []byte { return p.welcome }

// Info describes the commit.
func (p *Pending) Info() *CommitInfo { return &p.info }

// GroupInfo describes the epoch that the commit leads to, to be published once it is accepted.
// After Merge ask the group instead.
func (p *Pending) GroupInfo(o GroupInfoOptions) ([]byte, error) {
	if p.next == nil {
		return nil, ErrStalePending
	}
	return p.next.GroupInfo(o)
}

// drop erases the secrets of an epoch that will not come.
func (p *Pending) drop() {
	p.next.secrets.wipe()
	p.next.messages.wipe()
	for x, key := range p.next.keys {
		if kept := p.group.keys[x]; len(kept) == 0 || &kept[0] != &key[0] {
			clear(key)
		}
	}
	p.next = nil
}

// Pending returns our commit that waits for acceptance, or nil.
func (g *Group) Pending() *Pending { return g.pending }

// Merge makes a pending commit current, after the delivery service has accepted it.
func (g *Group) Merge(p *Pending, now time.Time) error {
	if g.removed {
		return ErrRemoved
	}
	if p == nil || p != g.pending || p.baseEpoch != g.context.epoch {
		return ErrStalePending
	}
	next := p.next
	p.next = nil
	g.become(next, now)
	return nil
}

// Discard drops a pending commit that was not accepted and never will be.
func (g *Group) Discard(p *Pending) error {
	if p == nil || p != g.pending {
		return ErrStalePending
	}
	p.drop()
	g.pending = nil
	g.changed()
	return nil
}

// Commit prepares the move to the next epoch (RFC 9420 §12.4.1). The group does not move before
// Merge.
func (g *Group) Commit(o CommitOptions, now time.Time) (*Pending, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if g.pending != nil {
		return nil, ErrPendingCommit
	}
	cm, list, err := g.collect(o, now)
	if err != nil {
		return nil, err
	}
	if err := g.validateMemberList(list, g.own); err != nil {
		return nil, err
	}
	for _, p := range list {
		if err := g.checkProposal(p.Proposal, p.sender, now); err != nil {
			return nil, err
		}
	}
	t, err := g.apply(list)
	if err != nil {
		return nil, err
	}
	if err := t.checkAdds(); err != nil {
		return nil, err
	}
	t.info.Committer = g.own
	changesLeaf := o.Leaf.Credential != nil || o.Leaf.Capabilities != nil || o.Leaf.Extensions != nil || o.Leaf.Signer != nil
	t.info.Path = t.pathRequired || !o.OmitPath || changesLeaf
	if !t.info.Path {
		return g.seal(o, cm, t, nil, nil, now)
	}
	template, signer, err := g.renewedLeaf(o.Leaf)
	if err != nil {
		return nil, err
	}
	path, err := t.tree.createPath(g.cfg.Rand, g.own, template, signer, g.context.groupID)
	if err != nil {
		return nil, err
	}
	check := leafCheck{suite: g.suite, cfg: g.cfg, event: LeafEvent{
		Reason: LeafCommitted, GroupID: g.context.groupID, Leaf: path.leaf, Index: g.own, Previous: g.tree.leaf(g.own), Now: now,
	}}
	if err := check.run(); err != nil {
		return nil, err
	}
	t.changed = append(t.changed, g.own)
	return g.seal(o, cm, t, path, signer, now)
}

// seal finishes a commit whose proposals and path are in t's tree.
func (g *Group) seal(o CommitOptions, cm *commit, t *transition, path *newPath, signer crypto.Signer, now time.Time) (*Pending, error) {
	if err := t.checkTree(); err != nil {
		return nil, err
	}
	if err := g.askCommit(&t.info); err != nil {
		return nil, err
	}
	psks, err := g.lookupPSKs(t.psks)
	if err != nil {
		return nil, err
	}
	next := g.provisional(t)
	commitSecret := make([]byte, g.suite.Nh)
	if path != nil {
		// The context is provisional: new epoch, tree and extensions, old transcript.
		if cm.path, err = t.tree.encryptPath(path, t.added, next.context.encode()); err != nil {
			return nil, err
		}
		for x, key := range path.keys {
			next.keys[x] = key
		}
		next.signer = signer
		commitSecret = path.commitSecret
	}
	c := g.newContent(ContentCommit, o.AuthenticatedData)
	c.content.commit = cm
	// Signed under the old group context: a change of extensions takes effect after it.
	if err := g.signContent(c); err != nil {
		return nil, err
	}
	next.context.confirmedTranscript = confirmedTranscript(g.suite, g.interim, c)
	joiner, member := next.advance(g.secrets.init, commitSecret, psks)
	c.auth.confirmationTag = g.suite.MAC(next.secrets.confirmation, next.context.confirmedTranscript)
	next.confirm(c.auth.confirmationTag)

	p := &Pending{group: g, next: next, baseEpoch: g.context.epoch, info: t.info}
	if len(t.added) > 0 {
		if p.welcome, err = next.welcome(o, t, path, joiner, member, psks); err != nil {
			return nil, err
		}
	}
	clear(joiner)
	clear(member)
	message, key, err := g.protect(c)
	if err != nil {
		return nil, err
	}
	p.commit = message
	if key != nil {
		key.take()
	}
	g.pending = p
	g.changed()
	return p, nil
}

// collect gathers the proposals of a commit: those that wait and are still good, by reference, and
// ours by value.
func (g *Group) collect(o CommitOptions, now time.Time) (*commit, []resolvedProposal, error) {
	cm := new(commit)
	var list []resolvedProposal
	if len(o.Proposals)+len(g.proposals) > MaxProposals {
		return nil, nil, ErrTooManyProposals
	}
	var byValue []*Proposal
	for _, p := range o.Proposals {
		q, err := g.complete(p)
		if err != nil {
			return nil, nil, err
		}
		byValue = append(byValue, q)
	}
	if !o.IgnoreWaiting && len(g.proposals) > 0 {
		for _, i := range g.workable(g.selectWaiting(byValue, now), byValue) {
			q := &g.proposals[i]
			cm.proposals = append(cm.proposals, proposalOrRef{ref: q.ref})
			list = append(list, resolvedProposal{Proposal: q.proposal, sender: q.sender, cached: q})
		}
	}
	for _, q := range byValue {
		cm.proposals = append(cm.proposals, proposalOrRef{proposal: q})
		list = append(list, resolvedProposal{Proposal: q, sender: memberSender(g.own)})
	}
	return cm, list, nil
}

// welcome makes the Welcome for the members that t adds (§12.4.3.1). g is the new epoch.
func (g *Group) welcome(o CommitOptions, t *transition, path *newPath, joiner, member []byte, psks []pskInput) ([]byte, error) {
	info, err := g.groupInfo(GroupInfoOptions{RatchetTree: !o.OmitRatchetTree, Extensions: o.GroupInfoExtensions})
	if err != nil {
		return nil, err
	}
	s := g.suite
	key, nonce := welcomeKey(s, member)
	encoded := encodeMessage(formatGroupInfo, info)[4:] // without the message header
	w := &welcome{cipherSuite: g.context.cipherSuite}
	if w.encryptedGroupInfo, err = s.Seal(key, nonce, encoded, nil); err != nil {
		return nil, fmt.Errorf("encrypting group info: %w", err)
	}
	secrets := &groupSecrets{joinerSecret: joiner}
	for _, p := range psks {
		secrets.psks = append(secrets.psks, p.id)
	}
	for k, i := range t.added {
		kp := t.packages[k]
		secrets.pathSecret = nil
		if path != nil {
			leaf := treemath.Leaf(uint32(i))
			at := slices.IndexFunc(path.steps, func(p pathStep) bool { return treemath.Covers(p.copath, leaf) })
			if at < 0 {
				return nil, fmt.Errorf("%w: no node above leaf %d", ErrPathMismatch, i)
			}
			secrets.pathSecret = path.secrets[at]
		}
		plain := encodeSecrets(secrets)
		pk, err := s.ParsePublicKey(kp.InitKey)
		if err != nil {
			return nil, fmt.Errorf("%w: init key: %w", ErrPublicKey, err)
		}
		e := encryptedGroupSecrets{newMember: kp.ref(s)}
		e.secrets.kemOutput, e.secrets.ciphertext, err = s.EncryptWithLabel(pk, labelWelcome, w.encryptedGroupInfo, plain)
		clear(plain)
		if err != nil {
			return nil, fmt.Errorf("encrypting group secrets: %w", err)
		}
		w.secrets = append(w.secrets, e)
	}
	return encodeMessage(formatWelcome, w), nil
}
