package mls

import (
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Outgoing is a message ready to leave. The key it was encrypted under is used up in the group's
// state; if an older state came back after a crash, the key would be used again. So the order is:
// take State, store it, and only then Release.
type Outgoing struct {
	group     *Group
	message   []byte
	persisted bool
	// Ref names the proposal, if the message is one.
	Ref ProposalRef
}

// State returns what must be stored before the message may leave.
func (o *Outgoing) State() State {
	o.persisted = true
	return o.group.State()
}

// StateSince is State without the part that the caller has stored already; see Group.StateSince.
func (o *Outgoing) StateSince(version uint64) State {
	o.persisted = true
	return o.group.StateSince(version)
}

// Release returns the MLSMessage. It returns ErrNotPersisted if State was not called, unless the
// group is ephemeral.
func (o *Outgoing) Release() ([]byte, error) {
	if !o.persisted && !o.group.cfg.Ephemeral {
		return nil, ErrNotPersisted
	}
	return o.message, nil
}

// SealOptions are the rarer parameters of Seal.
type SealOptions struct {
	// AuthenticatedData travels with the message readable to all, but signed.
	AuthenticatedData []byte
	// DespiteProposals sends even though proposals wait to be committed, which RFC 9420 §12.4
	// forbids: among them may be the removal of somebody who could still read the message.
	DespiteProposals bool
}

// Seal encrypts application data for the members of the current epoch.
func (g *Group) Seal(data []byte, o SealOptions) (*Outgoing, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if len(g.proposals) > 0 && !o.DespiteProposals {
		return nil, ErrPendingProposals
	}
	if len(data) > MaxApplicationDataSize {
		return nil, ErrApplicationDataTooLarge
	}
	c := g.newContent(ContentApplication, o.AuthenticatedData)
	c.format = formatPrivate
	c.content.application = data
	if err := g.signContent(c); err != nil {
		return nil, err
	}
	return g.send(c)
}

func (g *Group) newContent(t ContentType, authenticatedData []byte) *authenticatedContent {
	c := &authenticatedContent{format: formatPrivate, content: framedContent{
		groupID:           g.context.groupID,
		epoch:             g.context.epoch,
		sender:            memberSender(g.own),
		authenticatedData: authenticatedData,
		contentType:       t,
	}}
	if g.cfg.Handshakes == HandshakesPublic {
		c.format = formatPublic
	}
	return c
}

func (g *Group) signContent(c *authenticatedContent) error {
	if len(c.content.authenticatedData) > MaxFieldSize {
		return fmt.Errorf("%w: authenticated data", ErrFieldTooLong)
	}
	return c.sign(g.suite, g.cfg.Rand, g.signer, g.contextRaw)
}

// send frames and encrypts signed content, using up a key.
func (g *Group) send(c *authenticatedContent) (*Outgoing, error) {
	message, o, err := g.protect(c)
	if err != nil {
		return nil, err
	}
	if o != nil {
		o.take()
	}
	return &Outgoing{group: g, message: message}, nil
}

// protect frames c. The opening, nil for a public message, must be taken if the message is used.
func (g *Group) protect(c *authenticatedContent) ([]byte, *opening, error) {
	if c.format == formatPublic {
		return encodeMessage(formatPublic, protectPublic(g.suite, c, g.secrets.membership, g.contextRaw)), nil, nil
	}
	o, err := g.messages.nextOwn(g.own, ratchetFor(c.content.contentType))
	if err != nil {
		return nil, nil, err
	}
	m, err := protectPrivate(g.suite, g.cfg.Rand, c, privateSender{
		senderDataSecret: g.secrets.senderData,
		generation:       o.gen,
		key:              o.key.key,
		nonce:            o.key.nonce,
		padTo:            g.cfg.padding(),
	})
	if err != nil {
		return nil, nil, err
	}
	return encodeMessage(formatPrivate, m), o, nil
}

// AddMember proposes to add the client that k belongs to.
func AddMember(k *KeyPackage) Proposal { return Proposal{Type: ProposalAdd, Add: k} }

// RemoveMember proposes to remove the member at i.
func RemoveMember(i LeafIndex) Proposal { return Proposal{Type: ProposalRemove, Remove: i} }

// UsePSK proposes to mix an external pre-shared key into the next epoch. A fresh nonce is added.
func UsePSK(id []byte) Proposal {
	return Proposal{Type: ProposalPSK, PSK: PreSharedKeyID{Type: PSKExternal, ID: id}}
}

// UseResumptionPSK proposes to mix the resumption PSK of a past epoch into the next one, which
// only who was a member then can know. A fresh nonce is added.
func UseResumptionPSK(groupID []byte, epoch uint64) Proposal {
	return Proposal{Type: ProposalPSK, PSK: PreSharedKeyID{
		Type: PSKResumption, Usage: ResumptionApplication, GroupID: groupID, Epoch: epoch,
	}}
}

// SetExtensions proposes to replace all group context extensions.
func SetExtensions(list []Extension) Proposal {
	return Proposal{Type: ProposalGroupContextExtensions, Extensions: list}
}

// complete fills what a proposal of ours leaves open and copies the rest through the decoder, so
// that what we send is what others will read.
func (g *Group) complete(p Proposal) (*Proposal, error) {
	switch p.Type {
	case ProposalAdd, ProposalRemove, ProposalGroupContextExtensions:
	case ProposalPSK:
		if p.PSK.Nonce == nil {
			if err := p.PSK.newNonce(g.suite, g.cfg.Rand); err != nil {
				return nil, err
			}
		}
	case ProposalReInit:
		return nil, ErrReInit
	case ProposalExternalInit:
		return nil, ErrExternalInitInMember
	default: // Update has ProposeUpdate, because its leaf must be made here
		return nil, fmt.Errorf("%w: %s", ErrUnsupportedProposal, p.Type)
	}
	if p.Type == ProposalAdd && p.Add == nil {
		return nil, fmt.Errorf("%w: add without a key package", ErrUnsupportedProposal)
	}
	var w wire.Writer
	p.marshal(&w)
	r := wire.NewReader(w.B)
	q := readProposal(r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("encoding proposal: %w", err)
	}
	return q, nil
}

// Propose sends a proposal, other than an Update, for somebody to commit.
func (g *Group) Propose(p Proposal, now time.Time) (*Outgoing, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	q, err := g.complete(p)
	if err != nil {
		return nil, err
	}
	return g.propose(cachedProposal{proposal: q}, now)
}

// ProposeUpdate proposes to renew our leaf, and with it to heal from a compromise of our keys,
// without a commit of our own.
func (g *Group) ProposeUpdate(o LeafUpdate, now time.Time) (*Outgoing, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	template, signer, err := g.renewedLeaf(o)
	if err != nil {
		return nil, err
	}
	priv, pub, err := g.suite.GenerateKeyPair(g.cfg.Rand)
	if err != nil {
		return nil, err
	}
	template.EncryptionKey, template.Source = pub, LeafFromUpdate
	if err := template.sign(g.suite, g.cfg.Rand, signer, g.context.groupID, g.own); err != nil {
		return nil, err
	}
	return g.propose(cachedProposal{
		proposal: &Proposal{Type: ProposalUpdate, Update: template}, private: priv, signer: o.Signer,
	}, now)
}

func (g *Group) propose(p cachedProposal, now time.Time) (*Outgoing, error) {
	if len(g.proposals) >= MaxCachedProposals {
		return nil, ErrTooManyCachedProposals
	}
	p.sender = memberSender(g.own)
	if err := g.checkProposal(p.proposal, p.sender, now); err != nil {
		return nil, err
	}
	c := g.newContent(ContentProposal, nil)
	c.content.proposal = p.proposal
	if err := g.signContent(c); err != nil {
		return nil, err
	}
	out, err := g.send(c)
	if err != nil {
		return nil, err
	}
	p.ref = makeProposalRef(g.suite, c)
	g.proposals = append(g.proposals, p)
	g.changed()
	out.Ref = p.ref
	return out, nil
}

// Proposals returns the references of the proposals that wait to be committed.
func (g *Group) Proposals() []ProposalRef {
	refs := make([]ProposalRef, len(g.proposals))
	for i := range g.proposals {
		refs[i] = g.proposals[i].ref
	}
	return refs
}

// ClearProposals forgets all proposals that wait to be committed.
func (g *Group) ClearProposals() {
	for _, p := range g.proposals {
		clear(p.private)
	}
	g.proposals = nil
	g.changed()
}
