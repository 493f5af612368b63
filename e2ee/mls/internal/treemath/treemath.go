// Package treemath does the index arithmetic of the array-based binary trees of RFC 9420
// Appendix C. Trees are perfect: the number of leaves is a power of two. Leaf i is node 2i.
//
// It holds no state and must never allocate.
package treemath

import "math/bits"

// Node is an index in the node array.
type Node uint32

// Width returns the number of nodes of a tree of leaves leaves.
func Width(leaves uint32) uint32 {
	if leaves == 0 {
		return 0
	}
	return 2*leaves - 1
}

// Level returns the height of x above the leaves.
func Level(x Node) int { return bits.TrailingZeros32(^uint32(x)) }

// Root returns the root of a tree of leaves leaves (a power of two, not 0).
func Root(leaves uint32) Node { return Node(leaves - 1) }

// Leaf returns the node of leaf i.
func Leaf(i uint32) Node { return Node(2 * i) }

// IsLeaf reports whether x is a leaf.
func IsLeaf(x Node) bool { return x&1 == 0 }

// Left returns the left child of the parent x.
func Left(x Node) Node { return x ^ 1<<(Level(x)-1) }

// Right returns the right child of the parent x.
func Right(x Node) Node { return x ^ 3<<(Level(x)-1) }

// Parent returns the parent of x, which must not be the root.
func Parent(x Node) Node {
	k := Level(x)
	b := (x >> (k + 1)) & 1
	return (x | 1<<k) ^ b<<(k+1)
}

// Sibling returns the other child of x's parent.
func Sibling(x Node) Node {
	p := Parent(x)
	if x < p {
		return Right(p)
	}
	return Left(p)
}

// Span returns the first and last node of the subtree under x.
func Span(x Node) (first, last Node) {
	half := Node(1)<<Level(x) - 1
	return x - half, x + half
}

// Covers reports whether y lies in the subtree under x (x itself included).
func Covers(x, y Node) bool {
	first, last := Span(x)
	return first <= y && y <= last
}

// CommonAncestor returns the lowest node above (or equal to) both x and y.
func CommonAncestor(x, y Node) Node {
	for !Covers(x, y) {
		x = Parent(x)
	}
	return x
}
