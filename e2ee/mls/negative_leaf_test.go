package mls

import (
	"bytes"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// leafRule is a way to break §7.3 in a single leaf.
type leafRule struct {
	name   string
	want   error
	leaf   func(*arena, *LeafNode) // before signing
	signed func(*LeafNode)         // after signing
	// only limits the rule to places where it makes sense.
	only []string
}

const (
	inAdd      = "Add in a commit"
	inProposal = "Add proposal"
	inUpdate   = "Update"
	inPath     = "commit path"
	inExternal = "external commit path"
	inTree     = "joined tree"
)

var leafPlaces = []string{inAdd, inProposal, inUpdate, inPath, inExternal, inTree}

func leafRules() []leafRule {
	return []leafRule{
		{name: "signature", want: ErrLeafSignature, signed: func(l *LeafNode) {
			l.Signature = append([]byte{l.Signature[0] ^ 1}, l.Signature[1:]...)
		}},
		{name: "signed content altered", want: ErrLeafSignature, signed: func(l *LeafNode) {
			l.Credential = BasicCredential([]byte("somebody else"))
		}},
		{name: "credential refused by the application", want: ErrLeafRejected, leaf: func(w *arena, l *LeafNode) {
			refuse := func(LeafEvent) error { return errIdentityChanged }
			w.alice.cfg.CheckLeaf, w.joiner.cfg.CheckLeaf = refuse, refuse
		}},
		{name: "credential of another member", want: ErrCredentialChanged, leaf: func(w *arena, l *LeafNode) {
			l.Credential = w.alice.group.Leaf(0).Credential
		}, only: []string{inUpdate, inPath}},
		{name: "credential type unsupported by members", want: ErrCredentialNotSupported, leaf: func(w *arena, l *LeafNode) {
			l.Credential = Credential{Type: CredentialX509, Certificates: [][]byte{[]byte("certificate")}}
			l.Capabilities.Credentials = []CredentialType{CredentialBasic, CredentialX509}
			w.alice.cfg.AllowCredentialChange = true
		}},
		{name: "credential type in use unsupported by the leaf", want: ErrCredentialNotSupported, leaf: func(_ *arena, l *LeafNode) {
			l.Capabilities.Credentials = nil
		}},
		{name: "extension not in capabilities", want: ErrExtensionNotSupported, leaf: func(_ *arena, l *LeafNode) {
			l.Extensions = []Extension{{Type: 0xF123}}
		}},
		{name: "extension twice", want: ErrDuplicateExtension, leaf: func(_ *arena, l *LeafNode) {
			l.Extensions = []Extension{{Type: extTest}, {Type: extTest}}
		}},
		{name: "signature key of another member", want: ErrDuplicateSignatureKey, leaf: func(w *arena, l *LeafNode) {
			// possible only for whoever holds both: Mallory in two places
			l.SignatureKey = w.alice.group.Leaf(1).SignatureKey
		}, only: []string{inUpdate}},
		{name: "encryption key of another member", want: ErrDuplicateEncryptionKey, leaf: func(w *arena, l *LeafNode) {
			l.EncryptionKey = w.alice.group.Leaf(0).EncryptionKey
		}, only: []string{inAdd, inUpdate, inPath, inExternal}},
		{name: "encryption key of a parent node", want: ErrDuplicateEncryptionKey, leaf: func(w *arena, l *LeafNode) {
			l.EncryptionKey = w.alice.group.tree.nodes[w.alice.group.tree.root()].parent.encryptionKey
		}, only: []string{inAdd, inPath, inExternal}},
		{name: "encryption key unchanged", want: ErrEncryptionKeyUnchanged, leaf: func(w *arena, l *LeafNode) {
			l.EncryptionKey = w.alice.group.Leaf(1).EncryptionKey
		}, only: []string{inUpdate, inPath}},
		{name: "encryption key malformed", want: ErrPublicKey, leaf: func(_ *arena, l *LeafNode) {
			l.EncryptionKey = l.EncryptionKey[:31]
		}},
		{name: "encryption key of low order", want: ErrPublicKey, leaf: func(_ *arena, l *LeafNode) {
			l.EncryptionKey = make([]byte, 32)
		}},
		{name: "lifetime is over", want: ErrLifetime, leaf: func(_ *arena, l *LeafNode) {
			l.Lifetime.NotAfter = uint64(testNow.Unix() - 1)
		}, only: []string{inAdd, inProposal, inTree}},
		{name: "lifetime has not begun", want: ErrLifetime, leaf: func(_ *arena, l *LeafNode) {
			l.Lifetime.NotBefore = uint64(testNow.Unix() + 1)
		}, only: []string{inAdd, inProposal, inTree}},
		{name: "source key_package", want: ErrLeafSource, leaf: func(_ *arena, l *LeafNode) {
			l.Source = LeafFromKeyPackage
		}, only: []string{inUpdate, inPath, inExternal}},
		{name: "source update", want: ErrLeafSource, leaf: func(_ *arena, l *LeafNode) {
			l.Source = LeafFromUpdate
		}, only: []string{inAdd, inProposal, inPath, inExternal}},
		{name: "source commit", want: ErrLeafSource, leaf: func(_ *arena, l *LeafNode) {
			l.Source = LeafFromCommit
		}, only: []string{inAdd, inProposal, inUpdate}},
	}
}

// leafNegatives breaks each rule of §7.3 in each place a leaf can come from.
func leafNegatives() []negative {
	var list []negative
	for _, rule := range leafRules() {
		for _, place := range leafPlaces {
			if rule.only != nil && !slices.Contains(rule.only, place) {
				continue
			}
			if place == inProposal && slices.Contains([]error{ErrCredentialNotSupported, ErrDuplicateSignatureKey}, rule.want) {
				continue // a matter of the commit
			}
			list = append(list, negative{"§7.3", rule.name + ": " + place, rule.want, rule.in(place)})
		}
	}
	return append(list, capabilityNegatives()...)
}

// in returns the attack with a leaf that breaks the rule in a place.
func (rule leafRule) in(place string) func(*arena) func() error {
	return func(w *arena) func() error {
		change := func(l *LeafNode) {
			if rule.leaf != nil {
				rule.leaf(w, l)
			}
		}
		switch place {
		case inAdd:
			add := AddMember(w.joiner.forgeKeyPackage(change, rule.signed, nil, nil))
			return w.victim(w.mallory.forge(forgery{proposals: byValue(add), noPath: true}))
		case inProposal:
			add := AddMember(w.joiner.forgeKeyPackage(change, rule.signed, nil, nil))
			return w.victim(w.mallory.forgeProposal(add, nil, nil))
		case inUpdate:
			return w.update(rule.want, change, rule.signed)
		case inPath:
			return w.victim(w.mallory.forge(forgery{leaf: change, signedLeaf: rule.signed}))
		case inExternal:
			return w.victim(w.joiner.forgeExternal(w.alice, forgery{
				proposals: byValue(externalInitProposal()), leaf: change, signedLeaf: rule.signed,
			}))
		default:
			g := w.flat()
			return w.join(g, introduction{tree: func(t *ratchetTree) {
				l := t.leaf(1).change(g, 1, w.guest.cfg.Signer, change)
				if rule.signed != nil {
					rule.signed(l)
					l.reencode()
				}
				t.set(treemath.Leaf(1), node{leaf: l})
			}})
		}
	}
}

// update lets Alice receive Mallory's bad Update. What is bad only beside other leaves shows when
// Carol commits it.
func (w *arena) update(want error, change, signed func(*LeafNode)) func() error {
	late := slices.Contains([]error{ErrCredentialNotSupported, ErrDuplicateSignatureKey, ErrDuplicateEncryptionKey}, want)
	updater := w.mallory
	if want == ErrDuplicateSignatureKey {
		updater = w.carol // takes Mallory's key, which the two share
		w.carol.group.signer = w.mallory.cfg.Signer
	}
	p := updater.forgeUpdate(change, signed)
	w.carol.group.signer = w.carol.cfg.Signer
	message := updater.forgeProposal(p, nil, nil)
	if !late {
		return w.victim(message)
	}
	committer := w.carol
	if updater == w.carol {
		committer = w.mallory
	}
	w.alice.process(message)
	ref := w.alice.group.Proposals()[0]
	return w.victim(committer.forge(forgery{
		proposals: []proposalOrRef{{ref: ref}},
		effective: []resolvedProposal{{Proposal: &p, sender: memberSender(updater.group.own)}},
	}))
}

// capabilityNegatives breaks the rules about what a group requires (§7.3, §11.1, §13.4).
func capabilityNegatives() []negative {
	require := func(w *arena, list ...Extension) {
		message, _ := w.carol.commit(CommitOptions{Proposals: []Proposal{SetExtensions(list)}})
		w.alice.process(message)
		w.mallory.process(message)
	}
	required := (&RequiredCapabilities{
		Extensions: []ExtensionType{extTest}, Credentials: []CredentialType{CredentialBasic},
	}).Extension()
	without := func(l *LeafNode) { l.Capabilities.Extensions = nil }
	var list []negative
	for place, attack := range map[string]func(w *arena) func() error{
		inAdd: func(w *arena) func() error {
			return w.victim(w.mallory.forge(forgery{proposals: byValue(AddMember(w.joiner.forgeKeyPackage(without, nil, nil, nil)))}))
		},
		inUpdate: func(w *arena) func() error { return w.update(ErrCredentialNotSupported, without, nil) },
		inPath:   func(w *arena) func() error { return w.victim(w.mallory.forge(forgery{leaf: without})) },
		inExternal: func(w *arena) func() error {
			return w.victim(w.joiner.forgeExternal(w.alice, forgery{proposals: byValue(externalInitProposal()), leaf: without}))
		},
	} {
		list = append(list, negative{"§7.3", "required capability missing: " + place, ErrCapabilityMissing, func(w *arena) func() error {
			require(w, required)
			return attack(w)
		}}, negative{"§13.4", "group extension unsupported: " + place, ErrExtensionNotSupported, func(w *arena) func() error {
			require(w, Extension{Type: extTest})
			return attack(w)
		}})
	}
	slices.SortFunc(list, func(a, b negative) int { return bytes.Compare([]byte(a.section+a.name), []byte(b.section+b.name)) })
	return list
}

// treeNegatives breaks the rules about the tree as a whole (§7.8, §7.9, §12.4.3.1, §12.4.3.3).
func treeNegatives() []negative {
	deep := func(f func(*arena, *ratchetTree)) func(*arena) func() error {
		return func(w *arena) func() error {
			return w.joinDeep(introduction{tree: func(t *ratchetTree) { f(w, t) }})
		}
	}
	raw := func(f func([]byte) []byte) func(*arena) func() error {
		return func(w *arena) func() error { return w.joinFlat(introduction{rawTree: f}) }
	}
	change := func(t *ratchetTree, x nodeIndex, f func(*parentNode)) {
		p := &parentNode{
			encryptionKey: t.nodes[x].parent.encryptionKey, parentHash: t.nodes[x].parent.parentHash,
			unmerged: slices.Clone(t.nodes[x].parent.unmerged),
		}
		f(p)
		t.set(x, node{parent: p})
	}
	return []negative{
		{"§12.4.3.1", "tree hash differs from the group info's", ErrTreeHash, func(w *arena) func() error {
			return w.joinDeep(introduction{context: func(c *groupContext) { c.treeHash = make([]byte, 32) }})
		}},
		{"§7.9.2", "parent hash of a parent altered", ErrParentHash, deep(func(_ *arena, t *ratchetTree) {
			change(t, t.root(), func(p *parentNode) { p.parentHash = []byte("wrong") })
		})},
		{"§7.9.2", "key of a parent replaced", ErrParentHash, deep(func(w *arena, t *ratchetTree) {
			change(t, t.root(), func(p *parentNode) { p.encryptionKey = w.alice.group.Leaf(0).EncryptionKey })
		})},
		{"§7.9.2", "parent in nobody's path", ErrParentHash, func(w *arena) func() error {
			return w.joinFlat(introduction{tree: func(t *ratchetTree) {
				t.set(1, node{parent: &parentNode{encryptionKey: w.alice.group.Leaf(0).EncryptionKey}})
			}})
		}},
		{"§7.9.2", "sibling of the path replaced", ErrParentHash, deep(func(w *arena, t *ratchetTree) {
			t.set(0, node{leaf: t.leaf(0).change(w.host.group, 0, w.host.cfg.Signer, func(l *LeafNode) {
				l.EncryptionKey = w.alice.group.Leaf(0).EncryptionKey
			})})
		})},
		{"§12.4.3.1", "unmerged leaf is blank", ErrUnmergedLeaves, deep(func(_ *arena, t *ratchetTree) {
			t.set(treemath.Leaf(6), node{})
			change(t, t.root(), func(p *parentNode) { p.unmerged = []LeafIndex{6, 7} })
		})},
		{"§12.4.3.1", "unmerged leaf is beyond the tree", ErrUnmergedLeaves, deep(func(_ *arena, t *ratchetTree) {
			change(t, t.root(), func(p *parentNode) { p.unmerged = []LeafIndex{7, 1 << 30} })
		})},
		{"§12.4.3.1", "unmerged leaf is no descendant", ErrUnmergedLeaves, deep(func(_ *arena, t *ratchetTree) {
			change(t, 11, func(p *parentNode) { p.unmerged = []LeafIndex{0, 7} })
		})},
		{"§12.4.3.1", "unmerged leaf is merged in between", ErrUnmergedLeaves, deep(func(_ *arena, t *ratchetTree) {
			change(t, 11, func(p *parentNode) { p.unmerged = nil })
		})},
		{"§7.1", "unmerged leaves out of order", ErrUnmergedLeaves, deep(func(_ *arena, t *ratchetTree) {
			change(t, t.root(), func(p *parentNode) { p.unmerged = []LeafIndex{7, 6} })
		})},
		{"§12.4.3.1", "two leaves with one encryption key", ErrDuplicateEncryptionKey, func(w *arena) func() error {
			g := w.flat()
			return w.join(g, introduction{tree: func(t *ratchetTree) {
				t.set(treemath.Leaf(1), node{leaf: t.leaf(1).change(g, 1, w.guest.cfg.Signer, func(l *LeafNode) {
					l.EncryptionKey = t.leaf(0).EncryptionKey
				})})
			}})
		}},
		{"§12.4.3.1", "two leaves with one signature key", ErrDuplicateSignatureKey, func(w *arena) func() error {
			g := w.flat()
			return w.join(g, introduction{tree: func(t *ratchetTree) {
				t.set(treemath.Leaf(1), node{leaf: t.leaf(1).change(g, 1, w.host.cfg.Signer, func(l *LeafNode) {
					l.SignatureKey = t.leaf(0).SignatureKey
				})})
			}})
		}},
		{"§12.4.3.1", "parent with a key of low order", ErrPublicKey, func(w *arena) func() error {
			g := w.flat()
			return w.join(g, introduction{tree: func(t *ratchetTree) {
				p := must(t.createPath(w.host.cfg.Rand, 0, t.leaf(0), w.host.cfg.Signer, g.context.groupID))
				hash := t.setPath(p.steps, [][]byte{make([]byte, 32), t.nodes[p.steps[1].node].parent.encryptionKey})
				t.set(treemath.Leaf(0), node{leaf: p.leaf.change(g, 0, w.host.cfg.Signer, func(l *LeafNode) { l.ParentHash = hash })})
			}})
		}},
		{"§12.4.3.1", "our leaf is not in the tree", ErrLeafNotFound, func(w *arena) func() error {
			return w.joinFlat(introduction{tree: func(t *ratchetTree) { t.set(treemath.Leaf(2), node{}); t.truncate() }})
		}},
		{"§12.4.3.1", "our leaf was replaced", ErrLeafNotFound, func(w *arena) func() error {
			g := w.flat()
			return w.join(g, introduction{tree: func(t *ratchetTree) {
				t.set(treemath.Leaf(2), node{leaf: t.leaf(2).change(g, 2, w.joiner.cfg.Signer, func(l *LeafNode) { l.Lifetime.NotAfter++ })})
			}})
		}},
		{"§12.4.3.3", "last node is blank", ErrTreeMalformed, func(w *arena) func() error {
			return w.joinFlat(introduction{rawTree: func([]byte) []byte { return []byte{1, 0} }})
		}},
		{"§12.4.3.3", "no node at all", ErrTreeMalformed, raw(func([]byte) []byte { return []byte{0} })},
		{"§12.4.3.3", "leaf at the place of a parent", ErrTreeMalformed, raw(func([]byte) []byte { return []byte{4, 0, 1, 1, 0} })},
		{"§12.4.3.3", "parent at the place of a leaf", ErrTreeMalformed, raw(func([]byte) []byte { return []byte{2, 1, 2} })},
		{"§12.4.3.3", "bytes after the tree", ErrTrailing, raw(func(b []byte) []byte { return append(b, 0) })},
		{"§12.4.3.3", "tree cut short", ErrTruncated, raw(func(b []byte) []byte { return b[:len(b)-1] })},
		{"§12.4.3.3", "no tree", ErrNoRatchetTree, func(w *arena) func() error { return w.joinFlat(introduction{noTree: true}) }},
	}
}
