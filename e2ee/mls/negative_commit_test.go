package mls

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// externalCommitNegatives breaks the rules about external commits (§12.2, §12.4.3.2).
func externalCommitNegatives() []negative {
	external := func(f func(*arena) forgery) func(*arena) func() error {
		return func(w *arena) func() error { return w.victim(w.joiner.forgeExternal(w.alice, f(w))) }
	}
	// with adds proposals that are not applied to the forged tree.
	with := func(more func(*arena) []Proposal) func(*arena) func() error {
		return external(func(w *arena) forgery {
			p := byValue(append([]Proposal{externalInitProposal()}, more(w)...)...)
			return forgery{proposals: p, effective: []resolvedProposal{{Proposal: p[0].proposal}}}
		})
	}
	one := func(p Proposal) func(*arena) []Proposal { return func(*arena) []Proposal { return []Proposal{p} } }
	pskOf := func(n int) Proposal {
		p := UsePSK([]byte("x"))
		p.PSK.Nonce = make([]byte, n)
		return p
	}
	return []negative{
		{"§12.2", "external commit without external init", ErrExternalCommitProposals, external(func(*arena) forgery { return forgery{} })},
		{"§12.2", "external commit with two external inits", ErrExternalCommitProposals, with(one(Proposal{Type: ProposalExternalInit, KEMOutput: []byte("x")}))},
		{"§12.2", "external commit with two removes", ErrExternalCommitProposals, with(func(*arena) []Proposal { return []Proposal{RemoveMember(1), RemoveMember(2)} })},
		{"§12.2", "external commit with an add", ErrExternalCommitProposals, with(func(w *arena) []Proposal { return []Proposal{AddMember(w.kp.public)} })},
		{"§12.2", "external commit with an update", ErrExternalCommitProposals, with(func(w *arena) []Proposal { return []Proposal{w.mallory.forgeUpdate(nil, nil)} })},
		{"§12.2", "external commit with group context extensions", ErrExternalCommitProposals, with(one(SetExtensions(nil)))},
		{"§12.2", "external commit with a reinit", ErrExternalCommitProposals, with(one(Proposal{Type: ProposalReInit, ReInit: &ReInit{Version: MLS10}}))},
		{"§12.2", "external commit with one PSK twice", ErrDuplicatePSK, with(func(*arena) []Proposal { return []Proposal{pskOf(32), pskOf(32)} })},
		{"§12.2", "external commit with more PSKs than allowed", ErrTooManyPSKs, with(func(*arena) []Proposal {
			var list []Proposal
			for i := range MaxPSKs + 1 {
				p := UsePSK([]byte(fmt.Sprint(i)))
				p.PSK.Nonce = make([]byte, 32)
				list = append(list, p)
			}
			return list
		})},
		{"§12.1.4", "external commit with a short PSK nonce", ErrPSKNonce, with(one(pskOf(4)))},
		{"§12.1.3", "external commit removes a blank leaf", ErrRemoveBlank, with(one(RemoveMember(3)))},
		{"§12.4.2", "external commit with a PSK we do not have", ErrUnknownPSK, external(func(w *arena) forgery {
			w.joiner.psks["x"] = []byte("psk")
			return forgery{proposals: byValue(externalInitProposal(), pskOf(32))}
		})},
		{"§12.4.3.2", "external commit refers to a proposal", ErrExternalCommitProposals, external(func(w *arena) forgery {
			w.alice.process(w.mallory.propose(RemoveMember(2)))
			return forgery{proposals: []proposalOrRef{{ref: w.alice.group.Proposals()[0]}}, effective: []resolvedProposal{}}
		})},
		{"§12.4.3.2", "external commit without a path", ErrPathRequired, external(func(*arena) forgery {
			return forgery{proposals: byValue(externalInitProposal()), noPath: true}
		})},
		{"§12.4.3.2", "external commit signed by another key", ErrMessageSignature, external(func(w *arena) forgery {
			return forgery{proposals: byValue(externalInitProposal()), signer: w.mallory.cfg.Signer}
		})},
		{"§12.4.3.2", "external commit with the sender type of a member", ErrMembershipTag, external(func(*arena) forgery {
			return forgery{
				proposals: byValue(externalInitProposal()),
				content:   func(c *authenticatedContent) { c.content.sender = memberSender(1) },
				message:   func(m *publicMessage) { m.membershipTag = []byte{} },
			}
		})},
		{"§12.4.3.2", "proposal with the sender type of a joiner", ErrSender, func(w *arena) func() error {
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderNewMemberCommit}, RemoveMember(1)))
		}},
		{"§12.4.3.2", "external init secret is not the group's", ErrConfirmationTag, external(func(w *arena) forgery {
			kem, _, err := w.alice.group.suite.ExternalInit(must(externalPub(w.alice.group.suite, w.alice.group.secrets.external)))
			if err != nil {
				w.t.Fatal(err)
			}
			return forgery{proposals: byValue(Proposal{Type: ProposalExternalInit, KEMOutput: kem})}
		})},
		{"§12.1.6", "external init cannot be decapsulated", ErrDecrypt, external(func(*arena) forgery {
			return forgery{proposals: byValue(Proposal{Type: ProposalExternalInit, KEMOutput: []byte("short")})}
		})},
		{"§12.2", "resync by another identity", ErrCredentialChanged, external(func(*arena) forgery {
			return forgery{proposals: byValue(externalInitProposal(), RemoveMember(2))}
		})},
		{"§12.2", "resync with the old encryption key", ErrEncryptionKeyUnchanged, external(func(w *arena) forgery {
			old := w.alice.group.Leaf(2)
			return forgery{proposals: byValue(externalInitProposal(), RemoveMember(2)), leaf: func(l *LeafNode) {
				l.Credential, l.EncryptionKey = old.Credential, old.EncryptionKey
			}}
		})},
		{"§12.4.3.2", "external commit where none are accepted", ErrHandshakePolicy, external(func(w *arena) forgery {
			w.alice.cfg.ExternalCommits = ExternalCommitsRefused
			return forgery{proposals: byValue(externalInitProposal())}
		})},
	}
}

// commitNegatives breaks the rules about commits and their paths (§12.4, §7.5).
func commitNegatives() []negative {
	forge := func(f func(*arena) forgery) func(*arena) func() error {
		return func(w *arena) func() error { return w.victim(w.mallory.forge(f(w))) }
	}
	simple := func(f forgery) func(*arena) func() error { return forge(func(*arena) forgery { return f }) }
	update := func(f func(*updatePath)) func(*arena) func() error { return simple(forgery{update: f}) }
	// keys replaces public keys of the path before the parent hashes are taken.
	keys := func(f func(w *arena, leaf *[]byte, steps []pathStep, pubs [][]byte)) func(*arena) func() error {
		return forge(func(w *arena) forgery {
			return forgery{path: func(p *newPath, t *ratchetTree) {
				var pubs [][]byte
				for _, step := range p.steps {
					pubs = append(pubs, t.nodes[step.node].parent.encryptionKey)
				}
				leafKey := p.leaf.EncryptionKey
				f(w, &leafKey, p.steps, pubs)
				hash := t.setPath(p.steps, pubs)
				g := w.mallory.group
				p.leaf = p.leaf.change(g, g.own, g.signer, func(l *LeafNode) { l.ParentHash, l.EncryptionKey = hash, leafKey })
				t.set(treemath.Leaf(uint32(g.own)), node{leaf: p.leaf})
			}}
		})
	}
	reference := func(f func(*arena) []proposalOrRef) func(*arena) func() error {
		return forge(func(w *arena) forgery {
			return forgery{proposals: f(w), effective: []resolvedProposal{}}
		})
	}
	return []negative{
		{"§12.4", "no proposals and no path", ErrPathRequired, simple(forgery{noPath: true})},
		{"§12.4", "remove without a path", ErrPathRequired, forge(func(*arena) forgery {
			return forgery{proposals: byValue(RemoveMember(2)), noPath: true}
		})},
		{"§12.4", "group context extensions without a path", ErrPathRequired, forge(func(*arena) forgery {
			return forgery{proposals: byValue(SetExtensions(nil)), noPath: true}
		})},
		{"§12.4", "update without a path", ErrPathRequired, forge(func(w *arena) forgery {
			p := w.carol.forgeUpdate(nil, nil)
			w.alice.process(w.carol.forgeProposal(p, nil, nil))
			return forgery{
				proposals: []proposalOrRef{{ref: w.alice.group.Proposals()[0]}}, noPath: true,
				effective: []resolvedProposal{{Proposal: &p, sender: memberSender(2)}},
			}
		})},
		{"§12.4", "unknown proposal reference", ErrUnknownProposal, reference(func(*arena) []proposalOrRef { return []proposalOrRef{{ref: "nothing"}} })},
		{"§12.4", "proposal of a past epoch", ErrUnknownProposal, reference(func(w *arena) []proposalOrRef {
			w.alice.process(w.carol.propose(RemoveMember(0)))
			ref := w.alice.group.Proposals()[0]
			message, _ := w.mallory.commit(CommitOptions{IgnoreWaiting: true})
			w.alice.process(message)
			w.carol.process(message)
			return []proposalOrRef{{ref: ref}}
		})},
		{"§12.4", "one proposal referred to twice", ErrDuplicateProposal, reference(func(w *arena) []proposalOrRef {
			w.alice.process(w.carol.propose(RemoveMember(2)))
			ref := w.alice.group.Proposals()[0]
			return []proposalOrRef{{ref: ref}, {ref: ref}}
		})},

		{"§12.4.2", "epoch of the past", ErrWrongEpoch, simple(forgery{content: func(c *authenticatedContent) { c.content.epoch-- }})},
		{"§12.4.2", "epoch of the future", ErrWrongEpoch, simple(forgery{content: func(c *authenticatedContent) { c.content.epoch++ }})},
		{"§12.4.2", "membership tag", ErrMembershipTag, simple(forgery{message: func(m *publicMessage) { m.membershipTag[0] ^= 1 }})},
		{"§12.4.2", "signature", ErrMessageSignature, simple(forgery{signed: func(c *authenticatedContent) { c.auth.signature[0] ^= 1 }})},
		{"§12.4.2", "signature of another member", ErrMessageSignature, forge(func(w *arena) forgery { return forgery{signer: w.carol.cfg.Signer} })},
		{"§12.4.2", "private commit with a wrong signature", ErrMessageSignature, forge(func(w *arena) forgery {
			return forgery{signer: w.carol.cfg.Signer, private: true}
		})},
		{"§12.4.1", "signed under the new group context", ErrMessageSignature, forge(func(w *arena) forgery {
			ctx := w.mallory.group.context
			ctx.epoch++
			ctx.extensions = nil
			return forgery{proposals: byValue(SetExtensions(nil)), signContext: ctx.encode()}
		})},
		{"§12.4.2", "PSK we do not have", ErrUnknownPSK, forge(func(w *arena) forgery {
			w.mallory.psks["x"] = []byte("psk")
			p := UsePSK([]byte("x"))
			p.PSK.Nonce = make([]byte, 32)
			return forgery{proposals: byValue(p)}
		})},
		{"§12.4.2", "resumption PSK of an unknown epoch", ErrUnknownPSK, forge(func(w *arena) forgery {
			p := UseResumptionPSK(w.alice.group.ID(), 77)
			p.PSK.Nonce = make([]byte, 32)
			return forgery{proposals: byValue(p)}
		})},
		{"§12.4.2", "PSK with another value than ours", ErrConfirmationTag, forge(func(w *arena) forgery {
			w.mallory.psks["x"], w.alice.psks["x"] = []byte("one"), []byte("two")
			p := UsePSK([]byte("x"))
			p.PSK.Nonce = make([]byte, 32)
			return forgery{proposals: byValue(p)}
		})},
		{"§12.4.2", "path key occurs twice in the path", ErrDuplicateEncryptionKey, keys(func(_ *arena, _ *[]byte, _ []pathStep, pubs [][]byte) { pubs[1] = pubs[0] })},
		{"§12.4.2", "path key is the path's leaf key", ErrDuplicateEncryptionKey, keys(func(_ *arena, leaf *[]byte, _ []pathStep, pubs [][]byte) { pubs[0] = *leaf })},
		{"§12.4.2", "path key is that of a leaf", ErrDuplicateEncryptionKey, keys(func(w *arena, _ *[]byte, _ []pathStep, pubs [][]byte) { pubs[0] = w.alice.group.Leaf(2).EncryptionKey })},
		{"§12.4.2", "path key is that of a parent", ErrDuplicateEncryptionKey, keys(func(w *arena, _ *[]byte, steps []pathStep, pubs [][]byte) {
			pubs[1] = w.alice.group.tree.nodes[steps[1].node].parent.encryptionKey
		})},
		{"§12.4.2", "path key is malformed", ErrPublicKey, keys(func(_ *arena, _ *[]byte, _ []pathStep, pubs [][]byte) { pubs[0] = []byte("short") })},
		{"§12.4.2", "path key is of low order", ErrPublicKey, keys(func(_ *arena, _ *[]byte, _ []pathStep, pubs [][]byte) { pubs[0] = make([]byte, 32) })},
		{"§12.4.2", "path key does not belong to the path secret", ErrPathSecret, keys(func(w *arena, _ *[]byte, _ []pathStep, pubs [][]byte) {
			_, pubs[1], _ = w.alice.group.suite.GenerateKeyPair(w.mallory.cfg.Rand)
		})},
		{"§7.9.2", "parent hash of the committer's leaf", ErrParentHash, simple(forgery{leaf: func(l *LeafNode) { l.ParentHash = make([]byte, 32) }})},
		{"§7.9.2", "no parent hash in the committer's leaf", ErrParentHash, simple(forgery{leaf: func(l *LeafNode) { l.ParentHash = nil }})},
		{"§7.5", "path with a node too few", ErrPathMismatch, update(func(p *updatePath) { p.nodes = p.nodes[:1] })},
		{"§7.5", "path with a node too many", ErrPathMismatch, update(func(p *updatePath) { p.nodes = append(p.nodes, p.nodes[0]) })},
		{"§7.5", "empty path", ErrPathMismatch, update(func(p *updatePath) { p.nodes = nil })},
		{"§7.5", "path with a secret too few", ErrPathMismatch, update(func(p *updatePath) { p.nodes[0].secrets = nil })},
		{"§7.5", "path with a secret too many", ErrPathMismatch, update(func(p *updatePath) {
			p.nodes[0].secrets = append(slices.Clone(p.nodes[0].secrets), p.nodes[0].secrets[0])
		})},
		{"§7.5", "new member among the recipients of a path secret", ErrPathMismatch, forge(func(w *arena) forgery {
			return forgery{
				proposals: byValue(AddMember(w.kp.public)),
				update: func(p *updatePath) {
					p.nodes[1].secrets = append(slices.Clone(p.nodes[1].secrets), p.nodes[1].secrets[0])
				},
			}
		})},
		{"§12.4.2", "path secret altered", ErrDecrypt, update(func(p *updatePath) {
			for i := range p.nodes {
				for j := range p.nodes[i].secrets {
					p.nodes[i].secrets[j].ciphertext[0] ^= 1
				}
			}
		})},
		{"§12.4.2", "path secret encrypted under the old group context", ErrDecrypt, forge(func(w *arena) forgery {
			return forgery{context: func(c *groupContext) { *c = w.mallory.group.context }}
		})},
		{"§12.4.2", "path secret encrypted under the old tree hash", ErrDecrypt, forge(func(w *arena) forgery {
			return forgery{context: func(c *groupContext) { c.treeHash = w.mallory.group.context.treeHash }}
		})},
		{"§12.4.2", "path secret encrypted under the new transcript", ErrDecrypt, simple(forgery{context: func(c *groupContext) { c.confirmedTranscript = make([]byte, 32) }})},
		{"§12.4.2", "path secret of a wrong length", ErrPathSecret, simple(forgery{path: func(p *newPath, _ *ratchetTree) {
			for i := range p.secrets {
				p.secrets[i] = p.secrets[i][:31]
			}
		}})},
		{"§12.4.2", "path secret of another node", ErrPathSecret, simple(forgery{path: func(p *newPath, _ *ratchetTree) { p.secrets[0] = p.secrets[1] }})},
		{"§12.4.1", "commit secret one derivation short", ErrConfirmationTag, simple(forgery{commitSecret: func(p *newPath) []byte { return p.secrets[len(p.secrets)-1] }})},
		{"§12.4.1", "commit secret left out", ErrConfirmationTag, simple(forgery{commitSecret: func(*newPath) []byte { return make([]byte, 32) }})},
		{"§12.4.2", "confirmation tag", ErrConfirmationTag, simple(forgery{tag: func(b []byte) []byte { b[0] ^= 1; return b }})},
		{"§12.4.2", "confirmation tag cut short", ErrConfirmationTag, simple(forgery{tag: func(b []byte) []byte { return b[:16] }})},
		{"§12.4.2", "no confirmation tag", ErrConfirmationTag, simple(forgery{tag: func([]byte) []byte { return nil }})},
		{"§12.4", "public commit where private ones are demanded", ErrHandshakePolicy, forge(func(w *arena) forgery {
			w.alice.cfg.Handshakes = HandshakesPrivate
			return forgery{}
		})},
		{"§12.4", "private commit where public ones are demanded", ErrHandshakePolicy, forge(func(w *arena) forgery {
			w.alice.cfg.Handshakes = HandshakesPublic
			return forgery{private: true}
		})},
		{"§12.4", "our own public proposal comes back", ErrOwnMessage, func(w *arena) func() error {
			w.alice.cfg.Handshakes = HandshakesPublic
			return w.victim(w.alice.propose(RemoveMember(2)))
		}},
		{"§12.1.8", "external sender sends a commit", ErrSender, func(w *arena) func() error {
			w.allowExternal(w.joiner)
			return w.victim(w.mallory.forge(forgery{
				content: func(c *authenticatedContent) { c.content.sender = Sender{Type: SenderExternal} },
				signer:  w.joiner.cfg.Signer,
			}))
		}},
		{"§12.4", "our own commit comes back", ErrOwnMessage, func(w *arena) func() error {
			p := must(w.alice.group.Commit(CommitOptions{}, testNow))
			p.State()
			message := must(p.Release())
			return w.victim(message)
		}},
	}
}

// welcomeNegatives breaks the rules about joining by a Welcome (§12.4.3, §12.4.3.1).
func welcomeNegatives() []negative {
	flat := func(in introduction) func(*arena) func() error {
		return func(w *arena) func() error { return w.joinFlat(in) }
	}
	deep := func(in introduction) func(*arena) func() error {
		return func(w *arena) func() error { return w.joinDeep(in) }
	}
	return []negative{
		{"§12.4.3.1", "no secrets for us", ErrNotForUs, flat(introduction{welcome: func(m *welcome) { m.secrets[0].newMember = []byte("x") }})},
		{"§12.4.3.1", "ciphersuite is not the key package's", ErrCipherSuiteMismatch, flat(introduction{welcome: func(m *welcome) { m.cipherSuite = X25519ChaCha }})},
		{"§12.4.3.1", "ciphersuite is unknown", ErrUnsupportedCipherSuite, flat(introduction{welcome: func(m *welcome) { m.cipherSuite = 7 }})},
		{"§12.4.3.1", "group secrets altered", ErrDecrypt, flat(introduction{welcome: func(m *welcome) { m.secrets[0].secrets.ciphertext[0] ^= 1 }})},
		{"§12.4.3.1", "group info altered", ErrDecrypt, flat(introduction{welcome: func(m *welcome) { m.encryptedGroupInfo[0] ^= 1 }})},
		{"§12.4.3.1", "PSK we do not have", ErrUnknownPSK, func(w *arena) func() error {
			p := UsePSK([]byte("x")).PSK
			p.Nonce = make([]byte, 32)
			return w.joinFlat(introduction{}, pskInput{p, []byte("key")})
		}},
		{"§12.4.3.1", "PSK with a short nonce", ErrPSKNonce, func(w *arena) func() error {
			return w.joinFlat(introduction{}, pskInput{UsePSK([]byte("x")).PSK, []byte("key")})
		}},
		{"§12.4.3.1", "ciphersuite of the group info", ErrCipherSuiteMismatch, flat(introduction{context: func(c *groupContext) { c.cipherSuite = X25519ChaCha }})},
		{"§12.4.3.1", "version of the group info", ErrVersion, flat(introduction{context: func(c *groupContext) { c.version = 2 }})},
		{"§12.4.3", "group info signature", ErrGroupInfoSignature, flat(introduction{signed: func(g *groupInfo) { g.signature[0] ^= 1 }})},
		{"§12.4.3", "group info signed by another member", ErrGroupInfoSignature, flat(introduction{info: func(g *groupInfo) { g.signer = 1 }})},
		{"§12.4.3", "group info signer is blank", ErrGroupInfoSignature, flat(introduction{info: func(g *groupInfo) { g.signer = 3 }})},
		{"§12.4.3", "group info signer is beyond the tree", ErrGroupInfoSignature, flat(introduction{info: func(g *groupInfo) { g.signer = 1 << 31 }})},
		{"§12.4.3", "already in the group", ErrGroupExists, func(w *arena) func() error {
			w.joiner.cfg.KnownGroup = func(id []byte) bool { return bytes.Equal(id, []byte("test group")) }
			return w.joinFlat(introduction{})
		}},
		{"§13.4", "group info extension twice", ErrDuplicateExtension, flat(introduction{info: func(g *groupInfo) { g.extensions = append(g.extensions, g.extensions[0]) }})},
		{"§13.4", "group extension we do not support", ErrExtensionNotSupported, flat(introduction{context: func(c *groupContext) { c.extensions = []Extension{{Type: 0xF123}} }})},
		{"§11.1", "required capability a member lacks", ErrCapabilityMissing, flat(introduction{context: func(c *groupContext) {
			c.extensions = []Extension{(&RequiredCapabilities{Extensions: []ExtensionType{0xF123}}).Extension()}
		}})},
		{"§12.4.3.1", "confirmation tag", ErrConfirmationTag, flat(introduction{tag: func(b []byte) []byte { b[0] ^= 1; return b }})},
		{"§12.4.3.1", "path secret does not match the tree", ErrPathSecret, deep(introduction{secrets: func(s *groupSecrets) { s.pathSecret = make([]byte, 32) }})},
		{"§12.4.3.1", "path secret for a blank node", ErrPathSecret, flat(introduction{secrets: func(s *groupSecrets) { s.pathSecret = make([]byte, 32) }})},
		{"§12.4.3.1", "path secret of a wrong length", ErrPathSecret, deep(introduction{secrets: func(s *groupSecrets) { s.pathSecret = []byte{} }})},
		{"§12.4.3.1", "joiner secret of another epoch", ErrDecrypt, func(w *arena) func() error {
			g := w.flat()
			a, b := must(parseMessage(introduction{}.forWelcome(g, w.kp))).welcome, must(parseMessage(introduction{
				secrets: func(s *groupSecrets) { s.joinerSecret = bytes.Repeat([]byte{8}, 32) },
			}.forWelcome(g, w.kp))).welcome
			a.encryptedGroupInfo = b.encryptedGroupInfo
			message := encodeMessage(formatWelcome, a)
			return func() error { _, err := Join(w.joiner.cfg, message, w.kp, JoinOptions{}, testNow); return err }
		}},
		{"§12.4.3.1", "not a Welcome", ErrWireFormat, func(w *arena) func() error {
			return func() error {
				_, err := Join(w.joiner.cfg, w.kp.Public(), w.kp, JoinOptions{}, testNow)
				return err
			}
		}},
	}
}

// externalJoinNegatives breaks the rules about the group info of an external join (§12.4.3.2).
func externalJoinNegatives() []negative {
	external := func(in introduction) func(*arena) func() error {
		return func(w *arena) func() error { return w.joinExternal(in) }
	}
	pub := func(data []byte) func(*groupInfo) {
		return func(g *groupInfo) {
			i := slices.IndexFunc(g.extensions, func(e Extension) bool { return e.Type == ExtensionExternalPub })
			g.extensions[i].Data = data
		}
	}
	return []negative{
		{"§12.4.3.2", "no external_pub", ErrNoExternalPub, external(introduction{info: func(g *groupInfo) { g.extensions = g.extensions[:1] }})},
		{"§12.4.3.2", "external_pub malformed", ErrTruncated, external(introduction{info: pub([]byte{9})})},
		{"§12.4.3.2", "external_pub unusable", ErrPublicKey, external(introduction{info: pub(append([]byte{32}, make([]byte, 32)...))})},
		{"§12.4.3.2", "group info signature", ErrGroupInfoSignature, external(introduction{signed: func(g *groupInfo) { g.signature[0] ^= 1 }})},
		{"§12.4.3.2", "tree hash", ErrTreeHash, external(introduction{context: func(c *groupContext) { c.treeHash = make([]byte, 32) }})},
		{"§12.4.3.2", "no tree", ErrNoRatchetTree, external(introduction{noTree: true})},
		{"§12.4.3.2", "unsupported ciphersuite", ErrUnsupportedCipherSuite, external(introduction{context: func(c *groupContext) { c.cipherSuite = 7 }})},
		{"§12.4.3.2", "PSK we do not have", ErrUnknownPSK, func(w *arena) func() error {
			info := introduction{}.forExternal(w.mallory.group)
			return func() error {
				_, err := JoinExternal(w.joiner.cfg, info, ExternalJoinOptions{Leaf: w.joiner.leafOptions(), PSKs: [][]byte{[]byte("x")}}, testNow)
				return err
			}
		}},
		{"§12.4.3.2", "resync of a blank leaf", ErrRemoveBlank, func(w *arena) func() error {
			info := introduction{}.forExternal(w.mallory.group)
			at := LeafIndex(3)
			return func() error {
				_, err := JoinExternal(w.joiner.cfg, info, ExternalJoinOptions{Leaf: w.joiner.leafOptions(), Resync: &at}, testNow)
				return err
			}
		}},
		{"§12.4.3.2", "our own leaf does not support the group's extensions", ErrExtensionNotSupported, func(w *arena) func() error {
			message, _ := w.carol.commit(CommitOptions{Proposals: []Proposal{SetExtensions([]Extension{{Type: extTest}})}})
			w.alice.process(message)
			w.mallory.process(message)
			info := introduction{}.forExternal(w.mallory.group)
			return func() error {
				_, err := JoinExternal(w.joiner.cfg, info, ExternalJoinOptions{Leaf: LeafOptions{Credential: BasicCredential([]byte("x"))}}, testNow)
				return err
			}
		}},
		{"§12.4.3.2", "we are a member already", ErrDuplicateSignatureKey, func(w *arena) func() error {
			info := introduction{}.forExternal(w.mallory.group)
			return func() error {
				_, err := JoinExternal(w.carol.cfg, info, ExternalJoinOptions{Leaf: w.carol.leafOptions()}, testNow)
				return err
			}
		}},
	}
}
