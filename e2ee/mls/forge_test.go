package mls

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// forgery makes a commit step by step with a hook after each, so that a test can break one rule
// and keep all others: signatures, tags and encryption are right for what was changed before them.
type forgery struct {
	proposals []proposalOrRef
	// effective is the list the tree and path are made for; nil means proposals. It differs where
	// proposals could not even be applied.
	effective []resolvedProposal
	noPath    bool
	private   bool // as a private message

	leaf         func(*LeafNode) // before the path's leaf is signed
	signedLeaf   func(*LeafNode) // after
	context      func(*groupContext)
	path         func(*newPath, *ratchetTree)
	update       func(*updatePath)
	content      func(*authenticatedContent) // before signing
	signContext  []byte                      // instead of the old group context
	signed       func(*authenticatedContent) // after signing
	next         func(*groupContext)         // what enters the key schedule
	commitSecret func(*newPath) []byte
	tag          func([]byte) []byte
	message      func(*publicMessage)
	signer       crypto.Signer // of the content
}

func byValue(list ...Proposal) []proposalOrRef {
	out := make([]proposalOrRef, len(list))
	for i := range list {
		out[i].proposal = &list[i]
	}
	return out
}

// reencode gives a leaf whose fields were changed its encoding, with the signature as it is.
func (l *LeafNode) reencode() {
	var w wire.Writer
	l.writeTBS(&w)
	l.tbs = len(w.B)
	w.Opaque(l.Signature)
	l.raw = w.B
}

// change returns a copy of l changed by f and signed anew.
func (l *LeafNode) change(g *Group, i LeafIndex, signer crypto.Signer, f func(*LeafNode)) *LeafNode {
	c := &LeafNode{
		EncryptionKey: l.EncryptionKey, SignatureKey: l.SignatureKey, Credential: l.Credential,
		Capabilities: l.Capabilities, Source: l.Source, Lifetime: l.Lifetime, ParentHash: l.ParentHash,
		Extensions: slices.Clone(l.Extensions),
	}
	if f != nil {
		f(c)
	}
	if err := c.sign(g.suite, rand.Reader, signer, g.context.groupID, i); err != nil {
		panic(err)
	}
	return c
}

// forge forges a commit of c. It leaves c's group in its epoch.
func (c *client) forge(f forgery) []byte {
	c.t.Helper()
	g := c.group
	sender := memberSender(g.own)
	return c.forgeFrom(g, f, sender, g.tree.leaf(g.own), g.secrets.init)
}

// forgeExternal forges an external commit of c to the group of member.
func (c *client) forgeExternal(member *client, f forgery) []byte {
	c.t.Helper()
	g := *member.group
	g.cfg, g.signer, g.own, g.keys = c.cfg, c.cfg.Signer, noLeaf, nil
	kem, initSecret, err := g.suite.ExternalInit(must(externalPub(g.suite, g.secrets.external)))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range f.proposals {
		if p := f.proposals[i].proposal; p != nil && p.Type == ProposalExternalInit && p.KEMOutput == nil {
			p.KEMOutput = kem
		}
	}
	o := c.leafOptions()
	template := must(o.leaf(g.suite, c.cfg.Signer, testNow))
	return c.forgeFrom(&g, f, Sender{Type: SenderNewMemberCommit}, template, initSecret)
}

func externalInitProposal() Proposal { return Proposal{Type: ProposalExternalInit} }

func (c *client) forgeFrom(g *Group, f forgery, sender Sender, template *LeafNode, initSecret []byte) []byte {
	c.t.Helper()
	s := g.suite
	cm := &commit{proposals: f.proposals}
	list := f.effective
	if list == nil {
		list, _ = g.resolve(cm, sender)
	}
	t := must(g.apply(list))
	own := g.own
	if sender.Type == SenderNewMemberCommit {
		own = must(t.tree.firstBlank())
	}
	var path *newPath
	if !f.noPath {
		path = must(t.tree.createPath(rand.Reader, own, template, g.signer, g.context.groupID))
		if f.path != nil {
			f.path(path, t.tree)
		}
		if f.leaf != nil || f.signedLeaf != nil {
			path.leaf = path.leaf.change(g, own, g.signer, f.leaf)
			if f.signedLeaf != nil {
				f.signedLeaf(path.leaf)
				path.leaf.reencode()
			}
			t.tree.set(treemath.Leaf(uint32(own)), node{leaf: path.leaf})
		}
	}
	next := g.provisional(t)
	next.own = own
	if f.context != nil {
		f.context(&next.context)
	}
	commitSecret := make([]byte, s.Nh)
	if path != nil {
		cm.path = must(t.tree.encryptPath(path, t.added, next.context.encode()))
		if f.update != nil {
			f.update(cm.path)
		}
		commitSecret = path.commitSecret
		if f.commitSecret != nil {
			commitSecret = f.commitSecret(path)
		}
	}
	content := g.newContent(ContentCommit, nil)
	content.format = formatPublic
	if f.private {
		content.format = formatPrivate
	}
	content.content.sender = sender
	content.content.commit = cm
	if f.content != nil {
		f.content(content)
	}
	signContext := g.contextRaw
	if f.signContext != nil {
		signContext = f.signContext
	}
	signer := g.signer
	if f.signer != nil {
		signer = f.signer
	}
	if err := content.sign(s, rand.Reader, signer, signContext); err != nil {
		c.t.Fatal(err)
	}
	if f.signed != nil {
		f.signed(content)
	}
	var psks []pskInput
	for _, id := range t.psks {
		psks = append(psks, pskInput{id, c.psks[string(id.ID)]})
	}
	next.context.confirmedTranscript = confirmedTranscript(s, g.interim, content)
	if f.next != nil {
		f.next(&next.context)
	}
	next.advance(bytes.Clone(initSecret), bytes.Clone(commitSecret), psks)
	content.auth.confirmationTag = s.MAC(next.secrets.confirmation, confirmedTranscript(s, g.interim, content))
	if f.tag != nil {
		content.auth.confirmationTag = f.tag(content.auth.confirmationTag)
	}
	return c.frame(g, content, f.message)
}

// frame protects signed content with the right membership tag or keys.
func (c *client) frame(g *Group, content *authenticatedContent, hook func(*publicMessage)) []byte {
	if content.format == formatPrivate {
		o := must(g.messages.nextOwn(content.content.sender.Leaf, ratchetFor(content.content.contentType)))
		return encodeMessage(formatPrivate, must(protectPrivate(g.suite, rand.Reader, content, privateSender{
			senderDataSecret: g.secrets.senderData, generation: o.gen, key: o.key.key, nonce: o.key.nonce, padTo: 1,
		})))
	}
	m := protectPublic(g.suite, content, g.secrets.membership, g.contextRaw)
	if hook != nil {
		hook(m)
	}
	return encodeMessage(formatPublic, m)
}

// forgeProposal frames a proposal of c without checking it. change may alter the content before
// it is signed, message the framed message.
func (c *client) forgeProposal(p Proposal, change func(*authenticatedContent), message func(*publicMessage)) []byte {
	c.t.Helper()
	content := c.group.newContent(ContentProposal, nil)
	content.format = formatPublic
	content.content.proposal = &p
	if change != nil {
		change(content)
	}
	if err := content.sign(c.group.suite, rand.Reader, c.group.signer, c.group.contextRaw); err != nil {
		c.t.Fatal(err)
	}
	return c.frame(c.group, content, message)
}

// forgeUpdate makes an Update proposal for c's leaf; leaf changes it before, signed after signing.
func (c *client) forgeUpdate(leaf, signed func(*LeafNode)) Proposal {
	g := c.group
	_, pub, err := g.suite.GenerateKeyPair(rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	l := g.tree.leaf(g.own).change(g, g.own, g.signer, func(l *LeafNode) {
		l.Source, l.EncryptionKey = LeafFromUpdate, pub
		if leaf != nil {
			leaf(l)
		}
	})
	if signed != nil {
		signed(l)
		l.reencode()
	}
	return Proposal{Type: ProposalUpdate, Update: l}
}

// forgeKeyPackage makes a key package of c; leaf and pack change it before, signed after signing.
func (c *client) forgeKeyPackage(leaf, signedLeaf func(*LeafNode), pack, signed func(*KeyPackage)) *KeyPackage {
	s := must(c.suite.get())
	k := *c.keyPackage().public
	k.Leaf = k.Leaf.change(&Group{suite: s}, 0, c.cfg.Signer, leaf)
	if signedLeaf != nil {
		signedLeaf(k.Leaf)
		k.Leaf.reencode()
	}
	if pack != nil {
		pack(&k)
	}
	var w wire.Writer
	k.writeTBS(&w)
	k.tbs = len(w.B)
	k.Signature = must(s.SignWithLabel(rand.Reader, c.cfg.Signer, labelKeyPackage, w.B))
	if signed != nil {
		signed(&k)
	}
	w.Opaque(k.Signature)
	k.raw = w.B
	return &k
}

// introduction is a forged Welcome or group info: the state a joiner is to believe in.
type introduction struct {
	tree    func(*ratchetTree) // before the tree hash is taken
	context func(*groupContext)
	info    func(*groupInfo) // before signing
	signed  func(*groupInfo) // after
	rawTree func([]byte) []byte
	noTree  bool
	secrets func(*groupSecrets)
	welcome func(*welcome)
	tag     func([]byte) []byte
}

// groupInfo makes the group info of an introduction to g's epoch, whose epoch secret it replaces
// by that of joiner.
func (in introduction) groupInfo(g *Group, member []byte, external bool) *groupInfo {
	s := g.suite
	tree := g.tree.clone()
	if in.tree != nil {
		in.tree(tree)
	}
	ctx := g.context
	ctx.treeHash = tree.rootHash()
	if in.context != nil {
		in.context(&ctx)
	}
	info := &groupInfo{context: ctx, signer: g.own}
	secrets, _ := deriveEpoch(s, epochSecret(s, member, ctx.encode()))
	info.confirmationTag = s.MAC(secrets.confirmation, ctx.confirmedTranscript)
	if external {
		secrets, info.confirmationTag = g.secrets, g.confirmationTag
	}
	if in.tag != nil {
		info.confirmationTag = in.tag(info.confirmationTag)
	}
	if !in.noTree {
		raw := encode(tree)
		if in.rawTree != nil {
			raw = in.rawTree(raw)
		}
		info.extensions = append(info.extensions, Extension{ExtensionRatchetTree, raw})
	}
	if external {
		var w wire.Writer
		w.Opaque(must(externalPub(s, secrets.external)))
		info.extensions = append(info.extensions, Extension{ExtensionExternalPub, w.B})
	}
	if in.info != nil {
		in.info(info)
	}
	if err := info.sign(s, rand.Reader, g.signer); err != nil {
		panic(err)
	}
	if in.signed != nil {
		in.signed(info)
	}
	return info
}

// forWelcome makes a Welcome to g's epoch for the owner of k.
func (in introduction) forWelcome(g *Group, k *OwnKeyPackage, psks ...pskInput) []byte {
	s := g.suite
	secrets := &groupSecrets{joinerSecret: bytes.Repeat([]byte{7}, s.Nh)}
	for _, p := range psks {
		secrets.psks = append(secrets.psks, p.id)
	}
	if in.secrets != nil {
		in.secrets(secrets)
	}
	member := memberSecret(s, secrets.joinerSecret, pskSecret(s, psks))
	info := in.groupInfo(g, member, false)
	key, nonce := welcomeKey(s, member)
	w := &welcome{cipherSuite: g.context.cipherSuite}
	w.encryptedGroupInfo = must(s.Seal(key, nonce, encode(info), nil))
	e := encryptedGroupSecrets{newMember: k.Ref()}
	var err error
	e.secrets.kemOutput, e.secrets.ciphertext, err = s.EncryptWithLabel(
		must(s.ParsePublicKey(k.public.InitKey)), labelWelcome, w.encryptedGroupInfo, encodeSecrets(secrets))
	if err != nil {
		panic(err)
	}
	w.secrets = append(w.secrets, e)
	if in.welcome != nil {
		in.welcome(w)
	}
	return encodeMessage(formatWelcome, w)
}

// forExternal makes a group info for an external join.
func (in introduction) forExternal(g *Group) []byte {
	return encodeMessage(formatGroupInfo, in.groupInfo(g, make([]byte, g.suite.Nh), true))
}
