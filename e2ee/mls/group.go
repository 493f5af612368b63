package mls

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Group is one member's view of a group. It is not safe for concurrent use. After any error it is
// as it was before the call.
type Group struct {
	cfg    *Config
	suite  *suite.Suite
	signer crypto.Signer

	context    groupContext
	contextRaw []byte // context.encode()
	tree       *ratchetTree
	own        LeafIndex
	keys       privateKeys
	secrets    *epochSecrets
	messages   *secretTree

	interim         []byte // interim transcript hash
	confirmationTag []byte

	proposals  []cachedProposal
	past       []*pastEpoch // oldest first
	resumption []resumptionPSK
	pending    *Pending
	removed    bool

	version   uint64 // see State
	groupBlob []byte // cached State.Group of version
}

// cachedProposal is a valid proposal of the current epoch that no commit has covered yet.
type cachedProposal struct {
	ref      ProposalRef
	proposal *Proposal
	sender   Sender
	// Of our own Update: the new leaf's private key, and its signer if that is new too.
	private []byte
	signer  crypto.Signer
}

type resumptionPSK struct {
	epoch uint64
	key   []byte
}

// LeafOptions describes our own leaf.
type LeafOptions struct {
	Credential Credential
	// Capabilities defaults to DefaultCapabilities with the types of Extensions.
	Capabilities *Capabilities
	Extensions   []Extension
	// Lifetime defaults to DefaultLifetime from now on, with an hour for clocks that run behind.
	Lifetime Lifetime
}

// DefaultLifetime is how long a key package is valid.
const DefaultLifetime = 30 * 24 * time.Hour

const clockSkew = time.Hour

func (o *LeafOptions) leaf(s *suite.Suite, signer crypto.Signer, now time.Time) (*LeafNode, error) {
	key, err := s.SignerPublicKey(signer)
	if err != nil {
		return nil, err
	}
	l := &LeafNode{
		SignatureKey: key,
		Credential:   o.Credential.clone(),
		Extensions:   cloneExtensions(o.Extensions),
		Source:       LeafFromKeyPackage,
		Lifetime:     o.Lifetime,
	}
	if o.Capabilities != nil {
		l.Capabilities = o.Capabilities.clone()
	} else {
		l.Capabilities = defaultCapabilitiesFor(o.Extensions)
	}
	if l.Lifetime == (Lifetime{}) {
		l.Lifetime = Lifetime{
			NotBefore: uint64(max(0, now.Add(-clockSkew).Unix())),
			NotAfter:  uint64(max(0, now.Add(DefaultLifetime).Unix())),
		}
	}
	return l, nil
}

func defaultCapabilitiesFor(list []Extension) Capabilities {
	var types []ExtensionType
	for _, e := range list {
		if !e.Type.isDefault() {
			types = append(types, e.Type)
		}
	}
	return DefaultCapabilities(types...)
}

// GroupOptions describes a new group.
type GroupOptions struct {
	CipherSuite CipherSuite
	// ID must differ from that of every other group; 32 random bytes do.
	ID []byte
	// Extensions are the group context extensions, e.g. RequiredCapabilities or ExternalSenders.
	Extensions []Extension
	Leaf       LeafOptions
}

// NewGroup creates a group with one member, us, at epoch 0 (RFC 9420 §11).
func NewGroup(cfg *Config, o GroupOptions, now time.Time) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s, err := o.CipherSuite.get()
	if err != nil {
		return nil, err
	}
	if len(o.ID) > MaxGroupIDSize {
		return nil, ErrGroupIDTooLong
	}
	if cfg.KnownGroup != nil && cfg.KnownGroup(o.ID) {
		return nil, ErrGroupExists
	}
	if err := checkGroupExtensions(s, o.Extensions); err != nil {
		return nil, err
	}
	leaf, err := o.Leaf.leaf(s, cfg.Signer, now)
	if err != nil {
		return nil, err
	}
	priv, pub, err := s.GenerateKeyPair(cfg.Rand)
	if err != nil {
		return nil, err
	}
	leaf.EncryptionKey = pub
	if err := leaf.sign(s, cfg.Rand, cfg.Signer, o.ID, 0); err != nil {
		return nil, err
	}
	check := leafCheck{suite: s, cfg: cfg, event: LeafEvent{Reason: LeafCreated, GroupID: o.ID, Leaf: leaf, Now: now}}
	if err := check.run(); err != nil {
		return nil, err
	}
	g := &Group{
		cfg: cfg, suite: s, signer: cfg.Signer,
		context: groupContext{
			version: MLS10, cipherSuite: o.CipherSuite, groupID: bytes.Clone(o.ID),
			extensions: cloneExtensions(o.Extensions),
		},
		tree: newTree(s, leaf),
		keys: privateKeys{treemath.Leaf(0): priv},
	}
	if err := checkCompatible(g.tree, g.context.extensions); err != nil {
		return nil, err
	}
	g.context.treeHash = g.tree.rootHash()
	g.contextRaw = g.context.encode()
	epoch := make([]byte, s.Nh)
	if _, err := io.ReadFull(cfg.Rand, epoch); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	g.enterEpoch(epoch)
	g.confirmationTag = s.MAC(g.secrets.confirmation, g.context.confirmedTranscript)
	g.interim = interimTranscript(s, g.context.confirmedTranscript, g.confirmationTag)
	return g, nil
}

// enterEpoch derives the secrets of the epoch that contextRaw describes and erases epochSecret.
func (g *Group) enterEpoch(epochSecret []byte) {
	secrets, encryption := deriveEpoch(g.suite, epochSecret)
	clear(epochSecret)
	g.secrets = secrets
	g.messages = newSecretTree(g.suite, g.tree.size(), encryption)
}

// ID returns the group's id.
func (g *Group) ID() []byte { return bytes.Clone(g.context.groupID) }

// Epoch returns the current epoch.
func (g *Group) Epoch() uint64 { return g.context.epoch }

// CipherSuite returns the group's ciphersuite.
func (g *Group) CipherSuite() CipherSuite { return g.context.cipherSuite }

// OwnLeaf returns our place in the tree.
func (g *Group) OwnLeaf() LeafIndex { return g.own }

// Removed reports whether we have been removed. Such a group refuses everything.
func (g *Group) Removed() bool { return g.removed }

// Leaf returns the leaf at i, or nil. The caller must not change it.
func (g *Group) Leaf(i LeafIndex) *LeafNode { return g.tree.leaf(i) }

// Member is a member of a group.
type Member struct {
	Index LeafIndex
	Leaf  *LeafNode
}

// Members returns the members in the order of their leaves.
func (g *Group) Members() []Member {
	var list []Member
	_ = g.tree.leaves(func(i LeafIndex, l *LeafNode) error {
		list = append(list, Member{i, l})
		return nil
	})
	return list
}

// Extensions returns a copy of the group context extensions.
func (g *Group) Extensions() []Extension { return cloneExtensions(g.context.extensions) }

// TreeHash returns the hash of the ratchet tree, on which all members agree.
func (g *Group) TreeHash() []byte { return bytes.Clone(g.context.treeHash) }

// RatchetTree returns the public tree in the encoding of the ratchet_tree extension, for joiners
// that get it by another way than the Welcome or group info (RFC 9420 §12.4.3.3).
func (g *Group) RatchetTree() []byte {
	var w wire.Writer
	g.tree.marshal(&w)
	return w.B
}

// EpochAuthenticator returns a secret on which exactly the members that have the same view of the
// group agree (RFC 9420 §8.7). Compare it in constant time, and never by a prefix that an attacker
// could have ground.
func (g *Group) EpochAuthenticator() ([]byte, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	return bytes.Clone(g.secrets.authenticator), nil
}

// Export derives n bytes for use outside the group, different for each label and context
// (RFC 9420 §8.5). Every member of the epoch gets the same.
func (g *Group) Export(label string, context []byte, n int) ([]byte, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	if n < 0 || n > 255*g.suite.Nh {
		return nil, fmt.Errorf("%w: %d bytes", ErrExportLength, n)
	}
	return exportSecret(g.suite, g.secrets.exporter, label, context, n), nil
}

// GroupInfoOptions says what a group info contains.
type GroupInfoOptions struct {
	// ExternalPub lets the holder join by an external commit.
	ExternalPub bool
	// RatchetTree includes the tree, which the holder needs from somewhere.
	RatchetTree bool
	Extensions  []Extension
}

// GroupInfo returns a signed description of the current epoch as an MLSMessage
// (RFC 9420 §12.4.3). It reveals the group's members to whom it is given.
func (g *Group) GroupInfo(o GroupInfoOptions) ([]byte, error) {
	if g.removed {
		return nil, ErrRemoved
	}
	info, err := g.groupInfo(o)
	if err != nil {
		return nil, err
	}
	return encodeMessage(formatGroupInfo, info), nil
}

func (g *Group) groupInfo(o GroupInfoOptions) (*groupInfo, error) {
	info := &groupInfo{
		context:         g.context,
		extensions:      cloneExtensions(o.Extensions),
		confirmationTag: g.confirmationTag,
		signer:          g.own,
	}
	if o.ExternalPub {
		pub, err := externalPub(g.suite, g.secrets.external)
		if err != nil {
			return nil, err
		}
		var w wire.Writer
		w.Opaque(pub)
		info.extensions = append(info.extensions, Extension{ExtensionExternalPub, w.B})
	}
	if o.RatchetTree {
		info.extensions = append(info.extensions, Extension{ExtensionRatchetTree, g.RatchetTree()})
	}
	if err := checkExtensionList(info.extensions); err != nil {
		return nil, err
	}
	if err := info.sign(g.suite, g.cfg.Rand, g.signer); err != nil {
		return nil, err
	}
	return info, nil
}
