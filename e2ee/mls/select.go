package mls

import (
	"bytes"
	"slices"
	"time"
)

// selectWaiting returns the indices of the waiting proposals that make a valid list together with
// byValue (§12.2): a Remove goes before an Update, a later Update before an earlier one, and what
// clashes, concerns ourselves or has become invalid stays out.
func (g *Group) selectWaiting(byValue []*Proposal, now time.Time) []int {
	removed := make(map[LeafIndex]bool)
	added := make(map[string]bool)
	psks := make(map[string]bool)
	extensions := false
	for _, p := range byValue {
		switch p.Type {
		case ProposalRemove:
			removed[p.Remove] = true
		case ProposalAdd:
			added[string(p.Add.Leaf.SignatureKey)] = true
		case ProposalPSK:
			psks[string(p.PSK.encode())] = true
		case ProposalGroupContextExtensions:
			extensions = true
		}
	}
	keep := make(map[int]bool)
	for i := range g.proposals {
		p := g.proposals[i].proposal
		if p.Type == ProposalRemove && p.Remove != g.own && !removed[p.Remove] && g.tree.leaf(p.Remove) != nil {
			removed[p.Remove], keep[i] = true, true
		}
	}
	updated := make(map[LeafIndex]bool)
	for i := len(g.proposals) - 1; i >= 0; i-- {
		q := &g.proposals[i]
		if leaf := q.sender.Leaf; q.proposal.Type == ProposalUpdate && leaf != g.own && !removed[leaf] && !updated[leaf] &&
			g.checkProposal(q.proposal, q.sender, now) == nil {
			updated[leaf], keep[i] = true, true
		}
	}
	for i := range g.proposals {
		q := &g.proposals[i]
		p := q.proposal
		var clash bool
		switch p.Type {
		case ProposalAdd:
			key := string(p.Add.Leaf.SignatureKey)
			clash = added[key] || g.isMember(p.Add.Leaf.SignatureKey, removed)
			if !clash && g.checkProposal(p, q.sender, now) == nil && g.fits(p.Add.Leaf) {
				added[key], keep[i] = true, true
			}
		case ProposalPSK:
			if id := string(p.PSK.encode()); !psks[id] {
				if _, err := g.lookupPSKs([]PreSharedKeyID{p.PSK}); err == nil {
					psks[id], keep[i] = true, true
				}
			}
		case ProposalGroupContextExtensions:
			if !extensions && checkCompatible(g.tree, p.Extensions) == nil {
				extensions, keep[i] = true, true
			}
		}
	}
	var order []int
	for i := range g.proposals {
		if keep[i] {
			order = append(order, i)
		}
	}
	return order
}

// workable leaves out of the waiting proposals those that only show to be bad once they are applied
// together, such as an Update with another member's key. One member could otherwise stop all
// others from committing.
func (g *Group) workable(waiting []int, byValue []*Proposal) []int {
	if len(waiting) == 0 || g.works(waiting, byValue) || !g.works(nil, byValue) {
		return waiting
	}
	var kept []int
	for _, i := range waiting {
		if g.works(append(kept, i), byValue) {
			kept = append(kept, i)
		}
	}
	return kept
}

// works tries a list of proposals without a path.
func (g *Group) works(waiting []int, byValue []*Proposal) bool {
	list := make([]resolvedProposal, 0, len(waiting)+len(byValue))
	for _, i := range waiting {
		list = append(list, resolvedProposal{Proposal: g.proposals[i].proposal, sender: g.proposals[i].sender})
	}
	for _, p := range byValue {
		list = append(list, resolvedProposal{Proposal: p, sender: memberSender(g.own)})
	}
	if g.validateMemberList(list, g.own) != nil {
		return false
	}
	t, err := g.apply(list)
	return err == nil && t.checkAdds() == nil && t.checkTree() == nil
}

func (g *Group) isMember(key []byte, removed map[LeafIndex]bool) bool {
	return slices.ContainsFunc(g.Members(), func(m Member) bool {
		return !removed[m.Index] && bytes.Equal(m.Leaf.SignatureKey, key)
	})
}

// fits reports whether a leaf supports what the group requires.
func (g *Group) fits(l *LeafNode) bool {
	return checkCompatible(newTree(g.suite, l), g.context.extensions) == nil
}
