package mls

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

const labelWelcome = "Welcome"

func encodeSecrets(g *groupSecrets) []byte {
	var w wire.Writer
	g.marshal(&w)
	return w.B
}

// JoinOptions are the rarer parameters of Join.
type JoinOptions struct {
	// RatchetTree is the tree for a Welcome that does not contain it. It need not be trusted: its
	// hash is compared with a signed one.
	RatchetTree []byte
}

// Join enters the group of a Welcome with the key package it was made for (RFC 9420 §12.4.3.1).
// The private keys of k, unless it is a last resort, are erased: store the group's State and
// delete the stored copy of k in one step.
func Join(cfg *Config, message []byte, k *OwnKeyPackage, o JoinOptions, now time.Time) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m, err := parseMessage(message)
	if err != nil {
		return nil, err
	}
	if m.wireFormat != formatWelcome {
		return nil, fmt.Errorf("%w: want a welcome, have %s", ErrWireFormat, m.wireFormat)
	}
	if k.used {
		return nil, ErrKeyPackageUsed
	}
	s, err := m.welcome.cipherSuite.get()
	if err != nil {
		return nil, err
	}
	if k.public.CipherSuite != m.welcome.cipherSuite {
		return nil, fmt.Errorf("%w: welcome is for %s", ErrCipherSuiteMismatch, m.welcome.cipherSuite)
	}
	if key, err := s.SignerPublicKey(cfg.Signer); err != nil || !bytes.Equal(key, k.public.Leaf.SignatureKey) {
		return nil, fmt.Errorf("%w: the signer is not that of the key package", ErrConfig)
	}
	secrets, err := openGroupSecrets(s, m.welcome, k)
	if err != nil {
		return nil, err
	}
	psks, err := welcomePSKs(s, cfg, secrets.psks)
	if err != nil {
		return nil, err
	}
	member := memberSecret(s, secrets.joinerSecret, pskSecret(s, psks))
	info, err := openGroupInfo(s, m.welcome, member)
	if err != nil {
		return nil, err
	}
	g, err := newFromGroupInfo(s, cfg, info, o.RatchetTree, now)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(g.Members(), func(m Member) bool { return bytes.Equal(m.Leaf.raw, k.public.Leaf.raw) })
	if at < 0 {
		return nil, ErrLeafNotFound
	}
	g.own = g.Members()[at].Index
	g.keys = privateKeys{treemath.Leaf(uint32(g.own)): bytes.Clone(k.leafPrivate)}
	if err := g.implantWelcomeSecret(secrets.pathSecret, info.signer); err != nil {
		return nil, err
	}
	g.contextRaw = g.context.encode()
	g.enterEpoch(epochSecret(s, member, g.contextRaw))
	if !s.VerifyMAC(g.secrets.confirmation, g.context.confirmedTranscript, info.confirmationTag) {
		return nil, ErrConfirmationTag
	}
	g.confirm(info.confirmationTag)
	clear(member)
	clear(secrets.joinerSecret)
	clear(secrets.pathSecret)
	k.use()
	return g, nil
}

func openGroupSecrets(s *suite.Suite, w *welcome, k *OwnKeyPackage) (*groupSecrets, error) {
	ref := k.public.ref(s)
	at := slices.IndexFunc(w.secrets, func(e encryptedGroupSecrets) bool { return bytes.Equal(e.newMember, ref) })
	if at < 0 {
		return nil, ErrNotForUs
	}
	c := w.secrets[at].secrets
	plain, err := s.DecryptWithLabel(k.initPrivate, labelWelcome, w.encryptedGroupInfo, c.kemOutput, c.ciphertext)
	if err != nil {
		return nil, fmt.Errorf("%w: group secrets: %w", ErrDecrypt, err)
	}
	r := wire.NewReader(plain)
	secrets := readGroupSecrets(r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decoding group secrets: %w", err)
	}
	return secrets, nil
}

// welcomePSKs looks up the keys a Welcome names. Those of reinit and branch are not supported.
func welcomePSKs(s *suite.Suite, cfg *Config, ids []PreSharedKeyID) ([]pskInput, error) {
	var list []pskInput
	for _, id := range ids {
		if err := id.validate(s); err != nil {
			return nil, err
		}
		key, err := lookupPSK(cfg, id, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, pskInput{id, key})
	}
	return list, nil
}

func openGroupInfo(s *suite.Suite, w *welcome, member []byte) (*groupInfo, error) {
	key, nonce := welcomeKey(s, member)
	plain, err := s.Open(key, nonce, w.encryptedGroupInfo, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: group info", ErrDecrypt)
	}
	r := wire.NewReader(plain)
	info := readGroupInfo(r)
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decoding group info: %w", err)
	}
	if info.context.cipherSuite != w.cipherSuite {
		return nil, fmt.Errorf("%w: group info is for %s", ErrCipherSuiteMismatch, info.context.cipherSuite)
	}
	return info, nil
}

// newFromGroupInfo validates a group info and its tree (§12.4.3) and returns the public part of
// the group.
func newFromGroupInfo(s *suite.Suite, cfg *Config, info *groupInfo, tree []byte, now time.Time) (*Group, error) {
	if info.context.version != MLS10 {
		return nil, fmt.Errorf("%w: group info has %d", ErrVersion, info.context.version)
	}
	if cfg.KnownGroup != nil && cfg.KnownGroup(info.context.groupID) {
		return nil, ErrGroupExists
	}
	if err := checkExtensionList(info.extensions); err != nil {
		return nil, err
	}
	if err := checkGroupExtensions(s, info.context.extensions); err != nil {
		return nil, err
	}
	if data, ok := FindExtension(info.extensions, ExtensionRatchetTree); ok {
		tree = data
	}
	if tree == nil {
		return nil, ErrNoRatchetTree
	}
	t, err := parseTree(bytes.Clone(tree), s)
	if err != nil {
		return nil, err
	}
	signer := t.leaf(info.signer)
	if signer == nil {
		return nil, fmt.Errorf("%w: signer at blank leaf %d", ErrGroupInfoSignature, info.signer)
	}
	if err := info.verify(s, signer.SignatureKey); err != nil {
		return nil, err
	}
	if !bytes.Equal(t.rootHash(), info.context.treeHash) {
		return nil, ErrTreeHash
	}
	if err := checkJoinedTree(t, cfg, &info.context, now); err != nil {
		return nil, err
	}
	return &Group{cfg: cfg, suite: s, signer: cfg.Signer, context: info.context, tree: t}, nil
}

// implantWelcomeSecret derives the keys above the lowest common ancestor with the committer.
func (g *Group) implantWelcomeSecret(secret []byte, committer LeafIndex) error {
	if secret == nil {
		return nil
	}
	own := treemath.Leaf(uint32(g.own))
	if committer == g.own {
		return fmt.Errorf("%w: the committer is ourselves", ErrPathSecret)
	}
	x := treemath.CommonAncestor(own, treemath.Leaf(uint32(committer)))
	nodes := []nodeIndex{x}
	for root := g.tree.root(); x != root; {
		x = treemath.Parent(x)
		if !g.tree.nodes[x].blank() {
			nodes = append(nodes, x)
		}
	}
	keys, _, err := g.tree.implantSecret(secret, nodes)
	if err != nil {
		return err
	}
	for y, key := range keys {
		g.keys[y] = key
	}
	return nil
}
