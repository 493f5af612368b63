package mls

import (
	"bytes"
	"crypto/rand"
	"maps"
	"slices"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

func TestVectorsTreeOperations(t *testing.T) {
	list, c := loadVectors[struct {
		Suite      uint16   `json:"cipher_suite"`
		TreeBefore hexBytes `json:"tree_before"`
		Proposal   hexBytes `json:"proposal"`
		Sender     uint32   `json:"proposal_sender"`
		TreeAfter  hexBytes `json:"tree_after"`
		HashBefore hexBytes `json:"tree_hash_before"`
		HashAfter  hexBytes `json:"tree_hash_after"`
	}](t, "tree-operations.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		tree := must(parseTree(v.TreeBefore, s))
		wantBytes(t, i, "tree hash before", tree.rootHash(), v.HashBefore)
		p := decode(t, v.Proposal, readProposal)
		g := &Group{suite: s, tree: tree, own: noLeaf}
		tr := must(g.apply([]resolvedProposal{{Proposal: p, sender: memberSender(LeafIndex(v.Sender))}}))
		wantBytes(t, i, "tree after", encode(tr.tree), v.TreeAfter)
		wantBytes(t, i, "tree hash after", tr.tree.rootHash(), v.HashAfter)
		wantBytes(t, i, "the old tree", encode(tree), v.TreeBefore)
		c.passed++
	}
}

func TestVectorsTreeValidation(t *testing.T) {
	list, c := loadVectors[struct {
		Suite       uint16        `json:"cipher_suite"`
		Tree        hexBytes      `json:"tree"`
		GroupID     hexBytes      `json:"group_id"`
		Resolutions [][]nodeIndex `json:"resolutions"`
		TreeHashes  []hexBytes    `json:"tree_hashes"`
	}](t, "tree-validation.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		tree := must(parseTree(v.Tree, s))
		for x, want := range v.Resolutions {
			if have := tree.resolution(nodeIndex(x), nil); !slices.Equal(have, want) {
				t.Fatalf("vector %d: resolution of %d is %v, want %v", i, x, have, want)
			}
			wantBytes(t, i, "tree hash", tree.treeHash(nodeIndex(x)), v.TreeHashes[x])
		}
		ctx := &groupContext{groupID: v.GroupID}
		cfg := &Config{CheckLeaf: func(LeafEvent) error { return nil }, TolerateExpiredLeaves: true}
		if err := checkJoinedTree(tree, cfg, ctx, testNow); err != nil {
			t.Fatalf("vector %d: %v", i, err)
		}
		c.passed++
	}
}

func TestVectorsTreeKEM(t *testing.T) {
	list, c := loadVectors[struct {
		Suite      uint16   `json:"cipher_suite"`
		GroupID    hexBytes `json:"group_id"`
		Epoch      uint64   `json:"epoch"`
		Transcript hexBytes `json:"confirmed_transcript_hash"`
		Tree       hexBytes `json:"ratchet_tree"`
		Leaves     []struct {
			Index       LeafIndex `json:"index"`
			Private     hexBytes  `json:"encryption_priv"`
			Signature   hexBytes  `json:"signature_priv"`
			PathSecrets []struct {
				Node   nodeIndex `json:"node"`
				Secret hexBytes  `json:"path_secret"`
			} `json:"path_secrets"`
		} `json:"leaves_private"`
		Paths []struct {
			Sender      LeafIndex   `json:"sender"`
			Path        hexBytes    `json:"update_path"`
			PathSecrets []*hexBytes `json:"path_secrets"`
			Commit      hexBytes    `json:"commit_secret"`
			TreeHash    hexBytes    `json:"tree_hash_after"`
		} `json:"update_paths"`
	}](t, "treekem.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		tree := must(parseTree(v.Tree, s))
		keys := make(map[LeafIndex]privateKeys)
		signers := make(map[LeafIndex][]byte)
		for _, l := range v.Leaves {
			k := privateKeys{treemath.Leaf(uint32(l.Index)): l.Private}
			for _, p := range l.PathSecrets {
				maps.Copy(k, first(tree.implantSecret(p.Secret, []nodeIndex{p.Node})))
			}
			keys[l.Index], signers[l.Index] = k, l.Signature
		}
		context := func(tree *ratchetTree) []byte {
			return (&groupContext{
				version: MLS10, cipherSuite: CipherSuite(v.Suite), groupID: v.GroupID, epoch: v.Epoch,
				treeHash: tree.rootHash(), confirmedTranscript: v.Transcript,
			}).encode()
		}
		// process lets every other member decrypt a path.
		process := func(sender LeafIndex, up *updatePath) (*ratchetTree, []pathStep) {
			t.Helper()
			after := tree.clone()
			if err := up.leaf.verify(s, v.GroupID, sender); err != nil {
				t.Fatalf("vector %d: %v", i, err)
			}
			steps, err := after.applyPath(sender, up, nil)
			if err != nil {
				t.Fatalf("vector %d: %v", i, err)
			}
			return after, steps
		}
		for _, p := range v.Paths {
			up := decode(t, p.Path, readUpdatePath)
			after, steps := process(p.Sender, up)
			wantBytes(t, i, "tree hash", after.rootHash(), p.TreeHash)
			for _, l := range v.Leaves {
				if l.Index == p.Sender {
					continue
				}
				own := keys[l.Index].clone()
				own.prune(after)
				got, commitSecret, err := after.decryptPath(l.Index, own, steps, up, nil, context(after))
				if err != nil {
					t.Fatalf("vector %d: leaf %d: %v", i, l.Index, err)
				}
				wantBytes(t, i, "commit secret", commitSecret, p.Commit)
				at := slices.IndexFunc(steps, func(p pathStep) bool { return treemath.Covers(p.copath, treemath.Leaf(uint32(l.Index))) })
				node := s.DeriveSecret(*p.PathSecrets[l.Index], "node")
				priv, _, err := s.DeriveKeyPair(node)
				if err != nil {
					t.Fatal(err)
				}
				wantBytes(t, i, "private key", got[steps[at].node], priv)
			}
			// And a path of our own from the same sender.
			mine := tree.clone()
			made, err := mine.createPath(rand.Reader, p.Sender, tree.leaf(p.Sender), vectorSigner(t, s, signers[p.Sender]), v.GroupID)
			if err != nil {
				t.Fatal(err)
			}
			sent := must(mine.encryptPath(made, nil, context(mine)))
			received := decode(t, encode(sent), readUpdatePath)
			after, steps = process(p.Sender, received)
			if !bytes.Equal(after.rootHash(), mine.rootHash()) {
				t.Fatalf("vector %d: own path: tree hashes differ", i)
			}
			for _, l := range v.Leaves {
				if l.Index == p.Sender {
					continue
				}
				own := keys[l.Index].clone()
				own.prune(after)
				_, commitSecret, err := after.decryptPath(l.Index, own, steps, received, nil, context(after))
				if err != nil {
					t.Fatalf("vector %d: own path: leaf %d: %v", i, l.Index, err)
				}
				wantBytes(t, i, "own commit secret", commitSecret, made.commitSecret)
			}
		}
		c.passed++
	}
}

func first[A, B, C any](a A, _ B, err C) A {
	if any(err) != nil {
		panic(err)
	}
	return a
}

func TestVectorsMessageProtection(t *testing.T) {
	list, c := loadVectors[struct {
		Suite         uint16   `json:"cipher_suite"`
		GroupID       hexBytes `json:"group_id"`
		Epoch         uint64   `json:"epoch"`
		TreeHash      hexBytes `json:"tree_hash"`
		Transcript    hexBytes `json:"confirmed_transcript_hash"`
		SignPriv      hexBytes `json:"signature_priv"`
		SignPub       hexBytes `json:"signature_pub"`
		Encryption    hexBytes `json:"encryption_secret"`
		SenderData    hexBytes `json:"sender_data_secret"`
		Membership    hexBytes `json:"membership_key"`
		Proposal      hexBytes `json:"proposal"`
		ProposalPub   hexBytes `json:"proposal_pub"`
		ProposalPriv  hexBytes `json:"proposal_priv"`
		Commit        hexBytes `json:"commit"`
		CommitPub     hexBytes `json:"commit_pub"`
		CommitPriv    hexBytes `json:"commit_priv"`
		Application   hexBytes `json:"application"`
		ApplicationPr hexBytes `json:"application_priv"`
	}](t, "message-protection.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		context := (&groupContext{
			version: MLS10, cipherSuite: CipherSuite(v.Suite), groupID: v.GroupID, epoch: v.Epoch,
			treeHash: v.TreeHash, confirmedTranscript: v.Transcript,
		}).encode()
		const sender = 1
		secrets := func() *secretTree { return newSecretTree(s, 2, bytes.Clone(v.Encryption)) }
		body := func(c *framedContent) []byte {
			var w wire.Writer
			c.marshalBody(&w)
			return w.B
		}
		openPublic := func(b []byte) *framedContent {
			m := must(parseMessage(b))
			c := must(m.public.unprotect(s, v.Membership, context))
			if err := c.verify(s, v.SignPub, context); err != nil {
				t.Fatalf("vector %d: %v", i, err)
			}
			return &c.content
		}
		open := func(b []byte) *framedContent {
			m := must(parseMessage(b))
			c, o, err := openPrivate(m.private, v.SenderData, secrets(), noLeaf)
			if err != nil {
				t.Fatalf("vector %d: %v", i, err)
			}
			o.take()
			if err := c.verify(s, v.SignPub, context); err != nil {
				t.Fatalf("vector %d: %v", i, err)
			}
			return &c.content
		}
		// application data is an opaque<V> in the content and bare in the vector
		data := decode(t, body(open(v.ApplicationPr)), func(r *wire.Reader) []byte { return r.Opaque(boundData) })
		wantBytes(t, i, "application", data, v.Application)
		wantBytes(t, i, "private proposal", body(open(v.ProposalPriv)), v.Proposal)
		wantBytes(t, i, "public proposal", body(openPublic(v.ProposalPub)), v.Proposal)
		wantBytes(t, i, "private commit", body(open(v.CommitPriv)), v.Commit)
		wantBytes(t, i, "public commit", body(openPublic(v.CommitPub)), v.Commit)

		protect := func(format wireFormat, kind ContentType) []byte {
			content := &authenticatedContent{format: format, content: framedContent{
				groupID: v.GroupID, epoch: v.Epoch, sender: memberSender(sender), contentType: kind,
			}}
			switch kind {
			case ContentApplication:
				content.content.application = v.Application
			case ContentProposal:
				content.content.proposal = decode(t, v.Proposal, readProposal)
			case ContentCommit:
				content.content.commit = decode(t, v.Commit, readCommit)
				content.auth.confirmationTag = make([]byte, s.Nh)
			}
			if err := content.sign(s, rand.Reader, vectorSigner(t, s, v.SignPriv), context); err != nil {
				t.Fatal(err)
			}
			if format == formatPublic {
				return encodeMessage(formatPublic, protectPublic(s, content, v.Membership, context))
			}
			o := must(secrets().nextOwn(sender, ratchetFor(kind)))
			return encodeMessage(formatPrivate, must(protectPrivate(s, rand.Reader, content, privateSender{
				senderDataSecret: v.SenderData, generation: o.gen, key: o.key.key, nonce: o.key.nonce, padTo: 32,
			})))
		}
		wantBytes(t, i, "own private proposal", body(open(protect(formatPrivate, ContentProposal))), v.Proposal)
		wantBytes(t, i, "own private commit", body(open(protect(formatPrivate, ContentCommit))), v.Commit)
		wantBytes(t, i, "own public proposal", body(openPublic(protect(formatPublic, ContentProposal))), v.Proposal)
		wantBytes(t, i, "own public commit", body(openPublic(protect(formatPublic, ContentCommit))), v.Commit)
		wantBytes(t, i, "own application", open(protect(formatPrivate, ContentApplication)).application, v.Application)
		c.passed++
	}
}

func TestVectorsWelcome(t *testing.T) {
	list, c := loadVectors[struct {
		Suite      uint16   `json:"cipher_suite"`
		InitPriv   hexBytes `json:"init_priv"`
		SignerPub  hexBytes `json:"signer_pub"`
		KeyPackage hexBytes `json:"key_package"`
		Welcome    hexBytes `json:"welcome"`
	}](t, "welcome.json")
	for i, v := range list {
		s, ok := c.suite(v.Suite)
		if !ok {
			continue
		}
		k := &OwnKeyPackage{public: must(ParseKeyPackage(v.KeyPackage)), initPrivate: v.InitPriv}
		m := must(parseMessage(v.Welcome))
		secrets, err := openGroupSecrets(s, m.welcome, k)
		if err != nil {
			t.Fatalf("vector %d: %v", i, err)
		}
		member := memberSecret(s, secrets.joinerSecret, pskSecret(s, nil))
		info := must(openGroupInfo(s, m.welcome, member))
		if err := info.verify(s, v.SignerPub); err != nil {
			t.Fatalf("vector %d: %v", i, err)
		}
		epoch, _ := deriveEpoch(s, epochSecret(s, member, info.context.encode()))
		if !s.VerifyMAC(epoch.confirmation, info.context.confirmedTranscript, info.confirmationTag) {
			t.Fatalf("vector %d: confirmation tag", i)
		}
		c.passed++
	}
}
