package treemath

import "testing"

// TestShape checks the arithmetic against a tree built with pointers' worth of recursion.
func TestShape(t *testing.T) {
	for leaves := uint32(1); leaves <= 256; leaves *= 2 {
		if Width(leaves) != 2*leaves-1 {
			t.Fatalf("width of %d", leaves)
		}
		seen := make(map[Node]bool)
		var walk func(x Node, first, last Node)
		walk = func(x, first, last Node) {
			seen[x] = true
			if f, l := Span(x); f != first || l != last {
				t.Fatalf("span of %d is [%d, %d]", x, f, l)
			}
			if first == last {
				if !IsLeaf(x) || Leaf(uint32(x/2)) != x || Level(x) != 0 {
					t.Fatalf("%d is a leaf", x)
				}
				return
			}
			left, right := Left(x), Right(x)
			if Parent(left) != x || Parent(right) != x || Sibling(left) != right || Sibling(right) != left {
				t.Fatalf("children of %d", x)
			}
			if !Covers(x, left) || !Covers(x, x) || Covers(left, right) || CommonAncestor(first, last) != x {
				t.Fatalf("cover of %d", x)
			}
			walk(left, first, x-1)
			walk(right, x+1, last)
		}
		walk(Root(leaves), 0, Node(Width(leaves)-1))
		if len(seen) != int(Width(leaves)) {
			t.Fatalf("%d nodes of %d reached", len(seen), Width(leaves))
		}
	}
	if Width(0) != 0 {
		t.Fatal("width of nothing")
	}
}
