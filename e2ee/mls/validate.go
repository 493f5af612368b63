package mls

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
)

// leafCheck is the context of RFC 9420 §7.3 for one leaf.
type leafCheck struct {
	suite   *suite.Suite
	cfg     *Config
	event   LeafEvent
	expired bool // a leaf outside its lifetime is accepted
}

// run does the checks of §7.3 that concern the leaf alone and asks the application last, when
// everything it might rely on has been verified. The checks against other members are
// checkCompatible and checkUnique.
func (c *leafCheck) run() error {
	l := c.event.Leaf
	if err := checkSource(c.event.Reason, l.Source); err != nil {
		return err
	}
	if err := checkExtensionList(l.Extensions); err != nil {
		return fmt.Errorf("leaf: %w", err)
	}
	for _, e := range l.Extensions {
		if !l.supportsExtension(e.Type) {
			return fmt.Errorf("%w: leaf extension %#04x is not in its capabilities", ErrExtensionNotSupported, uint16(e.Type))
		}
	}
	if l.Source == LeafFromKeyPackage && !c.expired && !l.Lifetime.Contains(c.event.Now) {
		return fmt.Errorf("%w: [%d, %d]", ErrLifetime, l.Lifetime.NotBefore, l.Lifetime.NotAfter)
	}
	if err := c.suite.CheckPublicKey(l.EncryptionKey); err != nil {
		return fmt.Errorf("%w: leaf: %w", ErrPublicKey, err)
	}
	p := c.event.Previous
	if p != nil && bytes.Equal(p.EncryptionKey, l.EncryptionKey) {
		return ErrEncryptionKeyUnchanged
	}
	if err := l.verify(c.suite, c.event.GroupID, c.event.Index); err != nil {
		return err
	}
	if p != nil && !c.cfg.AllowCredentialChange && !p.Credential.Equal(&l.Credential) {
		return ErrCredentialChanged
	}
	if err := c.cfg.CheckLeaf(c.event); err != nil {
		return fmt.Errorf("%w: %w", ErrLeafRejected, err)
	}
	return nil
}

func checkSource(reason LeafReason, source LeafSource) error {
	want := LeafFromKeyPackage
	switch reason {
	case LeafUpdated:
		want = LeafFromUpdate
	case LeafCommitted, LeafJoinedExternally:
		want = LeafFromCommit
	case LeafInJoinedTree:
		return nil // members of any history
	}
	if source != want {
		return fmt.Errorf("%w: %d, want %d", ErrLeafSource, source, want)
	}
	return nil
}

// checkKeyPackage does §10.1 and, for its leaf, §7.3.
func checkKeyPackage(s *suite.Suite, cfg *Config, k *KeyPackage, reason LeafReason, groupID []byte, now time.Time) error {
	if err := k.verify(s); err != nil {
		return err
	}
	c := leafCheck{suite: s, cfg: cfg, event: LeafEvent{Reason: reason, GroupID: groupID, Leaf: k.Leaf, Now: now}}
	return c.run()
}

// checkGroupExtensions refuses group context extensions that cannot work.
func checkGroupExtensions(s *suite.Suite, list []Extension) error {
	if err := checkExtensionList(list); err != nil {
		return err
	}
	for _, e := range list {
		switch e.Type {
		case ExtensionRatchetTree, ExtensionExternalPub, ExtensionApplicationID:
			return fmt.Errorf("%w: type %#04x in a group context", ErrExtensionPlacement, uint16(e.Type))
		case ExtensionRequiredCapabilities:
			if _, err := parseRequiredCapabilities(e.Data); err != nil {
				return err
			}
		case ExtensionExternalSenders:
			senders, err := parseExternalSenders(e.Data)
			if err != nil {
				return err
			}
			for i := range senders {
				if err := s.CheckSignatureKey(senders[i].SignatureKey); err != nil {
					return fmt.Errorf("%w: external sender %d: %w", ErrPublicKey, i, err)
				}
			}
		}
	}
	return nil
}

// checkCompatible checks that every member of t supports what the group and the other members
// use (§7.3, §11.1, §12.1.7, §13.4).
func checkCompatible(t *ratchetTree, extensions []Extension) error {
	required := new(RequiredCapabilities)
	if data, ok := FindExtension(extensions, ExtensionRequiredCapabilities); ok {
		var err error
		if required, err = parseRequiredCapabilities(data); err != nil {
			return err
		}
	}
	var inUse []CredentialType
	_ = t.leaves(func(_ LeafIndex, l *LeafNode) error {
		if !slices.Contains(inUse, l.Credential.Type) {
			inUse = append(inUse, l.Credential.Type)
		}
		return nil
	})
	return t.leaves(func(i LeafIndex, l *LeafNode) error {
		if err := required.missingIn(&l.Capabilities); err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		for _, e := range extensions {
			if !l.supportsExtension(e.Type) {
				return fmt.Errorf("%w: leaf %d lacks group extension %#04x", ErrExtensionNotSupported, i, uint16(e.Type))
			}
		}
		for _, c := range inUse {
			if !l.supportsCredential(c) {
				return fmt.Errorf("%w: leaf %d lacks type %d", ErrCredentialNotSupported, i, c)
			}
		}
		return nil
	})
}

// checkUnique checks that the keys of the leaves changed occur nowhere else in t (§7.3).
func checkUnique(t *ratchetTree, changed []LeafIndex) error {
	signature := make(map[string]LeafIndex, len(changed))
	encryption := make(map[string]nodeIndex, len(changed))
	for _, i := range changed {
		l := t.leaf(i)
		if l == nil {
			continue
		}
		if _, twice := signature[string(l.SignatureKey)]; twice {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateSignatureKey, i)
		}
		if _, twice := encryption[string(l.EncryptionKey)]; twice {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateEncryptionKey, i)
		}
		signature[string(l.SignatureKey)] = i
		encryption[string(l.EncryptionKey)] = nodeIndex(2 * i)
	}
	for x, n := range t.nodes {
		if l := n.leaf; l != nil {
			if i, used := signature[string(l.SignatureKey)]; used && nodeIndex(2*i) != nodeIndex(x) {
				return fmt.Errorf("%w: leaves %d and %d", ErrDuplicateSignatureKey, i, x/2)
			}
		}
		if k := n.encryptionKey(); k != nil {
			if y, used := encryption[string(k)]; used && y != nodeIndex(x) {
				return fmt.Errorf("%w: nodes %d and %d", ErrDuplicateEncryptionKey, y, x)
			}
		}
	}
	return nil
}

// checkJoinedTree validates the whole tree of a group that we join (§12.4.3.1). Its hash has been
// compared with the signed one already.
func checkJoinedTree(t *ratchetTree, cfg *Config, ctx *groupContext, now time.Time) error {
	if err := t.verifyUnmerged(); err != nil {
		return err
	}
	if err := t.verifyParentHashes(); err != nil {
		return err
	}
	if err := checkCompatible(t, ctx.extensions); err != nil {
		return err
	}
	keys := make(map[string]struct{}, len(t.nodes))
	signatures := make(map[string]struct{}, t.size())
	for x, n := range t.nodes {
		if n.blank() {
			continue
		}
		if _, twice := keys[string(n.encryptionKey())]; twice {
			return fmt.Errorf("%w: node %d", ErrDuplicateEncryptionKey, x)
		}
		keys[string(n.encryptionKey())] = struct{}{}
		if n.parent != nil {
			if err := t.suite.CheckPublicKey(n.parent.encryptionKey); err != nil {
				return fmt.Errorf("%w: node %d: %w", ErrPublicKey, x, err)
			}
			continue
		}
		if _, twice := signatures[string(n.leaf.SignatureKey)]; twice {
			return fmt.Errorf("%w: leaf %d", ErrDuplicateSignatureKey, x/2)
		}
		signatures[string(n.leaf.SignatureKey)] = struct{}{}
	}
	return t.leaves(func(i LeafIndex, l *LeafNode) error {
		c := leafCheck{suite: t.suite, cfg: cfg, expired: cfg.TolerateExpiredLeaves, event: LeafEvent{
			Reason: LeafInJoinedTree, GroupID: ctx.groupID, Index: i, Leaf: l, Now: now,
		}}
		if err := c.run(); err != nil {
			return fmt.Errorf("leaf %d: %w", i, err)
		}
		return nil
	})
}
