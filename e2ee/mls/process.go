package mls

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Received is what a message turned out to be.
type Received struct {
	Type   ContentType
	Epoch  uint64
	Sender Sender
	// SignatureKey and Credential are those of the sender at the time, for members.
	SignatureKey []byte
	Credential   Credential
	// AuthenticatedData came with the message in the clear, signed.
	AuthenticatedData []byte
	// Application is set for ContentApplication. Any member can encrypt it anew for the same
	// epoch, so the application must recognise repetitions by an id of its own inside.
	Application []byte
	// Proposal and Ref are set for ContentProposal.
	Proposal *Proposal
	Ref      ProposalRef
	// Commit is set for ContentCommit. The group is then in the new epoch.
	Commit *CommitInfo
}

// Process takes in a public or private message of this group. A proposal is kept for a later
// commit; a commit moves the group to the next epoch and drops a pending commit of our own; of
// application data the key is deleted, so store the state before acknowledging the message.
func (g *Group) Process(message []byte, now time.Time) (*Received, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	m, err := parseMessage(message)
	if err != nil {
		return nil, err
	}
	switch m.wireFormat {
	case formatPublic:
		return g.processPublic(m.public, now)
	case formatPrivate:
		return g.processPrivate(m.private, now)
	default:
		return nil, fmt.Errorf("%w: %s is not for a group", ErrWireFormat, m.wireFormat)
	}
}

func (g *Group) processPublic(m *publicMessage, now time.Time) (*Received, error) {
	c := &m.content
	if !bytes.Equal(c.groupID, g.context.groupID) {
		return nil, ErrGroupID
	}
	if c.epoch != g.context.epoch {
		return nil, fmt.Errorf("%w: %d, we are at %d", ErrWrongEpoch, c.epoch, g.context.epoch)
	}
	if c.sender.Type == SenderMember {
		if g.cfg.Handshakes == HandshakesPrivate {
			return nil, fmt.Errorf("%w: public", ErrHandshakePolicy)
		}
		if g.tree.leaf(c.sender.Leaf) == nil {
			return nil, fmt.Errorf("%w: leaf %d", ErrSender, c.sender.Leaf)
		}
	}
	content, err := m.unprotect(g.suite, g.secrets.membership, g.contextRaw)
	if err != nil {
		return nil, err
	}
	if c.sender == memberSender(g.own) {
		return nil, ErrOwnMessage
	}
	key, err := g.publicSenderKey(c)
	if err != nil {
		return nil, err
	}
	if err := content.verify(g.suite, key, g.contextRaw); err != nil {
		return nil, err
	}
	return g.processHandshake(content, now)
}

// publicSenderKey finds the key a public message must be signed with (RFC 9420 §6.1).
func (g *Group) publicSenderKey(c *framedContent) ([]byte, error) {
	switch c.sender.Type {
	case SenderMember:
		return g.tree.leaf(c.sender.Leaf).SignatureKey, nil
	case SenderExternal:
		data, ok := FindExtension(g.context.extensions, ExtensionExternalSenders)
		if !ok {
			return nil, fmt.Errorf("%w: the group has no external senders", ErrSender)
		}
		senders, err := parseExternalSenders(data)
		if err != nil {
			return nil, err
		}
		if uint64(c.sender.External) >= uint64(len(senders)) {
			return nil, fmt.Errorf("%w: external sender %d", ErrSender, c.sender.External)
		}
		if c.contentType != ContentProposal {
			return nil, fmt.Errorf("%w: external sender sent no proposal", ErrSender)
		}
		return senders[c.sender.External].SignatureKey, nil
	case SenderNewMemberCommit:
		if c.contentType != ContentCommit {
			return nil, fmt.Errorf("%w: joiner sent no commit", ErrSender)
		}
		if c.commit.path == nil {
			return nil, fmt.Errorf("%w: external commit", ErrPathRequired)
		}
		return c.commit.path.leaf.SignatureKey, nil
	default:
		return nil, fmt.Errorf("%w: type %d", ErrSender, c.sender.Type)
	}
}

func (g *Group) processPrivate(m *privateMessage, now time.Time) (*Received, error) {
	if !bytes.Equal(m.groupID, g.context.groupID) {
		return nil, ErrGroupID
	}
	if m.epoch != g.context.epoch {
		return g.processPast(m, now)
	}
	if m.contentType != ContentApplication && g.cfg.Handshakes == HandshakesPublic {
		return nil, fmt.Errorf("%w: private", ErrHandshakePolicy)
	}
	c, o, err := openPrivate(m, g.secrets.senderData, g.messages, g.own)
	if err != nil {
		return nil, err
	}
	leaf := g.tree.leaf(c.content.sender.Leaf)
	if leaf == nil {
		return nil, fmt.Errorf("%w: leaf %d", ErrSender, c.content.sender.Leaf)
	}
	if err := c.verify(g.suite, leaf.SignatureKey, g.contextRaw); err != nil {
		return nil, err
	}
	if m.contentType != ContentApplication {
		r, err := g.processHandshake(c, now)
		if err == nil {
			o.take()
		}
		return r, err
	}
	o.take()
	r := g.received(c, leaf)
	r.Application = c.content.application
	return r, nil
}

// openPrivate decrypts m. The caller deletes the key by taking the opening, once it has verified
// the signature.
func openPrivate(m *privateMessage, senderDataSecret []byte, messages *secretTree, own LeafIndex) (*authenticatedContent, *opening, error) {
	s := messages.suite
	d, err := m.openSenderData(s, senderDataSecret)
	if err != nil {
		return nil, nil, err
	}
	if d.leaf == own {
		return nil, nil, ErrOwnMessage
	}
	o, err := messages.find(d.leaf, ratchetFor(m.contentType), d.generation)
	if err != nil {
		return nil, nil, err
	}
	c, err := m.openContent(s, d, o.key.key, o.key.nonce)
	if err != nil {
		return nil, nil, err
	}
	return c, o, nil
}

func (g *Group) received(c *authenticatedContent, leaf *LeafNode) *Received {
	r := &Received{
		Type:              c.content.contentType,
		Epoch:             c.content.epoch,
		Sender:            c.content.sender,
		AuthenticatedData: c.content.authenticatedData,
	}
	if leaf != nil {
		r.SignatureKey, r.Credential = leaf.SignatureKey, leaf.Credential
	}
	return r
}

// processHandshake takes in a proposal or commit whose sender is proven.
func (g *Group) processHandshake(c *authenticatedContent, now time.Time) (*Received, error) {
	var leaf *LeafNode
	if c.content.sender.Type == SenderMember {
		leaf = g.tree.leaf(c.content.sender.Leaf)
	}
	r := g.received(c, leaf)
	var err error
	if c.content.contentType == ContentProposal {
		r.Proposal = c.content.proposal
		r.Ref, err = g.cacheProposal(c, now)
	} else {
		r.Commit, err = g.processCommit(c, now)
		if err == nil && leaf == nil {
			l := c.content.commit.path.leaf
			r.SignatureKey, r.Credential = l.SignatureKey, l.Credential
		}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// cacheProposal keeps a valid proposal for a later commit (§12.1).
func (g *Group) cacheProposal(c *authenticatedContent, now time.Time) (ProposalRef, error) {
	p := c.content.proposal
	if p.Type == ProposalExternalInit {
		return "", ErrExternalInitInMember
	}
	if err := g.checkProposal(p, c.content.sender, now); err != nil {
		return "", err
	}
	ref := makeProposalRef(g.suite, c)
	for _, q := range g.proposals {
		if q.ref == ref {
			return ref, nil
		}
	}
	if len(g.proposals) >= MaxCachedProposals {
		return "", ErrTooManyCachedProposals
	}
	g.proposals = append(g.proposals, cachedProposal{ref: ref, proposal: p, sender: c.content.sender})
	g.changed()
	return ref, nil
}

// processCommit does §12.4.2 after unprotecting and verifying the signature.
func (g *Group) processCommit(c *authenticatedContent, now time.Time) (*CommitInfo, error) {
	cm := c.content.commit
	external := c.content.sender.Type == SenderNewMemberCommit
	list, err := g.resolve(cm, c.content.sender)
	if err != nil && !external {
		return nil, err
	}
	committer := c.content.sender.Leaf
	if external {
		if err := g.checkExternalCommit(cm); err != nil {
			return nil, err
		}
	} else if err := g.validateMemberList(list, committer); err != nil {
		return nil, err
	}
	for _, p := range list {
		if external && p.Type == ProposalExternalInit {
			continue
		}
		if err := g.checkProposal(p.Proposal, p.sender, now); err != nil {
			return nil, err
		}
	}
	t, err := g.apply(list)
	if err != nil {
		return nil, err
	}
	if t.pathRequired && cm.path == nil {
		return nil, ErrPathRequired
	}
	if err := t.checkAdds(); err != nil {
		return nil, err
	}
	t.info.External, t.info.Path = external, cm.path != nil
	previous := g.tree.leaf(committer)
	if external {
		previous = nil
		if len(t.info.Removed) > 0 {
			previous = t.info.Removed[0].Leaf
		}
		if committer, err = t.tree.firstBlank(); err != nil {
			return nil, err
		}
	}
	t.info.Committer = committer

	var steps []pathStep
	if cm.path != nil {
		if steps, err = g.mergePath(t, cm.path, committer, previous, now); err != nil {
			return nil, err
		}
	}
	if err := t.checkTree(); err != nil {
		return nil, err
	}
	if t.info.SelfRemoved {
		if err := g.askCommit(&t.info); err != nil {
			return nil, err
		}
		g.leave()
		return &t.info, nil
	}
	next, err := g.nextFromCommit(c, t, steps)
	if err != nil {
		return nil, err
	}
	if err := g.askCommit(&t.info); err != nil {
		return nil, err
	}
	g.become(next, now)
	return &t.info, nil
}

// checkExternalCommit checks an external commit's proposals and the application's policy.
func (g *Group) checkExternalCommit(cm *commit) error {
	if g.cfg.ExternalCommits == ExternalCommitsRefused || g.cfg.Handshakes == HandshakesPrivate {
		return fmt.Errorf("%w: external commits are refused", ErrHandshakePolicy)
	}
	if err := validateExternalList(cm); err != nil {
		return err
	}
	if g.cfg.ExternalCommits == ExternalCommitsWithPSK {
		for _, p := range cm.proposals {
			if id := p.proposal.PSK; p.proposal.Type == ProposalPSK && id.Type == PSKExternal &&
				bytes.Equal(id.ID, g.cfg.ExternalCommitPSK) {
				return nil
			}
		}
		return fmt.Errorf("%w: external commit without the demanded PSK", ErrHandshakePolicy)
	}
	return nil
}

func (g *Group) askCommit(info *CommitInfo) error {
	if g.cfg.CheckCommit == nil {
		return nil
	}
	if err := g.cfg.CheckCommit(info); err != nil {
		return fmt.Errorf("%w: %w", ErrCommitRejected, err)
	}
	return nil
}

// mergePath validates the path's leaf (§7.3) and puts the path into t's tree.
func (g *Group) mergePath(t *transition, path *updatePath, committer LeafIndex, previous *LeafNode, now time.Time) ([]pathStep, error) {
	reason := LeafCommitted
	if t.info.External {
		reason = LeafJoinedExternally
	}
	check := leafCheck{suite: g.suite, cfg: g.cfg, event: LeafEvent{
		Reason: reason, GroupID: g.context.groupID, Leaf: path.leaf, Index: committer, Previous: previous, Now: now,
	}}
	if err := check.run(); err != nil {
		return nil, err
	}
	steps, err := t.tree.applyPath(committer, path, t.added)
	if err != nil {
		return nil, err
	}
	t.changed = append(t.changed, committer)
	return steps, nil
}

// checkTree checks the tree after all changes (§12.2, last item).
func (t *transition) checkTree() error {
	if err := checkCompatible(t.tree, t.extensions); err != nil {
		return err
	}
	return checkUnique(t.tree, t.changed)
}

// IsStale reports whether err means that a message came too late to matter: it is for an epoch
// that has passed, or it was received before.
func IsStale(err error) bool {
	return errors.Is(err, ErrWrongEpoch) || errors.Is(err, ErrEpochExpired) ||
		errors.Is(err, ErrGenerationUsed) || errors.Is(err, ErrSkippedKeyEvicted)
}
