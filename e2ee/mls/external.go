package mls

import (
	"crypto"
	"fmt"
	"io"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// ExternalJoinOptions says how to join without an invitation.
type ExternalJoinOptions struct {
	Leaf LeafOptions
	// PSKs are the ids of external pre-shared keys to include.
	PSKs [][]byte
	// Resync, if set, is our own old leaf, which the same commit removes.
	Resync *LeafIndex
	// RatchetTree is the tree for a group info that does not contain it.
	RatchetTree       []byte
	AuthenticatedData []byte
}

// ExternalJoin is an external commit that nobody has accepted yet.
type ExternalJoin struct {
	group  *Group
	commit []byte
	merged bool
}

// Commit returns the commit to be sent, as a public MLSMessage. It uses no key of the group, so
// nothing needs to be stored before.
func (j *ExternalJoin) Commit() []byte { return j.commit }

// GroupInfo describes the epoch that the commit leads to, to be published once it is accepted.
func (j *ExternalJoin) GroupInfo(o GroupInfoOptions) ([]byte, error) { return j.group.GroupInfo(o) }

// Merge returns the group, after the delivery service has accepted the commit. It does so once.
func (j *ExternalJoin) Merge() (*Group, error) {
	if j.merged {
		return nil, ErrStalePending
	}
	j.merged = true
	return j.group, nil
}

// JoinExternal prepares to add us to the group of a group info with an external public key
// (RFC 9420 §12.4.3.2).
func JoinExternal(cfg *Config, groupInfoMessage []byte, o ExternalJoinOptions, now time.Time) (*ExternalJoin, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Handshakes == HandshakesPrivate {
		return nil, fmt.Errorf("%w: external commits are public", ErrHandshakePolicy)
	}
	m, err := parseMessage(groupInfoMessage)
	if err != nil {
		return nil, err
	}
	if m.wireFormat != formatGroupInfo {
		return nil, fmt.Errorf("%w: want a group info, have %s", ErrWireFormat, m.wireFormat)
	}
	info := m.groupInfo
	s, err := info.context.cipherSuite.get()
	if err != nil {
		return nil, err
	}
	old, err := newFromGroupInfo(s, cfg, info, o.RatchetTree, now)
	if err != nil {
		return nil, err
	}
	old.contextRaw = old.context.encode()
	old.interim = interimTranscript(s, old.context.confirmedTranscript, info.confirmationTag)

	kemOutput, initSecret, err := externalInit(s, info)
	if err != nil {
		return nil, err
	}
	cm, err := old.externalProposals(kemOutput, o)
	if err != nil {
		return nil, err
	}
	return old.joinExternally(cm, initSecret, o, now)
}

func externalInit(s *suite.Suite, info *groupInfo) (kemOutput, initSecret []byte, err error) {
	data, ok := FindExtension(info.extensions, ExtensionExternalPub)
	if !ok {
		return nil, nil, ErrNoExternalPub
	}
	r := wire.NewReader(data)
	pub := r.Opaque(boundField)
	if err := r.Done(); err != nil {
		return nil, nil, fmt.Errorf("external_pub: %w", err)
	}
	if err := s.CheckPublicKey(pub); err != nil {
		return nil, nil, fmt.Errorf("%w: external_pub: %w", ErrPublicKey, err)
	}
	return s.ExternalInit(pub)
}

func (g *Group) externalProposals(kemOutput []byte, o ExternalJoinOptions) (*commit, error) {
	cm := &commit{proposals: []proposalOrRef{{proposal: &Proposal{Type: ProposalExternalInit, KEMOutput: kemOutput}}}}
	if o.Resync != nil {
		if g.tree.leaf(*o.Resync) == nil {
			return nil, fmt.Errorf("%w: leaf %d", ErrRemoveBlank, *o.Resync)
		}
		p := RemoveMember(*o.Resync)
		cm.proposals = append(cm.proposals, proposalOrRef{proposal: &p})
	}
	for _, id := range o.PSKs {
		p := UsePSK(id)
		if err := p.PSK.newNonce(g.suite, g.cfg.Rand); err != nil {
			return nil, err
		}
		cm.proposals = append(cm.proposals, proposalOrRef{proposal: &p})
	}
	return cm, nil
}

// joinExternally makes the external commit. g is the public part of the old epoch.
func (g *Group) joinExternally(cm *commit, initSecret []byte, o ExternalJoinOptions, now time.Time) (*ExternalJoin, error) {
	sender := Sender{Type: SenderNewMemberCommit}
	list := make([]resolvedProposal, len(cm.proposals))
	for i, p := range cm.proposals {
		list[i] = resolvedProposal{Proposal: p.proposal, sender: sender}
	}
	g.own = noLeaf // we are not in the old tree: no proposal in the list concerns us
	t, err := g.apply(list)
	if err != nil {
		return nil, err
	}
	t.info.External, t.info.Path = true, true
	own, err := t.tree.firstBlank()
	if err != nil {
		return nil, err
	}
	t.info.Committer = own
	template, err := o.Leaf.leaf(g.suite, g.cfg.Signer, now)
	if err != nil {
		return nil, err
	}
	path, err := t.tree.createPath(g.cfg.Rand, own, template, g.cfg.Signer, g.context.groupID)
	if err != nil {
		return nil, err
	}
	check := leafCheck{suite: g.suite, cfg: g.cfg, event: LeafEvent{
		Reason: LeafJoinedExternally, GroupID: g.context.groupID, Leaf: path.leaf, Index: own, Now: now,
	}}
	if len(t.info.Removed) > 0 {
		check.event.Previous = t.info.Removed[0].Leaf
	}
	if err := check.run(); err != nil {
		return nil, err
	}
	t.changed = append(t.changed, own)
	if err := t.checkTree(); err != nil {
		return nil, err
	}
	psks := make([]pskInput, 0, len(t.psks))
	for _, id := range t.psks {
		key, err := lookupPSK(g.cfg, id, nil)
		if err != nil {
			return nil, err
		}
		psks = append(psks, pskInput{id, key})
	}
	next := g.provisional(t)
	next.own = own
	next.keys = path.keys
	if cm.path, err = t.tree.encryptPath(path, nil, next.context.encode()); err != nil {
		return nil, err
	}
	message, err := next.sealExternal(g, cm, sender, o.AuthenticatedData, initSecret, path.commitSecret, psks)
	if err != nil {
		return nil, err
	}
	return &ExternalJoin{group: next, commit: message}, nil
}

// noLeaf is beyond every tree.
const noLeaf LeafIndex = 1<<32 - 1

func (next *Group) sealExternal(old *Group, cm *commit, sender Sender, aad, initSecret, commitSecret []byte, psks []pskInput) ([]byte, error) {
	s := next.suite
	c := old.newContent(ContentCommit, aad)
	c.format = formatPublic
	c.content.sender = sender
	c.content.commit = cm
	if err := old.signContent(c); err != nil {
		return nil, err
	}
	next.context.confirmedTranscript = confirmedTranscript(s, old.interim, c)
	joiner, member := next.advance(initSecret, commitSecret, psks)
	clear(joiner)
	clear(member)
	clear(initSecret)
	c.auth.confirmationTag = s.MAC(next.secrets.confirmation, next.context.confirmedTranscript)
	next.confirm(c.auth.confirmationTag)
	return encodeMessage(formatPublic, protectPublic(s, c, nil, nil)), nil
}

// ProposeRemoveExternally makes a Remove proposal in the name of the external sender with the
// given index in the group's external_senders extension (RFC 9420 §12.1.8). signer holds its key.
// It needs nothing of the group but its id and epoch, so a server can make it.
func ProposeRemoveExternally(suiteID CipherSuite, groupID []byte, epoch uint64, index uint32, removed LeafIndex, rand io.Reader, signer crypto.Signer) ([]byte, error) {
	s, err := suiteID.get()
	if err != nil {
		return nil, err
	}
	if _, err := s.SignerPublicKey(signer); err != nil {
		return nil, err
	}
	p := RemoveMember(removed)
	c := &authenticatedContent{format: formatPublic, content: framedContent{
		groupID: groupID, epoch: epoch, sender: Sender{Type: SenderExternal, External: index},
		contentType: ContentProposal, proposal: &p,
	}}
	if err := c.sign(s, rand, signer, nil); err != nil {
		return nil, err
	}
	return encodeMessage(formatPublic, protectPublic(s, c, nil, nil)), nil
}
