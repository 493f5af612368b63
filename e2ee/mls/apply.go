package mls

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// resolvedProposal is a proposal of a commit, with its sender known.
type resolvedProposal struct {
	*Proposal
	sender Sender
	cached *cachedProposal // nil if it came by value
}

// resolve looks up the proposals a commit refers to (RFC 9420 §12.4).
func (g *Group) resolve(c *commit, committer Sender) ([]resolvedProposal, error) {
	list := make([]resolvedProposal, 0, len(c.proposals))
	seen := make(map[ProposalRef]struct{})
	for _, p := range c.proposals {
		if p.proposal != nil {
			list = append(list, resolvedProposal{Proposal: p.proposal, sender: committer})
			continue
		}
		if _, twice := seen[p.ref]; twice {
			return nil, ErrDuplicateProposal
		}
		seen[p.ref] = struct{}{}
		at := slices.IndexFunc(g.proposals, func(q cachedProposal) bool { return q.ref == p.ref })
		if at < 0 {
			return nil, ErrUnknownProposal
		}
		q := &g.proposals[at]
		list = append(list, resolvedProposal{Proposal: q.proposal, sender: q.sender, cached: q})
	}
	return list, nil
}

// validateMemberList checks the list of a member's commit as far as it can be without applying it
// (§12.2). The individual checks of §12.1 are checkProposal's.
func (g *Group) validateMemberList(list []resolvedProposal, committer LeafIndex) error {
	touched := make(map[LeafIndex]struct{})
	psks := make(map[string]struct{})
	extensions := false
	for _, p := range list {
		switch p.Type {
		case ProposalUpdate:
			if p.sender.Type != SenderMember || p.sender.Leaf == committer {
				return ErrUpdateByCommitter
			}
			if _, twice := touched[p.sender.Leaf]; twice {
				return fmt.Errorf("%w: leaf %d", ErrConflictingProposals, p.sender.Leaf)
			}
			touched[p.sender.Leaf] = struct{}{}
		case ProposalRemove:
			if p.Remove == committer {
				return ErrRemoveCommitter
			}
			if _, twice := touched[p.Remove]; twice {
				return fmt.Errorf("%w: leaf %d", ErrConflictingProposals, p.Remove)
			}
			touched[p.Remove] = struct{}{}
		case ProposalPSK:
			id := string(p.PSK.encode())
			if _, twice := psks[id]; twice {
				return ErrDuplicatePSK
			}
			psks[id] = struct{}{}
		case ProposalGroupContextExtensions:
			if extensions {
				return ErrMultipleGCE
			}
			extensions = true
		case ProposalReInit:
			return ErrReInit
		case ProposalExternalInit:
			return ErrExternalInitInMember
		}
	}
	if len(psks) > MaxPSKs {
		return ErrTooManyPSKs
	}
	return nil
}

// validateExternalList checks the list of an external commit (§12.2, §12.4.3.2).
func validateExternalList(c *commit) error {
	inits, removes, psks := 0, 0, make(map[string]struct{})
	for _, p := range c.proposals {
		if p.proposal == nil {
			return fmt.Errorf("%w: by reference", ErrExternalCommitProposals)
		}
		switch p.proposal.Type {
		case ProposalExternalInit:
			inits++
		case ProposalRemove:
			removes++
		case ProposalPSK:
			id := string(p.proposal.PSK.encode())
			if _, twice := psks[id]; twice {
				return ErrDuplicatePSK
			}
			psks[id] = struct{}{}
		default:
			return fmt.Errorf("%w: %s", ErrExternalCommitProposals, p.proposal.Type)
		}
	}
	if inits != 1 || removes > 1 {
		return fmt.Errorf("%w: %d external inits and %d removes", ErrExternalCommitProposals, inits, removes)
	}
	if len(psks) > MaxPSKs {
		return ErrTooManyPSKs
	}
	return nil // that there is a path was checked when its leaf verified the signature
}

// checkProposal does the checks of §12.1 for one proposal in the current epoch.
func (g *Group) checkProposal(p *Proposal, sender Sender, now time.Time) error {
	if sender.Type == SenderExternal && p.Type != ProposalRemove {
		return fmt.Errorf("%w: %s from an external sender", ErrProposalSender, p.Type)
	}
	switch p.Type {
	case ProposalAdd:
		return checkKeyPackage(g.suite, g.cfg, p.Add, LeafAdded, g.context.groupID, now)
	case ProposalUpdate:
		if sender.Type != SenderMember {
			return fmt.Errorf("%w: update", ErrProposalSender)
		}
		old := g.tree.leaf(sender.Leaf)
		if old == nil {
			return fmt.Errorf("%w: update of leaf %d", ErrSender, sender.Leaf)
		}
		c := leafCheck{suite: g.suite, cfg: g.cfg, event: LeafEvent{
			Reason: LeafUpdated, GroupID: g.context.groupID, Leaf: p.Update, Index: sender.Leaf, Previous: old, Now: now,
		}}
		return c.run()
	case ProposalRemove:
		if g.tree.leaf(p.Remove) == nil {
			return fmt.Errorf("%w: leaf %d", ErrRemoveBlank, p.Remove)
		}
		return nil
	case ProposalPSK:
		return p.PSK.validate(g.suite)
	case ProposalGroupContextExtensions:
		return checkGroupExtensions(g.suite, p.Extensions)
	case ProposalReInit:
		if p.ReInit.Version < g.context.version {
			return fmt.Errorf("%w: reinit to version %d", ErrVersion, p.ReInit.Version)
		}
		return ErrReInit
	default:
		return fmt.Errorf("%w: %s", ErrUnsupportedProposal, p.Type)
	}
}

// RemovedMember is a member that a commit removes.
type RemovedMember struct {
	Index LeafIndex
	Leaf  *LeafNode
}

// CommitInfo describes what a commit does.
type CommitInfo struct {
	// Epoch is the epoch the commit leads to.
	Epoch uint64
	// Committer is the sender's leaf, in the new tree.
	Committer LeafIndex
	// External tells that the committer has added itself.
	External bool
	// Path tells that the committer's keys were renewed.
	Path    bool
	Added   []Member
	Updated []LeafIndex
	Removed []RemovedMember
	// RemovedBy holds, for each of Removed, who proposed it.
	RemovedBy []Sender
	PSKs      []PreSharedKeyID
	// Extensions is the new list of group context extensions, if ExtensionsChanged.
	ExtensionsChanged bool
	Extensions        []Extension
	// SelfRemoved tells that we are among Removed.
	SelfRemoved bool
}

// transition is the public outcome of a proposal list (§12.3).
type transition struct {
	tree         *ratchetTree
	extensions   []Extension
	added        []LeafIndex
	packages     []*KeyPackage // of added
	changed      []LeafIndex   // leaves that are new in the tree
	psks         []PreSharedKeyID
	externalInit []byte
	pathRequired bool
	ownUpdate    *cachedProposal // our own Update was covered
	info         CommitInfo
}

// apply does §12.3: it applies a list in the prescribed order to a copy of the tree.
func (g *Group) apply(list []resolvedProposal) (*transition, error) {
	t := &transition{tree: g.tree.clone(), extensions: g.context.extensions, pathRequired: len(list) == 0}
	t.info.Epoch = g.context.epoch + 1
	for _, p := range list {
		switch p.Type {
		case ProposalUpdate, ProposalRemove, ProposalExternalInit, ProposalGroupContextExtensions:
			t.pathRequired = true
		}
		switch p.Type {
		case ProposalGroupContextExtensions:
			t.extensions = p.Extensions
			t.info.ExtensionsChanged, t.info.Extensions = true, p.Extensions
		case ProposalUpdate:
			t.tree.update(p.sender.Leaf, p.Update)
			t.changed = append(t.changed, p.sender.Leaf)
			t.info.Updated = append(t.info.Updated, p.sender.Leaf)
			if p.sender.Leaf == g.own {
				t.ownUpdate = p.cached
			}
		case ProposalPSK:
			t.psks = append(t.psks, p.PSK)
		case ProposalExternalInit:
			t.externalInit = p.KEMOutput
		}
	}
	for _, p := range list {
		if p.Type == ProposalRemove {
			t.info.Removed = append(t.info.Removed, RemovedMember{p.Remove, g.tree.leaf(p.Remove)})
			t.info.RemovedBy = append(t.info.RemovedBy, p.sender)
			t.info.SelfRemoved = t.info.SelfRemoved || p.Remove == g.own
			t.tree.remove(p.Remove)
		}
	}
	t.tree.truncate()
	for _, p := range list {
		if p.Type != ProposalAdd {
			continue
		}
		i, err := t.tree.add(p.Add.Leaf)
		if err != nil {
			return nil, err
		}
		t.added = append(t.added, i)
		t.packages = append(t.packages, p.Add)
		t.changed = append(t.changed, i)
		t.info.Added = append(t.info.Added, Member{i, p.Add.Leaf})
	}
	t.info.PSKs = t.psks
	return t, nil
}

// checkAdds tells a client that is added twice or is a member already from other clashes of keys.
func (t *transition) checkAdds() error {
	if len(t.added) == 0 {
		return nil
	}
	added := make(map[string]LeafIndex, len(t.added))
	for _, i := range t.added {
		key := string(t.tree.leaf(i).SignatureKey)
		if _, twice := added[key]; twice {
			return ErrDuplicateAdd
		}
		added[key] = i
	}
	return t.tree.leaves(func(i LeafIndex, l *LeafNode) error {
		if j, found := added[string(l.SignatureKey)]; found && i != j {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateAdd, i)
		}
		return nil
	})
}

// lookupPSKs finds the keys for ids, in order (§8.4).
func (g *Group) lookupPSKs(ids []PreSharedKeyID) ([]pskInput, error) {
	list := make([]pskInput, 0, len(ids))
	for _, id := range ids {
		key, err := lookupPSK(g.cfg, id, func(epoch uint64) []byte {
			if !bytes.Equal(id.GroupID, g.context.groupID) {
				return nil
			}
			if epoch == g.context.epoch {
				return g.secrets.resumption
			}
			for _, r := range g.resumption {
				if r.epoch == epoch {
					return r.key
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		list = append(list, pskInput{id, key})
	}
	return list, nil
}

func lookupPSK(cfg *Config, id PreSharedKeyID, own func(epoch uint64) []byte) ([]byte, error) {
	if id.Type == PSKResumption && own != nil {
		if key := own(id.Epoch); key != nil {
			return key, nil
		}
	}
	if cfg.PSK == nil {
		return nil, ErrUnknownPSK
	}
	key, err := cfg.PSK(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnknownPSK, err)
	}
	if key == nil {
		return nil, ErrUnknownPSK
	}
	return key, nil
}
