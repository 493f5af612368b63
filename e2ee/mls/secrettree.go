package mls

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// messageKey encrypts one message.
type messageKey struct{ key, nonce []byte }

func (k messageKey) wipe() {
	clear(k.key)
	clear(k.nonce)
}

// ratchet is one hash ratchet of one sender (RFC 9420 §9.1): the secret of generation next and
// the keys of earlier generations whose messages have not arrived.
type ratchet struct {
	secret  []byte
	next    uint32
	skipped map[uint32]messageKey
	// evicted is the number of the first generation that was never evicted: below it a missing key
	// may be missing because too many were kept.
	evicted uint32
}

const (
	ratchetHandshake = iota
	ratchetApplication
	ratchetCount
)

func ratchetFor(t ContentType) int {
	if t == ContentApplication {
		return ratchetApplication
	}
	return ratchetHandshake
}

// secretTree derives the message keys of one epoch (§9). A secret is deleted as soon as what is
// below it has been derived, a key as soon as it has been used.
type secretTree struct {
	suite    *suite.Suite
	leaves   uint32
	nodes    map[nodeIndex][]byte
	ratchets map[LeafIndex]*[ratchetCount]ratchet
}

// newSecretTree takes over encryptionSecret.
func newSecretTree(s *suite.Suite, leaves uint32, encryptionSecret []byte) *secretTree {
	return &secretTree{
		suite:    s,
		leaves:   leaves,
		nodes:    map[nodeIndex][]byte{treemath.Root(leaves): encryptionSecret},
		ratchets: make(map[LeafIndex]*[ratchetCount]ratchet),
	}
}

// expansion is what deriving a leaf's ratchets does to the tree, not yet done.
type expansion struct {
	tree     *secretTree
	leaf     LeafIndex
	gone     nodeIndex
	new      map[nodeIndex][]byte
	ratchets *[ratchetCount]ratchet
}

// leafRatchets returns the ratchets of leaf i. At the first use they are derived, and the
// expansion says what to change in the tree once the message has proved genuine.
func (t *secretTree) leafRatchets(i LeafIndex) (*[ratchetCount]ratchet, *expansion, error) {
	if r, ok := t.ratchets[i]; ok {
		return r, nil, nil
	}
	if uint32(i) >= t.leaves {
		return nil, nil, fmt.Errorf("%w: leaf %d", ErrSender, i)
	}
	target := treemath.Leaf(uint32(i))
	x := treemath.Root(t.leaves)
	for x != target && t.nodes[x] == nil {
		x = childTowards(x, target)
	}
	secret := t.nodes[x]
	if secret == nil {
		return nil, nil, fmt.Errorf("%w: leaf %d", ErrGenerationUsed, i)
	}
	s := t.suite
	e := &expansion{tree: t, leaf: i, gone: x, new: make(map[nodeIndex][]byte)}
	for x != target {
		left, right := treemath.Left(x), treemath.Right(x)
		e.new[left] = s.ExpandWithLabel(secret, "tree", []byte("left"), s.Nh)
		e.new[right] = s.ExpandWithLabel(secret, "tree", []byte("right"), s.Nh)
		x = childTowards(x, target)
		secret = e.new[x]
		delete(e.new, x) // only the other child is kept
	}
	e.ratchets = &[ratchetCount]ratchet{
		ratchetHandshake:   {secret: s.ExpandWithLabel(secret, "handshake", nil, s.Nh)},
		ratchetApplication: {secret: s.ExpandWithLabel(secret, "application", nil, s.Nh)},
	}
	return e.ratchets, e, nil
}

func (e *expansion) apply() {
	clear(e.tree.nodes[e.gone])
	delete(e.tree.nodes, e.gone)
	maps.Copy(e.tree.nodes, e.new)
	e.tree.ratchets[e.leaf] = e.ratchets
}

func childTowards(x, target nodeIndex) nodeIndex {
	if target < x {
		return treemath.Left(x)
	}
	return treemath.Right(x)
}

func (r *ratchet) step(s *suite.Suite, secret []byte, generation uint32) (k messageKey, next []byte) {
	k.key = s.DeriveTreeSecret(secret, "key", generation, s.Nk)
	k.nonce = s.DeriveTreeSecret(secret, "nonce", generation, s.Nn)
	return k, s.DeriveTreeSecret(secret, "secret", generation, s.Nh)
}

// maxGeneration is never used: the counter must not wrap.
const maxGeneration = 1<<32 - 1

// nextOwn finds the key of the next generation, for sending.
func (t *secretTree) nextOwn(i LeafIndex, kind int) (*opening, error) {
	rs, _, err := t.leafRatchets(i)
	if err != nil {
		return nil, err
	}
	return t.find(i, kind, rs[kind].next)
}

// opening is a key found for a received message. Nothing is deleted until take is called, which
// must happen only after the message has proved genuine: else a forged, repeated or reordered
// message could destroy the ratchet.
type opening struct {
	tree   *secretTree
	key    messageKey
	expand *expansion // nil if the leaf's ratchets exist already
	r      *ratchet
	gen    uint32
	secret []byte                // ratchet secret after gen, if gen is not a skipped one
	new    map[uint32]messageKey // keys of generations jumped over
}

// find derives the key of a generation.
func (t *secretTree) find(i LeafIndex, kind int, generation uint32) (*opening, error) {
	rs, expand, err := t.leafRatchets(i)
	if err != nil {
		return nil, err
	}
	r := &rs[kind]
	if generation < r.next {
		if k, ok := r.skipped[generation]; ok {
			return &opening{tree: t, key: k, r: r, gen: generation}, nil
		}
		if generation < r.evicted {
			return nil, fmt.Errorf("%w: leaf %d, generation %d", ErrSkippedKeyEvicted, i, generation)
		}
		return nil, fmt.Errorf("%w: leaf %d, generation %d", ErrGenerationUsed, i, generation)
	}
	if generation-r.next > MaxGenerationsAhead {
		return nil, fmt.Errorf("%w: %d after %d", ErrGenerationTooFarAhead, generation, r.next)
	}
	if generation == maxGeneration {
		return nil, ErrGenerationExhausted
	}
	o := &opening{tree: t, expand: expand, r: r, gen: generation}
	secret := r.secret
	for g := r.next; ; g++ {
		k, next := r.step(t.suite, secret, g)
		if g > r.next {
			clear(secret) // an intermediate secret; r.secret itself stays until take
		}
		secret = next
		if g == generation {
			o.key, o.secret = k, next
			return o, nil
		}
		if o.new == nil {
			o.new = make(map[uint32]messageKey)
		}
		o.new[g] = k
	}
}

// take deletes the key and keeps those of the generations jumped over.
func (o *opening) take() {
	o.key.wipe()
	if o.tree.wiped() { // the message was a commit and has ended the epoch
		o.wipe()
		return
	}
	if o.expand != nil {
		o.expand.apply()
	}
	r := o.r
	if o.secret == nil {
		delete(r.skipped, o.gen)
		return
	}
	clear(r.secret)
	r.secret, r.next = o.secret, o.gen+1
	if len(o.new) == 0 {
		return
	}
	if r.skipped == nil {
		r.skipped = make(map[uint32]messageKey, len(o.new))
	}
	maps.Copy(r.skipped, o.new)
	if over := len(r.skipped) - MaxSkippedKeys; over > 0 {
		for _, g := range slices.Sorted(maps.Keys(r.skipped))[:over] {
			r.skipped[g].wipe()
			delete(r.skipped, g)
			r.evicted = g + 1
		}
	}
}

// wipe erases what was derived for the opening and not stored yet.
func (o *opening) wipe() {
	clear(o.secret)
	for _, k := range o.new {
		k.wipe()
	}
	if o.expand == nil {
		return
	}
	for _, secret := range o.expand.new {
		clear(secret)
	}
	for k := range o.expand.ratchets {
		clear(o.expand.ratchets[k].secret)
	}
}

func (t *secretTree) wiped() bool { return t.leaves == 0 }

// wipe erases all secrets and makes the tree unusable.
func (t *secretTree) wipe() {
	t.leaves = 0
	for x, secret := range t.nodes {
		clear(secret)
		delete(t.nodes, x)
	}
	for i, rs := range t.ratchets {
		for k := range rs {
			clear(rs[k].secret)
			for _, key := range rs[k].skipped {
				key.wipe()
			}
		}
		delete(t.ratchets, i)
	}
}
