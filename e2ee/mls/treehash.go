package mls

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// treeHash returns the tree hash of the subtree under x (RFC 9420 §7.8), computing only what has
// changed since it was last asked for.
func (t *ratchetTree) treeHash(x nodeIndex) []byte {
	if h := t.hash[x]; h != nil {
		return h
	}
	h := t.hashNode(x, t.nodes[x], t.treeHash)
	t.hash[x] = h
	return h
}

func (t *ratchetTree) rootHash() []byte { return t.treeHash(t.root()) }

// hashNode hashes TreeHashInput for a node n at x.
func (t *ratchetTree) hashNode(x nodeIndex, n node, child func(nodeIndex) []byte) []byte {
	var w wire.Writer
	if treemath.IsLeaf(x) {
		w.U8(1)
		w.U32(uint32(x / 2))
		w.Optional(n.leaf != nil)
		if n.leaf != nil {
			return t.suite.Hash(w.B, n.leaf.raw)
		}
		return t.suite.Hash(w.B)
	}
	w.U8(2)
	w.Optional(n.parent != nil)
	if n.parent != nil {
		n.parent.marshal(&w)
	}
	w.Opaque(child(treemath.Left(x)))
	w.Opaque(child(treemath.Right(x)))
	return t.suite.Hash(w.B)
}

// originalTreeHash returns the hash of the subtree under x as it was before the leaves without
// were added (§7.9: original_sibling_tree_hash). Subtrees without any of them are not recomputed.
func (t *ratchetTree) originalTreeHash(x nodeIndex, without []LeafIndex) []byte {
	without = leavesUnder(x, without)
	if len(without) == 0 {
		return t.treeHash(x)
	}
	n := t.nodes[x]
	n.leaf = nil // a leaf that is reached here is one of without
	if p := n.parent; p != nil {
		n.parent = &parentNode{encryptionKey: p.encryptionKey, parentHash: p.parentHash}
		for _, l := range p.unmerged {
			if _, out := slices.BinarySearch(without, l); !out {
				n.parent.unmerged = append(n.parent.unmerged, l)
			}
		}
	}
	return t.hashNode(x, n, func(c nodeIndex) []byte { return t.originalTreeHash(c, without) })
}

// leavesUnder returns the part of the ascending list that lies in the subtree under x.
func leavesUnder(x nodeIndex, list []LeafIndex) []LeafIndex {
	first, last := treemath.Span(x)
	from, _ := slices.BinarySearch(list, LeafIndex(first/2))
	to, _ := slices.BinarySearch(list, LeafIndex(last/2)+1)
	return list[from:to]
}

// parentHash returns the parent hash of p with the copath child sibling (§7.9).
func (t *ratchetTree) parentHash(p *parentNode, sibling nodeIndex) []byte {
	var w wire.Writer
	w.Opaque(p.encryptionKey)
	w.Opaque(p.parentHash)
	w.Opaque(t.originalTreeHash(sibling, p.unmerged))
	return t.suite.Hash(w.B)
}

// verifyParentHashes checks that every parent was set by exactly one of the members below it
// (§7.9.2, "top down").
func (t *ratchetTree) verifyParentHashes() error {
	for x := 1; x < len(t.nodes); x += 2 {
		p := t.nodes[x].parent
		if p == nil {
			continue
		}
		left, right := treemath.Left(nodeIndex(x)), treemath.Right(nodeIndex(x))
		links := t.countLinks(p, left, right) + t.countLinks(p, right, left)
		if links != 1 {
			return fmt.Errorf("%w: node %d has %d links", ErrParentHash, x, links)
		}
	}
	return nil
}

// countLinks returns how many nodes D below child are valid with respect to p (§7.9.2).
func (t *ratchetTree) countLinks(p *parentNode, child, sibling nodeIndex) int {
	resolution := t.resolution(child, nil)
	unmerged := leavesUnder(child, p.unmerged)
	// The rest of the resolution must be exactly p's unmerged leaves.
	if len(resolution) != len(unmerged)+1 {
		return 0
	}
	var want []byte
	links := 0
	for i, d := range resolution {
		var have []byte
		switch n := t.nodes[d]; {
		case n.parent != nil:
			have = n.parent.parentHash
		case n.leaf != nil && n.leaf.Source == LeafFromCommit:
			have = n.leaf.ParentHash
		default:
			continue
		}
		if want == nil {
			want = t.parentHash(p, sibling)
		}
		if bytes.Equal(have, want) && restIsUnmerged(resolution, i, unmerged) {
			links++
		}
	}
	return links
}

// restIsUnmerged reports whether resolution without its i-th node is the set unmerged, which has
// one element less.
func restIsUnmerged(resolution []nodeIndex, i int, unmerged []LeafIndex) bool {
	for j, x := range resolution {
		if j == i {
			continue
		}
		if !treemath.IsLeaf(x) {
			return false
		}
		if _, found := slices.BinarySearch(unmerged, LeafIndex(x/2)); !found {
			return false
		}
	}
	return true
}

// verifyUnmerged checks the unmerged leaves of every parent (§12.4.3.1).
func (t *ratchetTree) verifyUnmerged() error {
	for x := 1; x < len(t.nodes); x += 2 {
		p := t.nodes[x].parent
		if p == nil {
			continue
		}
		for _, l := range p.unmerged {
			if t.leaf(l) == nil || !treemath.Covers(nodeIndex(x), treemath.Leaf(uint32(l))) {
				return fmt.Errorf("%w: node %d names leaf %d", ErrUnmergedLeaves, x, l)
			}
			for y := treemath.Parent(treemath.Leaf(uint32(l))); y != nodeIndex(x); y = treemath.Parent(y) {
				q := t.nodes[y].parent
				if q == nil {
					continue
				}
				if _, found := slices.BinarySearch(q.unmerged, l); !found {
					return fmt.Errorf("%w: leaf %d is unmerged at node %d but not at %d", ErrUnmergedLeaves, l, x, y)
				}
			}
		}
	}
	return nil
}
