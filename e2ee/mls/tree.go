package mls

import (
	"fmt"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

type nodeIndex = treemath.Node

// parentNode holds the key shared by the members below it (RFC 9420 §7.1). Immutable.
type parentNode struct {
	encryptionKey []byte
	parentHash    []byte
	unmerged      []LeafIndex // ascending
	key           keyCache
}

func (p *parentNode) marshal(w *wire.Writer) {
	w.Opaque(p.encryptionKey)
	w.Opaque(p.parentHash)
	w.Vector(func() {
		for _, l := range p.unmerged {
			w.U32(uint32(l))
		}
	})
}

func readParentNode(r *wire.Reader) *parentNode {
	p := &parentNode{encryptionKey: r.Opaque(boundField), parentHash: r.Opaque(boundField)}
	r.Vector(wire.Bound{Max: 4 * MaxLeaves, Err: ErrTooManyLeaves}, func(r *wire.Reader) {
		l := LeafIndex(r.U32())
		// §7.1: "sorted in increasing order".
		if n := len(p.unmerged); n > 0 && p.unmerged[n-1] >= l {
			r.Fail(fmt.Errorf("%w: not in increasing order", ErrUnmergedLeaves))
		}
		p.unmerged = append(p.unmerged, l)
	})
	return p
}

// withUnmerged returns a copy of p with one more unmerged leaf. The copy shares p's key.
func (p *parentNode) withUnmerged(l LeafIndex) *parentNode {
	at, found := slices.BinarySearch(p.unmerged, l)
	if found {
		return p
	}
	q := &parentNode{encryptionKey: p.encryptionKey, parentHash: p.parentHash}
	q.unmerged = slices.Insert(slices.Clone(p.unmerged), at, l)
	if pk := p.key.p.Load(); pk != nil {
		q.key.p.Store(pk)
	}
	return q
}

// node is one place of the tree: leaf is set on even places only, parent on odd ones only, and
// both are nil where the place is blank.
type node struct {
	leaf   *LeafNode
	parent *parentNode
}

func (n node) blank() bool { return n.leaf == nil && n.parent == nil }

func (n node) encryptionKey() []byte {
	switch {
	case n.leaf != nil:
		return n.leaf.EncryptionKey
	case n.parent != nil:
		return n.parent.encryptionKey
	default:
		return nil
	}
}

func (n node) publicKey(s *suite.Suite) (suite.PublicKey, error) {
	if n.leaf != nil {
		return n.leaf.key.get(s, n.leaf.EncryptionKey)
	}
	return n.parent.key.get(s, n.parent.encryptionKey)
}

// ratchetTree is the public state of all members (RFC 9420 §7) in a flat array. What nodes point
// to is never changed, only replaced, so that a copy of the tree is a copy of two slices.
type ratchetTree struct {
	suite *suite.Suite
	nodes []node   // 2n-1 of them, n a power of two
	hash  [][]byte // cached tree hash of each place; nil where it must be computed anew
}

func newTree(s *suite.Suite, leaf *LeafNode) *ratchetTree {
	return &ratchetTree{suite: s, nodes: []node{{leaf: leaf}}, hash: make([][]byte, 1)}
}

func (t *ratchetTree) clone() *ratchetTree {
	return &ratchetTree{suite: t.suite, nodes: slices.Clone(t.nodes), hash: slices.Clone(t.hash)}
}

// size returns the number of leaves, blank ones included.
func (t *ratchetTree) size() uint32 { return uint32(len(t.nodes)+1) / 2 }

func (t *ratchetTree) root() nodeIndex { return treemath.Root(t.size()) }

// leaf returns the leaf at i, or nil if it is blank or beyond the tree.
func (t *ratchetTree) leaf(i LeafIndex) *LeafNode {
	if uint64(i) >= uint64(t.size()) {
		return nil
	}
	return t.nodes[2*i].leaf
}

// leaves calls f for every non-blank leaf, in order, until it returns an error.
func (t *ratchetTree) leaves(f func(LeafIndex, *LeafNode) error) error {
	for x := 0; x < len(t.nodes); x += 2 {
		if l := t.nodes[x].leaf; l != nil {
			if err := f(LeafIndex(x/2), l); err != nil {
				return err
			}
		}
	}
	return nil
}

// set replaces the node at x and forgets the hashes that cover it.
func (t *ratchetTree) set(x nodeIndex, n node) {
	t.nodes[x] = n
	root := t.root()
	t.hash[x] = nil
	for x != root {
		x = treemath.Parent(x)
		t.hash[x] = nil
	}
}

// blankPath blanks all nodes above leaf i.
func (t *ratchetTree) blankPath(i LeafIndex) {
	x, root := treemath.Leaf(uint32(i)), t.root()
	for x != root {
		x = treemath.Parent(x)
		t.nodes[x], t.hash[x] = node{}, nil
	}
}

// firstBlank returns the leftmost blank leaf, doubling the tree if it has none (§7.7).
func (t *ratchetTree) firstBlank() (LeafIndex, error) {
	for x := 0; x < len(t.nodes); x += 2 {
		if t.nodes[x].leaf == nil {
			return LeafIndex(x / 2), nil
		}
	}
	n := t.size()
	if n >= MaxLeaves {
		return 0, ErrTooManyLeaves
	}
	t.nodes = append(t.nodes, make([]node, 2*n)...)
	t.hash = append(t.hash, make([][]byte, 2*n)...)
	return LeafIndex(n), nil
}

// add puts leaf at the leftmost blank place and marks it unmerged above (§12.1.1).
func (t *ratchetTree) add(leaf *LeafNode) (LeafIndex, error) {
	i, err := t.firstBlank()
	if err != nil {
		return 0, err
	}
	x, root := treemath.Leaf(uint32(i)), t.root()
	t.set(x, node{leaf: leaf})
	for x != root {
		x = treemath.Parent(x)
		if p := t.nodes[x].parent; p != nil {
			t.nodes[x].parent = p.withUnmerged(i)
		}
	}
	return i, nil
}

// update replaces leaf i and blanks the nodes above (§12.1.2).
func (t *ratchetTree) update(i LeafIndex, leaf *LeafNode) {
	t.set(treemath.Leaf(uint32(i)), node{leaf: leaf})
	t.blankPath(i)
}

// remove blanks leaf i and the nodes above (§12.1.3). The caller truncates once all are removed.
func (t *ratchetTree) remove(i LeafIndex) { t.update(i, nil) }

// truncate halves the tree while its right half has no leaf (§7.7).
func (t *ratchetTree) truncate() {
	for n := t.size(); n > 1; n /= 2 {
		for x := n; x < 2*n-1; x += 2 { // the leaves of the right half are nodes n, n+2, …
			if t.nodes[x].leaf != nil {
				return
			}
		}
		t.nodes, t.hash = t.nodes[:n-1], t.hash[:n-1]
	}
}

// resolution appends to out the nodes that together cover every leaf below x (§4.1.1).
func (t *ratchetTree) resolution(x nodeIndex, out []nodeIndex) []nodeIndex {
	n := t.nodes[x]
	switch {
	case n.leaf != nil:
		return append(out, x)
	case n.parent != nil:
		out = append(out, x)
		for _, l := range n.parent.unmerged {
			out = append(out, treemath.Leaf(uint32(l)))
		}
		return out
	case treemath.IsLeaf(x):
		return out
	default:
		return t.resolution(treemath.Right(x), t.resolution(treemath.Left(x), out))
	}
}

// empty reports whether the resolution of x is empty.
func (t *ratchetTree) empty(x nodeIndex) bool {
	first, last := treemath.Span(x)
	for y := first; y <= last; y++ {
		if !t.nodes[y].blank() {
			return false
		}
	}
	return true
}

// pathStep is a node of a filtered direct path with its child on the copath.
type pathStep struct{ node, copath nodeIndex }

// filteredPath returns the direct path of leaf i without the nodes whose copath child has nobody
// below it (§4.1.2).
func (t *ratchetTree) filteredPath(i LeafIndex) []pathStep {
	var path []pathStep
	x, root := treemath.Leaf(uint32(i)), t.root()
	for x != root {
		p, sibling := treemath.Parent(x), treemath.Sibling(x)
		if !t.empty(sibling) {
			path = append(path, pathStep{p, sibling})
		}
		x = p
	}
	return path
}

func (t *ratchetTree) marshal(w *wire.Writer) {
	last := len(t.nodes) - 1
	for last > 0 && t.nodes[last].blank() {
		last--
	}
	w.Vector(func() {
		for _, n := range t.nodes[:last+1] {
			w.Optional(!n.blank())
			switch {
			case n.leaf != nil:
				w.U8(1)
				n.leaf.marshal(w)
			case n.parent != nil:
				w.U8(2)
				n.parent.marshal(w)
			}
		}
	})
}

// readTree decodes a ratchet tree (§12.4.3.3) and extends it to a full one.
func readTree(r *wire.Reader, s *suite.Suite) *ratchetTree {
	t := &ratchetTree{suite: s}
	r.Vector(boundMessage, func(r *wire.Reader) {
		if len(t.nodes) == int(treemath.Width(MaxLeaves)) {
			r.Fail(ErrTooManyLeaves)
			return
		}
		var n node
		if r.Optional() {
			even := len(t.nodes)%2 == 0
			switch kind := r.U8(); {
			case kind == 1 && even:
				n.leaf = readLeafNode(r)
			case kind == 2 && !even:
				n.parent = readParentNode(r)
			default:
				r.Fail(fmt.Errorf("%w: node type %d at place %d", ErrTreeMalformed, kind, len(t.nodes)))
			}
		}
		t.nodes = append(t.nodes, n)
	})
	if r.Err() != nil {
		return t
	}
	if n := len(t.nodes); n == 0 || n%2 == 0 || t.nodes[n-1].blank() {
		r.Fail(fmt.Errorf("%w: %d nodes, the last one blank or a parent", ErrTreeMalformed, n))
		return t
	}
	width := 1
	for width < len(t.nodes) {
		width = 2*width + 1
	}
	t.nodes = append(t.nodes, make([]node, width-len(t.nodes))...)
	t.hash = make([][]byte, width)
	return t
}

func parseTree(b []byte, s *suite.Suite) (*ratchetTree, error) {
	if len(b) > MaxMessageSize {
		return nil, ErrMessageTooLarge
	}
	r := wire.NewReader(b)
	t := readTree(r, s)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decoding ratchet tree: %w", err)
	}
	return t, nil
}
