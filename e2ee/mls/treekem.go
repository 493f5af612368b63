package mls

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// privateKeys are the private keys a member knows: its leaf's and those of parents above it.
type privateKeys map[nodeIndex][]byte

func (k privateKeys) clone() privateKeys {
	out := make(privateKeys, len(k))
	for x, key := range k {
		out[x] = key
	}
	return out
}

// prune drops keys of places that are blank or gone: they belong to nobody any more.
func (k privateKeys) prune(t *ratchetTree) {
	for x := range k {
		if int(x) >= len(t.nodes) || t.nodes[x].blank() {
			delete(k, x)
		}
	}
}

// newPath is the private half of an update path one makes.
type newPath struct {
	leaf    *LeafNode
	steps   []pathStep
	secrets [][]byte // path_secret of each step
	keys    privateKeys
	// commitSecret is path_secret[n+1]: one derivation beyond the root's (RFC 9420 §12.4.1).
	commitSecret []byte
}

// derivePath fills keys and public parents from the first path secret (§7.4). It returns the
// parents of steps and the secret after the last.
func derivePath(s *suite.Suite, first []byte, n int) (secrets, privs, pubs [][]byte, after []byte, err error) {
	secret := first
	for range n {
		node := s.DeriveSecret(secret, "node")
		priv, pub, err := s.DeriveKeyPair(node)
		clear(node)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		secrets, privs, pubs = append(secrets, secret), append(privs, priv), append(pubs, pub)
		secret = s.DeriveSecret(secret, "path")
	}
	return secrets, privs, pubs, secret, nil
}

// createPath gives leaf i a new key and puts new keys on its filtered direct path (§7.5). template
// holds the rest of the leaf; signer signs it. t is changed.
func (t *ratchetTree) createPath(rand io.Reader, i LeafIndex, template *LeafNode, signer crypto.Signer, groupID []byte) (*newPath, error) {
	s := t.suite
	t.blankPath(i)
	p := &newPath{steps: t.filteredPath(i), keys: make(privateKeys)}

	first := make([]byte, s.Nh)
	if _, err := io.ReadFull(rand, first); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	secrets, privs, pubs, after, err := derivePath(s, first, len(p.steps))
	if err != nil {
		return nil, err
	}
	p.secrets, p.commitSecret = secrets, after
	for j, step := range p.steps {
		p.keys[step.node] = privs[j]
	}

	leaf := *template.withoutKeys()
	priv, pub, err := s.GenerateKeyPair(rand)
	if err != nil {
		return nil, err
	}
	leaf.EncryptionKey = pub
	p.keys[treemath.Leaf(uint32(i))] = priv
	leaf.Source = LeafFromCommit
	leaf.ParentHash = t.setPath(p.steps, pubs)
	if err := leaf.sign(s, rand, signer, groupID, i); err != nil {
		return nil, err
	}
	p.leaf = &leaf
	t.set(treemath.Leaf(uint32(i)), node{leaf: p.leaf})
	return p, nil
}

// withoutKeys copies what a new leaf takes over from an old one.
func (l *LeafNode) withoutKeys() *LeafNode {
	return &LeafNode{
		SignatureKey: l.SignatureKey,
		Credential:   l.Credential,
		Capabilities: l.Capabilities,
		Extensions:   l.Extensions,
	}
}

// setPath puts public keys on the steps, whose nodes must be blank, chaining the parent hashes
// from the root down (§7.9). It returns the parent hash for the leaf.
func (t *ratchetTree) setPath(steps []pathStep, pubs [][]byte) []byte {
	above := []byte{}
	for j := len(steps) - 1; j >= 0; j-- {
		p := &parentNode{encryptionKey: pubs[j], parentHash: above}
		t.set(steps[j].node, node{parent: p})
		above = t.parentHash(p, steps[j].copath)
	}
	return above
}

// encryptionTargets returns the nodes a path secret for a copath child is encrypted to: its
// resolution without the leaves that are new in the same commit, which get it in their Welcome
// (§7.5). It reuses out.
func (t *ratchetTree) encryptionTargets(copath nodeIndex, added []LeafIndex, out []nodeIndex) []nodeIndex {
	out = t.resolution(copath, out[:0])
	if len(added) == 0 {
		return out
	}
	return slices.DeleteFunc(out, func(x nodeIndex) bool {
		return treemath.IsLeaf(x) && slices.Contains(added, LeafIndex(x/2))
	})
}

const labelPathSecret = "UpdatePathNode"

// encryptPath encrypts p's secrets to the other members (§7.6). context is the provisional group
// context: the new epoch and tree, and the old confirmed transcript.
func (t *ratchetTree) encryptPath(p *newPath, added []LeafIndex, context []byte) (*updatePath, error) {
	up := &updatePath{leaf: p.leaf, nodes: make([]updatePathNode, len(p.steps))}
	var targets []nodeIndex
	for j, step := range p.steps {
		n := &up.nodes[j]
		n.encryptionKey = t.nodes[step.node].parent.encryptionKey
		targets = t.encryptionTargets(step.copath, added, targets)
		n.secrets = make([]hpkeCiphertext, len(targets))
		for k, x := range targets {
			pk, err := t.nodes[x].publicKey(t.suite)
			if err != nil {
				return nil, fmt.Errorf("node %d: %w", x, err)
			}
			c := &n.secrets[k]
			c.kemOutput, c.ciphertext, err = t.suite.EncryptWithLabel(pk, labelPathSecret, context, p.secrets[j])
			if err != nil {
				return nil, fmt.Errorf("encrypting path secret to node %d: %w", x, err)
			}
		}
	}
	return up, nil
}

// applyPath checks the public half of a received path against t, which already has the commit's
// proposals applied, and merges it (§7.5, §12.4.2). added are the leaves the same commit adds.
func (t *ratchetTree) applyPath(i LeafIndex, up *updatePath, added []LeafIndex) ([]pathStep, error) {
	s := t.suite
	steps := t.filteredPath(i)
	if len(steps) != len(up.nodes) {
		return nil, fmt.Errorf("%w: %d nodes, want %d", ErrPathMismatch, len(up.nodes), len(steps))
	}
	pubs := make([][]byte, len(steps))
	var targets []nodeIndex
	for j, step := range steps {
		targets = t.encryptionTargets(step.copath, added, targets)
		if len(up.nodes[j].secrets) != len(targets) {
			return nil, fmt.Errorf("%w: %d secrets for node %d, want %d", ErrPathMismatch,
				len(up.nodes[j].secrets), step.node, len(targets))
		}
		pubs[j] = up.nodes[j].encryptionKey
		if err := s.CheckPublicKey(pubs[j]); err != nil {
			return nil, fmt.Errorf("%w: node %d: %w", ErrPublicKey, step.node, err)
		}
	}
	if err := t.checkFreshKeys(i, up.leaf.EncryptionKey, pubs); err != nil {
		return nil, err
	}
	t.blankPath(i)
	if want := t.setPath(steps, pubs); !bytes.Equal(want, up.leaf.ParentHash) {
		return nil, fmt.Errorf("%w: of the committer's leaf", ErrParentHash)
	}
	t.set(treemath.Leaf(uint32(i)), node{leaf: up.leaf})
	return steps, nil
}

// checkFreshKeys refuses path keys that occur twice or anywhere in the tree (§12.4.2). The leaf
// at i is about to be replaced; its key must not come back either.
func (t *ratchetTree) checkFreshKeys(i LeafIndex, leafKey []byte, pubs [][]byte) error {
	if old := t.leaf(i); old != nil && bytes.Equal(old.EncryptionKey, leafKey) {
		return ErrEncryptionKeyUnchanged
	}
	fresh := make(map[string]struct{}, len(pubs)+1)
	fresh[string(leafKey)] = struct{}{}
	for _, k := range pubs {
		if _, twice := fresh[string(k)]; twice {
			return fmt.Errorf("%w: in the update path", ErrDuplicateEncryptionKey)
		}
		fresh[string(k)] = struct{}{}
	}
	for x, n := range t.nodes {
		if k := n.encryptionKey(); k != nil {
			if _, used := fresh[string(k)]; used {
				return fmt.Errorf("%w: node %d has it already", ErrDuplicateEncryptionKey, x)
			}
		}
	}
	return nil
}

// decryptPath recovers the path secret for the member at own and from it the keys up to the root
// (§7.5). keys must be pruned for the tree. It returns the new keys and the commit secret.
func (t *ratchetTree) decryptPath(own LeafIndex, keys privateKeys, steps []pathStep, up *updatePath, added []LeafIndex, context []byte) (privateKeys, []byte, error) {
	x := treemath.Leaf(uint32(own))
	at := slices.IndexFunc(steps, func(p pathStep) bool { return treemath.Covers(p.copath, x) })
	if at < 0 {
		return nil, nil, fmt.Errorf("%w: it does not cover our leaf", ErrPathMismatch)
	}
	targets := t.encryptionTargets(steps[at].copath, added, nil)
	for k, target := range targets {
		priv, ok := keys[target]
		if !ok {
			continue
		}
		c := up.nodes[at].secrets[k]
		secret, err := t.suite.DecryptWithLabel(priv, labelPathSecret, context, c.kemOutput, c.ciphertext)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: path secret: %w", ErrDecrypt, err)
		}
		nodes := make([]nodeIndex, 0, len(steps)-at)
		for _, step := range steps[at:] {
			nodes = append(nodes, step.node)
		}
		return t.implantSecret(secret, nodes)
	}
	return nil, nil, fmt.Errorf("%w: no secret for a key we have", ErrPathMismatch)
}

// implantSecret derives the private keys of nodes, the first of which secret belongs to, and
// checks that they fit the public keys in the tree.
func (t *ratchetTree) implantSecret(secret []byte, nodes []nodeIndex) (privateKeys, []byte, error) {
	if len(secret) != t.suite.Nh {
		return nil, nil, fmt.Errorf("%w: it has %d bytes", ErrPathSecret, len(secret))
	}
	_, privs, pubs, after, err := derivePath(t.suite, secret, len(nodes))
	if err != nil {
		return nil, nil, err
	}
	keys := make(privateKeys, len(nodes))
	for j, x := range nodes {
		if !bytes.Equal(pubs[j], t.nodes[x].encryptionKey()) {
			return nil, nil, fmt.Errorf("%w: node %d", ErrPathSecret, x)
		}
		keys[x] = privs[j]
	}
	return keys, after, nil
}
