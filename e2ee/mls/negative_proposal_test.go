package mls

import (
	"crypto/rand"
	"fmt"
)

// contextNegatives breaks the rules about the group context (§8.1) and the frame around it (§6).
func contextNegatives() []negative {
	next := func(f func(*groupContext)) func(*arena) func() error {
		return func(w *arena) func() error {
			w.mallory.psks["x"], w.alice.psks["x"] = []byte("psk"), []byte("psk")
			psk := UsePSK([]byte("x"))
			psk.PSK.Nonce = make([]byte, 32)
			return w.victim(w.mallory.forge(forgery{proposals: byValue(psk), noPath: true, next: f}))
		}
	}
	content := func(f func(*framedContent)) func(*arena) func() error {
		return func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(RemoveMember(2), func(c *authenticatedContent) { f(&c.content) }, nil))
		}
	}
	private := func(f func(*privateMessage)) func(*arena) func() error {
		return func(w *arena) func() error {
			m := must(parseMessage(w.mallory.seal("hello"))).private
			f(m)
			return w.victim(encodeMessage(formatPrivate, m))
		}
	}
	return []negative{
		{"§8.1", "epoch does not increase by one", ErrConfirmationTag, next(func(c *groupContext) { c.epoch++ })},
		{"§8.1", "epoch stays", ErrConfirmationTag, next(func(c *groupContext) { c.epoch-- })},
		{"§8.1", "group id changes", ErrConfirmationTag, next(func(c *groupContext) { c.groupID = []byte("other") })},
		{"§8.1", "ciphersuite changes", ErrConfirmationTag, next(func(c *groupContext) { c.cipherSuite = X25519ChaCha })},
		{"§8.1", "version changes", ErrConfirmationTag, next(func(c *groupContext) { c.version = 2 })},
		{"§8.1", "tree hash is not that of the tree", ErrConfirmationTag, next(func(c *groupContext) { c.treeHash = make([]byte, 32) })},
		{"§8.1", "transcript does not include the commit", ErrConfirmationTag, next(func(c *groupContext) { c.confirmedTranscript = nil })},
		{"§8.1", "extensions change without a proposal", ErrConfirmationTag, next(func(c *groupContext) { c.extensions = []Extension{{Type: extTest}} })},

		{"§8.1", "public message of another group", ErrGroupID, content(func(c *framedContent) { c.groupID = []byte("other") })},
		{"§8.1", "private message of another group", ErrGroupID, private(func(m *privateMessage) { m.groupID = []byte("other") })},
		{"§12.1", "epoch of the past", ErrWrongEpoch, content(func(c *framedContent) { c.epoch-- })},
		{"§12.1", "epoch of the future", ErrWrongEpoch, content(func(c *framedContent) { c.epoch++ })},
		{"§6.3", "private message of a future epoch", ErrWrongEpoch, private(func(m *privateMessage) { m.epoch++ })},
		{"§6.3", "private message of an expired epoch", ErrEpochExpired, private(func(m *privateMessage) { m.epoch-- })},
		{"§6.3.1", "authenticated data altered", ErrDecrypt, private(func(m *privateMessage) { m.authenticatedData = []byte("x") })},
		{"§6.3.1", "ciphertext altered", ErrDecrypt, private(func(m *privateMessage) { m.ciphertext[len(m.ciphertext)-1] ^= 1 })},
		{"§6.3.1", "content type altered", ErrDecrypt, private(func(m *privateMessage) { m.contentType = ContentProposal })},
		{"§6.3.2", "sender data altered", ErrDecrypt, private(func(m *privateMessage) { m.encryptedSenderData[0] ^= 1 })},
		{"§6.3.1", "padding is not zero", ErrPadding, func(w *arena) func() error { return w.victim(w.paddedWith(1)) }},
		{"§6.1", "private message signed by another member", ErrMessageSignature, func(w *arena) func() error {
			w.mallory.group.signer = w.carol.cfg.Signer
			return w.victim(w.mallory.seal("I am mallory, says carol"))
		}},
		{"§6.3.2", "private message from a blank leaf", ErrSender, func(w *arena) func() error {
			w.mallory.group.own = 3
			return w.victim(w.mallory.seal("from nowhere"))
		}},
		{"§6.3.2", "private message from beyond the tree", ErrSender, func(w *arena) func() error {
			g := w.mallory.group
			c := g.newContent(ContentApplication, nil)
			c.content.sender.Leaf = 77
			if err := g.signContent(c); err != nil {
				w.t.Fatal(err)
			}
			m := must(protectPrivate(g.suite, rand.Reader, c, privateSender{
				senderDataSecret: g.secrets.senderData, key: make([]byte, g.suite.Nk), nonce: make([]byte, g.suite.Nn),
			}))
			return w.victim(encodeMessage(formatPrivate, m))
		}},
		{"§6.2", "application data in a public message", ErrApplicationInPublic, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(Proposal{}, func(c *authenticatedContent) {
				c.content.contentType, c.content.application = ContentApplication, []byte("in the clear")
			}, nil))
		}},
	}
}

// paddedWith makes a message of Mallory whose padding holds a byte.
func (w *arena) paddedWith(pad byte) []byte {
	g := w.mallory.group
	c := g.newContent(ContentApplication, nil)
	c.content.application = []byte("x")
	if err := g.signContent(c); err != nil {
		w.t.Fatal(err)
	}
	o := must(g.messages.nextOwn(g.own, ratchetApplication))
	// The byte hides at the end of what the encoder takes for the signature's frame.
	m := must(protectPrivate(g.suite, rand.Reader, c, privateSender{
		senderDataSecret: g.secrets.senderData, generation: o.gen, key: o.key.key, nonce: o.key.nonce, padTo: 512,
	}))
	d := must(m.openSenderData(g.suite, g.secrets.senderData))
	plain := must(g.suite.Open(o.key.key, applyGuard(o.key.nonce, d.guard), m.ciphertext, m.contentAAD()))
	plain[len(plain)-1] = pad
	m.ciphertext = must(g.suite.Seal(o.key.key, applyGuard(o.key.nonce, d.guard), plain, m.contentAAD()))
	key, nonce := senderDataKey(g.suite, g.secrets.senderData, m.ciphertext)
	m.encryptedSenderData = must(g.suite.Seal(key, nonce, encode(&d), m.senderDataAAD()))
	return encodeMessage(formatPrivate, m)
}

// creationNegatives breaks the rules about creating groups (§11).
func creationNegatives() []negative {
	create := func(f func(*Config, *GroupOptions)) func(*arena) func() error {
		return func(w *arena) func() error {
			cfg := *w.joiner.cfg
			o := GroupOptions{CipherSuite: X25519AES128, ID: []byte("new"), Leaf: w.joiner.leafOptions()}
			f(&cfg, &o)
			return func() error { _, err := NewGroup(&cfg, o, testNow); return err }
		}
	}
	psk := func(usage ResumptionUsage, byReference bool) func(*arena) func() error {
		return func(w *arena) func() error {
			p := UseResumptionPSK(w.alice.group.ID(), 1)
			p.PSK.Usage, p.PSK.Nonce = usage, make([]byte, 32)
			if byReference {
				return w.victim(w.mallory.forgeProposal(p, nil, nil))
			}
			return w.victim(w.mallory.forge(forgery{proposals: byValue(p)}))
		}
	}
	return []negative{
		{"§11", "group id already in use", ErrGroupExists, create(func(c *Config, _ *GroupOptions) {
			c.KnownGroup = func([]byte) bool { return true }
		})},
		{"§11", "unsupported ciphersuite", ErrUnsupportedCipherSuite, create(func(_ *Config, o *GroupOptions) { o.CipherSuite = 7 })},
		{"§11", "creator's leaf refused", ErrLeafRejected, create(func(c *Config, _ *GroupOptions) {
			c.CheckLeaf = func(LeafEvent) error { return errIdentityChanged }
		})},
		{"§11", "creator's leaf expired", ErrLifetime, create(func(_ *Config, o *GroupOptions) { o.Leaf.Lifetime = Lifetime{1, 2} })},
		{"§11", "extension twice", ErrDuplicateExtension, create(func(_ *Config, o *GroupOptions) {
			o.Extensions = []Extension{{Type: extTest}, {Type: extTest}}
		})},
		{"§11", "extension the creator lacks", ErrExtensionNotSupported, create(func(_ *Config, o *GroupOptions) {
			o.Extensions = []Extension{{Type: 0xF123}}
		})},
		{"§11.1", "required extension the creator lacks", ErrCapabilityMissing, create(func(_ *Config, o *GroupOptions) {
			o.Extensions = []Extension{(&RequiredCapabilities{Extensions: []ExtensionType{0xF123}}).Extension()}
		})},
		{"§11.1", "required credential the creator lacks", ErrCapabilityMissing, create(func(_ *Config, o *GroupOptions) {
			o.Extensions = []Extension{(&RequiredCapabilities{Credentials: []CredentialType{CredentialX509}}).Extension()}
		})},
		{"§11.1", "required proposal the creator lacks", ErrCapabilityMissing, create(func(_ *Config, o *GroupOptions) {
			o.Extensions = []Extension{(&RequiredCapabilities{Proposals: []ProposalType{0xF123}}).Extension()}
		})},
		{"§11.2", "reinit PSK in a commit", ErrPSKUsage, psk(ResumptionReInit, false)},
		{"§11.2", "reinit PSK proposed", ErrPSKUsage, psk(ResumptionReInit, true)},
		{"§11.3", "branch PSK in a commit", ErrPSKUsage, psk(ResumptionBranch, false)},
		{"§11.3", "branch PSK proposed", ErrPSKUsage, psk(ResumptionBranch, true)},
		{"§11.2", "reinit PSK in a Welcome", ErrPSKUsage, welcomeWithPSK(ResumptionReInit)},
		{"§11.3", "branch PSK in a Welcome", ErrPSKUsage, welcomeWithPSK(ResumptionBranch)},
	}
}

func welcomeWithPSK(usage ResumptionUsage) func(*arena) func() error {
	return func(w *arena) func() error {
		p := UseResumptionPSK([]byte("old group"), 1).PSK
		p.Usage, p.Nonce = usage, make([]byte, 32)
		return w.joinFlat(introduction{}, pskInput{p, []byte("key")})
	}
}

// proposalNegatives breaks the rules about single proposals (§12.1), each as a proposal message
// and, where that is possible, by value in a commit.
func proposalNegatives() []negative {
	list := []negative{
		{"§12.1", "signature", ErrMessageSignature, func(w *arena) func() error {
			c := w.mallory.group.newContent(ContentProposal, nil)
			c.format = formatPublic
			p := RemoveMember(2)
			c.content.proposal = &p
			if err := c.sign(w.mallory.group.suite, rand.Reader, w.carol.cfg.Signer, w.mallory.group.contextRaw); err != nil {
				w.t.Fatal(err)
			}
			return w.victim(w.mallory.frame(w.mallory.group, c, nil))
		}},
		{"§6.2", "membership tag", ErrMembershipTag, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(RemoveMember(2), nil, func(m *publicMessage) { m.membershipTag[0] ^= 1 }))
		}},
		{"§6.2", "no membership tag", ErrMembershipTag, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(RemoveMember(2), nil, func(m *publicMessage) { m.membershipTag = nil }))
		}},
		{"§6.1", "sender leaf is blank", ErrSender, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(RemoveMember(2), func(c *authenticatedContent) { c.content.sender.Leaf = 3 }, nil))
		}},
		{"§6.1", "sender leaf is beyond the tree", ErrSender, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(RemoveMember(2), func(c *authenticatedContent) { c.content.sender.Leaf = 1 << 31 }, nil))
		}},
		{"§6.1", "sender is another member", ErrMessageSignature, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(RemoveMember(1), func(c *authenticatedContent) { c.content.sender.Leaf = 2 }, nil))
		}},
		{"§12.1.8", "new_member_proposal", ErrSender, func(w *arena) func() error {
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderNewMemberProposal}, AddMember(w.kp.public)))
		}},
		{"§12.1.8", "external sender without the extension", ErrSender, func(w *arena) func() error {
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderExternal}, RemoveMember(1)))
		}},
		{"§12.1.8", "external sender beyond the list", ErrSender, func(w *arena) func() error {
			w.allowExternal(w.joiner)
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderExternal, External: 1}, RemoveMember(1)))
		}},
		{"§12.1.8", "external sender with a wrong key", ErrMessageSignature, func(w *arena) func() error {
			w.allowExternal(newClient(w.t, X25519AES128, "server"))
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderExternal}, RemoveMember(1)))
		}},
		{"§12.1.8", "external sender removes a blank leaf", ErrRemoveBlank, func(w *arena) func() error {
			w.allowExternal(w.joiner)
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderExternal}, RemoveMember(9)))
		}},
	}
	// Types an external sender must not send: external_init and update by §12.1.8, the rest because
	// we let it remove only.
	for kind, p := range map[string]func(*arena) Proposal{
		"add":                      func(w *arena) Proposal { return AddMember(w.kp.public) },
		"update":                   func(w *arena) Proposal { return w.mallory.forgeUpdate(nil, nil) },
		"psk":                      func(*arena) Proposal { return UsePSK([]byte("x")) },
		"group_context_extensions": func(*arena) Proposal { return SetExtensions(nil) },
		"reinit":                   func(*arena) Proposal { return Proposal{Type: ProposalReInit, ReInit: &ReInit{Version: MLS10}} },
	} {
		list = append(list, negative{"§12.1.8", "external sender sends " + kind, ErrProposalSender, func(w *arena) func() error {
			w.allowExternal(w.joiner)
			return w.victim(w.joiner.asOutsider(w.alice, Sender{Type: SenderExternal}, p(w)))
		}})
	}
	pack := func(change, signed func(*KeyPackage)) func(*arena) Proposal {
		return func(w *arena) Proposal { return AddMember(w.joiner.forgeKeyPackage(nil, nil, change, signed)) }
	}
	pskNonce := func(n int) func(*arena) Proposal {
		return func(*arena) Proposal {
			p := UsePSK([]byte("x"))
			p.PSK.Nonce = make([]byte, n)
			return p
		}
	}
	gce := func(list ...Extension) func(*arena) Proposal {
		return func(*arena) Proposal { return SetExtensions(list) }
	}
	for _, c := range []struct {
		section, name string
		want          error
		proposal      func(*arena) Proposal
	}{
		{"§12.1.1", "key package of another version", ErrVersion, pack(func(k *KeyPackage) { k.Version = 2 }, nil)},
		{"§12.1.1", "key package of another ciphersuite", ErrCipherSuiteMismatch, pack(func(k *KeyPackage) { k.CipherSuite = X25519ChaCha }, nil)},
		{"§12.1.1", "key package signature", ErrKeyPackageSignature, pack(nil, func(k *KeyPackage) { k.Signature[0] ^= 1 })},
		{"§12.1.1", "init key is the encryption key", ErrInitKeyReused, pack(func(k *KeyPackage) { k.InitKey = k.Leaf.EncryptionKey }, nil)},
		{"§12.1.1", "init key is malformed", ErrPublicKey, pack(func(k *KeyPackage) { k.InitKey = []byte("short") }, nil)},
		{"§12.1.1", "init key is of low order", ErrPublicKey, pack(func(k *KeyPackage) { k.InitKey = make([]byte, 32) }, nil)},
		{"§12.1.1", "key package extension twice", ErrDuplicateExtension, pack(func(k *KeyPackage) { k.Extensions = []Extension{{Type: extTest}, {Type: extTest}} }, nil)},
		{"§12.1.1", "key package extension not in capabilities", ErrExtensionNotSupported, pack(func(k *KeyPackage) { k.Extensions = []Extension{{Type: 0xF123}} }, nil)},
		{"§12.1.3", "remove of a blank leaf", ErrRemoveBlank, func(*arena) Proposal { return RemoveMember(3) }},
		{"§12.1.3", "remove beyond the tree", ErrRemoveBlank, func(*arena) Proposal { return RemoveMember(1 << 31) }},
		{"§12.1.4", "PSK nonce too short", ErrPSKNonce, pskNonce(31)},
		{"§12.1.4", "PSK nonce too long", ErrPSKNonce, pskNonce(33)},
		{"§12.1.5", "reinit to an older version", ErrVersion, func(*arena) Proposal { return Proposal{Type: ProposalReInit, ReInit: &ReInit{}} }},
		{"§12.1.5", "reinit", ErrReInit, func(*arena) Proposal { return Proposal{Type: ProposalReInit, ReInit: &ReInit{Version: MLS10}} }},
		{"§12.1.7", "group extension twice", ErrDuplicateExtension, gce(Extension{Type: extTest}, Extension{Type: extTest})},
		{"§12.1.7", "ratchet_tree in the group context", ErrExtensionPlacement, gce(Extension{Type: ExtensionRatchetTree})},
		{"§12.1.7", "external_pub in the group context", ErrExtensionPlacement, gce(Extension{Type: ExtensionExternalPub})},
		{"§12.1.7", "application_id in the group context", ErrExtensionPlacement, gce(Extension{Type: ExtensionApplicationID})},
		{"§12.1.7", "required_capabilities malformed", ErrTruncated, gce(Extension{Type: ExtensionRequiredCapabilities, Data: []byte{0, 0}})},
		{"§12.1.7", "external_senders malformed", ErrTruncated, gce(Extension{Type: ExtensionExternalSenders, Data: []byte{9}})},
		{"§12.1.7", "external sender with an impossible key", ErrPublicKey, gce(ExternalSendersExtension([]ExternalSender{{SignatureKey: []byte("x"), Credential: BasicCredential(nil)}}))},
	} {
		asValue := negative{c.section, c.name + ": in a commit", c.want, func(w *arena) func() error {
			return w.victim(w.mallory.forge(forgery{proposals: byValue(c.proposal(w)), effective: []resolvedProposal{}}))
		}}
		if c.want == ErrVersion && c.section == "§12.1.5" {
			asValue.want = ErrReInit // the list check of §12.2 comes first
		}
		list = append(list, asValue, negative{c.section, c.name + ": proposed", c.want, func(w *arena) func() error {
			return w.victim(w.mallory.forgeProposal(c.proposal(w), nil, nil))
		}})
	}
	return append(list, negative{"§12.1.6", "external init proposed", ErrExternalInitInMember, func(w *arena) func() error {
		return w.victim(w.mallory.forgeProposal(externalInitProposal(), nil, nil))
	}}, negative{"§12.1", "unknown proposal type", ErrUnsupportedProposal, func(w *arena) func() error {
		return w.victim(w.mallory.forgeProposal(Proposal{Type: 0xF777}, nil, nil))
	}}, negative{"§12.1.2", "update in a commit by value", ErrUpdateByCommitter, func(w *arena) func() error {
		return w.victim(w.mallory.forge(forgery{proposals: byValue(w.mallory.forgeUpdate(nil, nil)), effective: []resolvedProposal{}}))
	}}, negative{"§12.1.7", "required capability that members lack", ErrCapabilityMissing, func(w *arena) func() error {
		ext := (&RequiredCapabilities{Extensions: []ExtensionType{0xF123}}).Extension()
		return w.victim(w.mallory.forge(forgery{proposals: byValue(SetExtensions([]Extension{ext}))}))
	}}, negative{"§12.1.7", "extension that members lack", ErrExtensionNotSupported, func(w *arena) func() error {
		return w.victim(w.mallory.forge(forgery{proposals: byValue(SetExtensions([]Extension{{Type: 0xF123}}))}))
	}})
}

// asOutsider sends a proposal in the name of somebody outside the group of member.
func (c *client) asOutsider(member *client, sender Sender, p Proposal) []byte {
	g := *member.group
	g.signer = c.cfg.Signer
	outsider := &client{t: c.t, group: &g}
	return outsider.forgeProposal(p, func(a *authenticatedContent) { a.content.sender = sender }, nil)
}

// allowExternal makes server the group's external sender.
func (w *arena) allowExternal(server *client) {
	key := must(w.alice.group.suite.SignerPublicKey(server.cfg.Signer))
	ext := ExternalSendersExtension([]ExternalSender{{key, BasicCredential([]byte("server"))}})
	message, _ := w.carol.commit(CommitOptions{Proposals: []Proposal{SetExtensions([]Extension{ext})}})
	w.alice.process(message)
	w.mallory.process(message)
}

// proposalListNegatives breaks the rules about lists of proposals (§12.2, §12.3).
func proposalListNegatives() []negative {
	value := func(f func(*arena) []Proposal) func(*arena) func() error {
		return func(w *arena) func() error {
			return w.victim(w.mallory.forge(forgery{proposals: byValue(f(w)...), effective: []resolvedProposal{}}))
		}
	}
	// references lets Carol and Mallory propose and Mallory commit all of it by reference.
	references := func(f func(*arena)) func(*arena) func() error {
		return func(w *arena) func() error {
			f(w)
			var list []proposalOrRef
			for _, ref := range w.alice.group.Proposals() {
				list = append(list, proposalOrRef{ref: ref})
			}
			return w.victim(w.mallory.forge(forgery{proposals: list, effective: []resolvedProposal{}}))
		}
	}
	update := func(c *client, w *arena) {
		w.alice.process(c.forgeProposal(c.forgeUpdate(nil, nil), nil, nil))
	}
	twin := func(w *arena, n int) []Proposal {
		var list []Proposal
		for range n {
			list = append(list, AddMember(w.joiner.keyPackage().public))
		}
		return list
	}
	return []negative{
		{"§12.2", "update of the committer", ErrUpdateByCommitter, references(func(w *arena) { update(w.mallory, w) })},
		{"§12.2", "remove of the committer", ErrRemoveCommitter, value(func(*arena) []Proposal { return []Proposal{RemoveMember(1)} })},
		{"§12.2", "two removes of one leaf", ErrConflictingProposals, value(func(*arena) []Proposal { return []Proposal{RemoveMember(2), RemoveMember(2)} })},
		{"§12.2", "two updates of one leaf", ErrConflictingProposals, references(func(w *arena) { update(w.carol, w); update(w.carol, w) })},
		{"§12.2", "update and remove of one leaf", ErrConflictingProposals, references(func(w *arena) {
			update(w.carol, w)
			w.alice.process(w.carol.forgeProposal(RemoveMember(2), nil, nil))
		})},
		{"§12.2", "one client added twice", ErrDuplicateAdd, func(w *arena) func() error {
			return w.victim(w.mallory.forge(forgery{proposals: byValue(twin(w, 2)...)}))
		}},
		{"§12.2", "add of a member", ErrDuplicateAdd, func(w *arena) func() error {
			return w.victim(w.mallory.forge(forgery{proposals: byValue(AddMember(w.carol.keyPackage().public))}))
		}},
		{"§12.2", "one PSK twice", ErrDuplicatePSK, value(func(w *arena) []Proposal {
			p := UsePSK([]byte("x"))
			p.PSK.Nonce = make([]byte, 32)
			return []Proposal{p, p}
		})},
		{"§12.2", "two group context extensions proposals", ErrMultipleGCE, value(func(*arena) []Proposal { return []Proposal{SetExtensions(nil), SetExtensions(nil)} })},
		{"§12.2", "reinit beside another proposal", ErrReInit, value(func(*arena) []Proposal {
			return []Proposal{{Type: ProposalReInit, ReInit: &ReInit{Version: MLS10}}, RemoveMember(2)}
		})},
		{"§12.2", "external init in a member's commit", ErrExternalInitInMember, value(func(*arena) []Proposal { return []Proposal{externalInitProposal()} })},
		{"§12.2", "non-default proposal type", ErrUnsupportedProposal, value(func(*arena) []Proposal { return []Proposal{{Type: 0xF777}} })},
		{"§12.2", "more PSKs than allowed", ErrTooManyPSKs, value(func(*arena) []Proposal {
			var list []Proposal
			for i := range MaxPSKs + 1 {
				p := UsePSK([]byte(fmt.Sprint(i)))
				p.PSK.Nonce = make([]byte, 32)
				list = append(list, p)
			}
			return list
		})},
		{"§12.2", "commit refused by the application", ErrCommitRejected, func(w *arena) func() error {
			w.alice.cfg.CheckCommit = func(c *CommitInfo) error {
				if len(c.Removed) > 0 {
					return errIdentityChanged
				}
				return nil
			}
			return w.victim(w.mallory.forge(forgery{proposals: byValue(RemoveMember(2))}))
		}},
		{"§12.2", "our removal refused by the application", ErrCommitRejected, func(w *arena) func() error {
			w.alice.cfg.CheckCommit = func(c *CommitInfo) error {
				if c.SelfRemoved {
					return errIdentityChanged
				}
				return nil
			}
			return w.victim(w.mallory.forge(forgery{proposals: byValue(RemoveMember(0))}))
		}},
		{"§12.3", "new requirements do not hold for an add in the same commit", ErrCapabilityMissing, func(w *arena) func() error {
			ext := (&RequiredCapabilities{Extensions: []ExtensionType{extTest}}).Extension()
			kp := w.joiner.forgeKeyPackage(func(l *LeafNode) { l.Capabilities.Extensions = nil }, nil, nil, nil)
			return w.victim(w.mallory.forge(forgery{proposals: byValue(AddMember(kp), SetExtensions([]Extension{ext}))}))
		}},
		{"§12.3", "new extension does not suit an add in the same commit", ErrExtensionNotSupported, func(w *arena) func() error {
			kp := w.joiner.forgeKeyPackage(func(l *LeafNode) { l.Capabilities.Extensions = nil }, nil, nil, nil)
			return w.victim(w.mallory.forge(forgery{proposals: byValue(AddMember(kp), SetExtensions([]Extension{{Type: extTest}}))}))
		}},
	}
}
