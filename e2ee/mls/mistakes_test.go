package mls

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/treemath"
)

// The tests in this file are named after mistakes found in other implementations.

// generationOf reads sender data as any member can.
func generationOf(t *testing.T, g *Group, message []byte) uint32 {
	t.Helper()
	d, err := must(parseMessage(message)).private.openSenderData(g.suite, g.secrets.senderData)
	if err != nil {
		t.Fatal(err)
	}
	return d.generation
}

// TestMistakeGenerationNotPersisted: after a crash the next message must not use the key of the
// last one.
func TestMistakeGenerationNotPersisted(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	alice := m[0]
	for want := range uint32(5) {
		o, err := alice.group.Seal([]byte("x"), SealOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Release(); !errors.Is(err, ErrNotPersisted) {
			t.Fatalf("released before the state was taken: %v", err)
		}
		state := o.State()
		message, err := o.Release()
		if err != nil {
			t.Fatal(err)
		}
		if have := generationOf(t, m[1].group, message); have != want {
			t.Fatalf("generation %d, want %d", have, want)
		}
		alice.group = must(Restore(alice.cfg, state)) // the crash
		m[1].open(message, "x")
	}
	// The same for handshakes: a commit and its state, then another commit after the crash.
	for want := range uint32(3) {
		p := must(alice.group.Commit(CommitOptions{}, testNow))
		if _, err := p.Release(); !errors.Is(err, ErrNotPersisted) {
			t.Fatalf("released before the state was taken: %v", err)
		}
		state := p.State()
		message := must(p.Release())
		if have := generationOf(t, m[1].group, message); have != want {
			t.Fatalf("handshake generation %d, want %d", have, want)
		}
		alice.group = must(Restore(alice.cfg, state))
		if err := alice.group.Discard(alice.group.Pending()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMistakeGenerationAlwaysZero: no two messages of an epoch share a key and nonce.
func TestMistakeGenerationAlwaysZero(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	seen := make(map[string]bool)
	for range 50 {
		o := must(m[0].group.messages.nextOwn(0, ratchetApplication))
		id := string(o.key.key) + string(o.key.nonce)
		if seen[id] {
			t.Fatal("key and nonce repeat")
		}
		seen[id] = true
		m[1].open(m[0].seal("x"), "x")
	}
}

// TestMistakePathLeafIdentityNotChecked: a commit must not let a member become somebody else.
func TestMistakePathLeafIdentityNotChecked(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	other := func(l *LeafNode) { l.Credential = BasicCredential([]byte("client 0")) }
	commit := m[1].forge(forgery{leaf: other})
	update := m[1].forgeProposal(m[1].forgeUpdate(other, nil), nil, nil)
	for _, message := range [][]byte{commit, update} {
		untouched(t, m[0].group, ErrCredentialChanged, func() error { _, err := m[0].group.Process(message, testNow); return err })
		// Where the application decides, it is asked.
		m[0].cfg.AllowCredentialChange = true
		m[0].cfg.CheckLeaf = func(e LeafEvent) error {
			if e.Previous != nil && !e.Previous.Credential.Equal(&e.Leaf.Credential) {
				return errIdentityChanged
			}
			return nil
		}
		untouched(t, m[0].group, ErrLeafRejected, func() error { _, err := m[0].group.Process(message, testNow); return err })
		m[0].cfg.AllowCredentialChange = false
	}
}

// TestMistakeDuplicateDestroysRatchet: a repeated message is refused and harms nothing.
func TestMistakeDuplicateDestroysRatchet(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	for range 3 {
		message := m[0].seal("once")
		m[1].open(message, "once")
		for range 3 {
			untouched(t, m[1].group, ErrGenerationUsed, func() error { _, err := m[1].group.Process(message, testNow); return err })
		}
	}
	m[1].open(m[0].seal("still here"), "still here")
}

// TestMistakeReorderingDestroysRatchet: messages arrive in any order, some never, some forged.
func TestMistakeReorderingDestroysRatchet(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	var list [][]byte
	for range 20 {
		list = append(list, m[0].seal("x"))
	}
	for _, i := range []int{19, 3, 7, 0, 18, 1} {
		bad := bytes.Clone(list[i])
		bad[len(bad)-1] ^= 1
		untouched(t, m[1].group, ErrDecrypt, func() error { _, err := m[1].group.Process(bad, testNow); return err })
		m[1].open(list[i], "x")
		untouched(t, m[1].group, ErrGenerationUsed, func() error { _, err := m[1].group.Process(list[i], testNow); return err })
	}
	m[1].open(m[0].seal("on"), "on")
	m[1].open(list[10], "x")
}

// TestMistakeForgedSenderDestroysRatchet: a member who knows all symmetric keys encrypts under
// another's; the signature fails and the true message still arrives.
func TestMistakeForgedSenderDestroysRatchet(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	g := m[1].group
	c := g.newContent(ContentApplication, nil)
	c.content.sender = memberSender(0)
	c.content.application = []byte("forged")
	if err := g.signContent(c); err != nil {
		t.Fatal(err)
	}
	forged := m[1].frame(g, c, nil)
	untouched(t, m[2].group, ErrMessageSignature, func() error { _, err := m[2].group.Process(forged, testNow); return err })
	m[2].open(m[0].seal("true"), "true")
}

// TestMistakeCommitSecretOneShort: the commit secret is one derivation beyond the root's secret.
func TestMistakeCommitSecretOneShort(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	g := m[0].group
	p := must(g.tree.clone().createPath(rand.Reader, 0, g.tree.leaf(0), g.signer, g.context.groupID))
	want := g.suite.DeriveSecret(p.secrets[len(p.secrets)-1], "path")
	if !bytes.Equal(p.commitSecret, want) {
		t.Fatal("commit secret is not path_secret[n+1]")
	}
	message := m[1].forge(forgery{commitSecret: func(p *newPath) []byte { return p.secrets[len(p.secrets)-1] }})
	untouched(t, g, ErrConfirmationTag, func() error { _, err := g.Process(message, testNow); return err })
}

// TestMistakePathUnderWrongContext: path secrets are encrypted under the new epoch and tree, and
// the old transcript.
func TestMistakePathUnderWrongContext(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	g := m[0].group
	p := must(m[1].group.Commit(CommitOptions{}, testNow))
	p.State()
	message := must(p.Release())
	cm := must(parseMessage(message))
	c, _, err := openPrivate(cm.private, g.secrets.senderData, g.messages, noLeaf)
	if err != nil {
		t.Fatal(err)
	}
	tree := g.tree.clone()
	steps := must(tree.applyPath(1, c.content.commit.path, nil))
	right := g.context
	right.epoch++
	right.treeHash = tree.rootHash()
	for name, change := range map[string]func(*groupContext){
		"old epoch":      func(c *groupContext) { c.epoch-- },
		"old tree":       func(c *groupContext) { c.treeHash = g.context.treeHash },
		"new transcript": func(c *groupContext) { c.confirmedTranscript = p.next.context.confirmedTranscript },
	} {
		wrong := right
		change(&wrong)
		if _, _, err := tree.decryptPath(0, g.keys, steps, c.content.commit.path, nil, wrong.encode()); !errors.Is(err, ErrDecrypt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := tree.decryptPath(0, g.keys, steps, c.content.commit.path, nil, right.encode()); err != nil {
		t.Error(err)
	}
}

// TestMistakeNewLeavesInCopath: members added by a commit get no path secret in it.
func TestMistakeNewLeavesInCopath(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	dave := newClient(t, X25519AES128, "dave")
	k := dave.keyPackage()
	m[0].cfg.Handshakes = HandshakesPublic
	message, welcome := m[0].commit(CommitOptions{Proposals: []Proposal{AddMember(dave.public(k))}})
	path := must(parseMessage(message)).public.content.commit.path
	// Alice's filtered path is node 1 (Bob) and the root (Carol, and Dave at leaf 3, who is new).
	if len(path.nodes) != 2 || len(path.nodes[0].secrets) != 1 || len(path.nodes[1].secrets) != 1 {
		t.Fatalf("path has %d nodes", len(path.nodes))
	}
	m[1].process(message)
	m[2].process(message)
	dave.join(welcome, k)
	sameEpoch(t, append(m, dave)...)
	if _, ok := dave.group.keys[treemath.Root(4)]; !ok {
		t.Fatal("dave did not get the root's secret in his welcome")
	}
}

// TestMistakeExtensionsAppliedBeforeSigning: a commit that changes the extensions is signed under
// the old ones.
func TestMistakeExtensionsAppliedBeforeSigning(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[0].cfg.Handshakes = HandshakesPublic
	before := m[0].group.contextRaw
	message, _ := m[0].commit(CommitOptions{Proposals: []Proposal{SetExtensions([]Extension{{Type: extTest}})}})
	c := must(parseMessage(message)).public.authenticated()
	key := m[0].group.Leaf(0).SignatureKey
	if err := c.verify(m[0].group.suite, key, before); err != nil {
		t.Fatalf("not signed under the old context: %v", err)
	}
	if c.verify(m[0].group.suite, key, m[0].group.contextRaw) == nil {
		t.Fatal("signed under the new context")
	}
	m[1].process(message)
	sameEpoch(t, m...)
}

// TestMistakeReplayByInsider shows what MLS does not prevent: a member encrypts another's signed
// message again. The receiver cannot tell, so the application must have message ids; the doc of
// Received says so.
func TestMistakeReplayByInsider(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	original := m[0].seal("pay 10, id 1")
	mallory := m[1].group
	p := must(parseMessage(original)).private
	c, o, err := openPrivate(p, mallory.secrets.senderData, mallory.messages, mallory.own)
	if err != nil {
		t.Fatal(err)
	}
	m[2].open(original, "pay 10, id 1")
	o.take()
	replay := m[1].frame(mallory, c, nil) // under Alice's next generation, signature and all
	m[2].open(replay, "pay 10, id 1")
}

// TestMistakeGhostJoinsWithoutPSK: an external commit that names no PSK is valid in itself, so a
// group entered by a secret must demand it.
func TestMistakeGhostJoinsWithoutPSK(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[0].cfg.ExternalCommits, m[0].cfg.ExternalCommitPSK = ExternalCommitsWithPSK, []byte("call")
	info := must(m[1].group.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true}))
	ghost := newClient(t, X25519AES128, "ghost")
	j := must(JoinExternal(ghost.cfg, info, ExternalJoinOptions{Leaf: ghost.leafOptions()}, testNow))
	untouched(t, m[0].group, ErrHandshakePolicy, func() error { _, err := m[0].group.Process(j.Commit(), testNow); return err })
	m[1].process(j.Commit()) // and this is what happens to a group that does not
	if len(m[1].group.Members()) != 3 {
		t.Fatal("the premise is wrong: an open group refused the ghost")
	}
	bad := *m[0].cfg
	bad.ExternalCommitPSK = nil
	if _, err := Restore(&bad, m[0].group.State()); !errors.Is(err, ErrConfig) {
		t.Fatalf("a demand for no PSK in particular: %v", err)
	}
}

// TestMistakeUnusableKeyStopsGroup: a key that nobody can encrypt to is refused when it comes in,
// because with it in the tree every later commit would fail.
func TestMistakeUnusableKeyStopsGroup(t *testing.T) {
	for _, cs := range allSuites {
		m := newMembers(t, cs, 2)
		for name, change := range map[string]func([]byte) []byte{
			"zeros": func(b []byte) []byte { return make([]byte, len(b)) },
			"ones":  func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
			"short": func(b []byte) []byte { return b[1:] },
			"empty": func([]byte) []byte { return nil },
		} {
			if name == "ones" && (cs == X25519AES128 || cs == X25519ChaCha) {
				continue // 2^255-1 without its top bit is a point like any other
			}
			p := m[1].forgeUpdate(func(l *LeafNode) { l.EncryptionKey = change(slices.Clone(l.EncryptionKey)) }, nil)
			message := m[1].forgeProposal(p, nil, nil)
			untouched(t, m[0].group, ErrPublicKey, func() error { _, err := m[0].group.Process(message, testNow); return err })
		}
	}
}

// TestMistakeBadProposalStopsCommits: proposals that are bad only beside others stay out of a
// commit instead of making it fail.
func TestMistakeBadProposalStopsCommits(t *testing.T) {
	m := newMembers(t, X25519AES128, 4)
	bad := m[1].forgeUpdate(func(l *LeafNode) { l.EncryptionKey = m[3].group.Leaf(3).EncryptionKey }, nil)
	weak := m[2].forgeUpdate(func(l *LeafNode) { l.Capabilities.Credentials = nil }, nil)
	joiner := newClient(t, X25519AES128, "joiner")
	lacking := AddMember(joiner.forgeKeyPackage(func(l *LeafNode) { l.Capabilities.Extensions = nil }, nil, nil, nil))
	needed := SetExtensions([]Extension{(&RequiredCapabilities{Extensions: []ExtensionType{extTest}}).Extension()})
	for _, message := range [][]byte{
		m[1].forgeProposal(needed, nil, nil), m[1].forgeProposal(bad, nil, nil),
		m[1].forgeProposal(lacking, nil, nil), m[2].forgeProposal(weak, nil, nil),
	} {
		m[0].process(message)
		m[3].process(message)
	}
	message, _ := m[0].commit(CommitOptions{})
	r := m[3].process(message)
	if !r.Commit.ExtensionsChanged || len(r.Commit.Updated) != 0 || len(r.Commit.Added) != 0 {
		t.Fatalf("%+v", r.Commit)
	}
	sameEpoch(t, m[0], m[3])
}
