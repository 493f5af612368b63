package mls

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
)

// everySuite runs f for each ciphersuite.
func everySuite(t *testing.T, f func(t *testing.T, cs CipherSuite)) {
	for _, cs := range allSuites {
		t.Run(fmt.Sprintf("%#04x", uint16(cs)), func(t *testing.T) { f(t, cs) })
	}
}

func TestLifecycle(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		for _, policy := range []HandshakePolicy{HandshakesPrivate, HandshakesPublic} {
			alice, bob, carol := newClient(t, cs, "alice"), newClient(t, cs, "bob"), newClient(t, cs, "carol")
			for _, c := range []*client{alice, bob, carol} {
				c.cfg.Handshakes = policy
			}
			alice.create()
			add(alice, nil, bob)
			sameEpoch(t, alice, bob)
			bob.open(alice.seal("hello bob"), "hello bob")
			alice.open(bob.seal("hello alice"), "hello alice")

			add(bob, []*client{alice}, carol)
			sameEpoch(t, alice, bob, carol)

			// Carol's Update is committed by Alice.
			o, err := carol.group.ProposeUpdate(LeafUpdate{}, testNow)
			update := release(t, o, err)
			alice.process(update)
			bob.process(update)
			message, _ := alice.commit(CommitOptions{})
			bob.process(message)
			if r := carol.process(message); len(r.Commit.Updated) != 1 || r.Commit.Updated[0] != carol.group.OwnLeaf() {
				t.Fatalf("updated: %v", r.Commit.Updated)
			}
			sameEpoch(t, alice, bob, carol)
			carol.open(bob.seal("after the update"), "after the update")

			// Carol commits nothing but new keys.
			message, _ = carol.commit(CommitOptions{})
			alice.process(message)
			bob.process(message)
			sameEpoch(t, alice, bob, carol)

			// Bob is removed.
			message, _ = alice.commit(CommitOptions{Proposals: []Proposal{RemoveMember(bob.group.OwnLeaf())}})
			carol.process(message)
			if r := bob.process(message); !r.Commit.SelfRemoved || !bob.group.Removed() {
				t.Fatal("bob does not know that he is removed")
			}
			sameEpoch(t, alice, carol)
			if _, err := bob.group.Process(alice.seal("secret"), testNow); !errors.Is(err, ErrRemoved) {
				t.Fatalf("bob after his removal: %v", err)
			}
		}
	})
}

func TestPSKs(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 3)
		for _, c := range m {
			c.psks["shared"] = []byte("a pre-shared key")
			c.cfg.ResumptionEpochs = 2
		}
		first := m[0].group.Epoch()
		for _, o := range []CommitOptions{
			{Proposals: []Proposal{UsePSK([]byte("shared"))}, OmitPath: true},
			{Proposals: []Proposal{UsePSK([]byte("shared")), UsePSK([]byte("shared"))}},
			{Proposals: []Proposal{UseResumptionPSK(m[0].group.ID(), first), UsePSK([]byte("shared"))}},
		} {
			message, _ := m[0].commit(o)
			for _, c := range m[1:] {
				if r := c.process(message); len(r.Commit.PSKs) != len(o.Proposals) {
					t.Fatalf("%d PSKs", len(r.Commit.PSKs))
				}
			}
			sameEpoch(t, m...)
		}
		// A new member needs the PSK too.
		dave := newClient(t, cs, "dave")
		k := dave.keyPackage()
		message, welcome := m[1].commit(CommitOptions{Proposals: []Proposal{AddMember(dave.public(k)), UsePSK([]byte("shared"))}})
		if _, err := Join(dave.cfg, welcome, k, JoinOptions{}, testNow); !errors.Is(err, ErrUnknownPSK) {
			t.Fatalf("joining without the PSK: %v", err)
		}
		dave.psks["shared"] = []byte("another key")
		if _, err := Join(dave.cfg, welcome, k, JoinOptions{}, testNow); !errors.Is(err, ErrDecrypt) {
			t.Fatalf("joining with a wrong PSK: %v", err)
		}
		dave.psks["shared"] = []byte("a pre-shared key")
		dave.join(welcome, k)
		m[0].process(message)
		m[2].process(message)
		sameEpoch(t, append(m, dave)...)
	})
}

func TestExternalJoin(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 1)
		for i := 1; i < 6; i++ {
			c := newClient(t, cs, fmt.Sprintf("joiner %d", i))
			c.externalJoin(ExternalJoinOptions{}, m...)
			m = append(m, c)
			sameEpoch(t, m...)
			m[0].open(c.seal("in"), "in")
		}
		// The third loses its state and comes back to its own place.
		lost := m[2]
		at := lost.group.OwnLeaf()
		others := append(append([]*client(nil), m[:2]...), m[3:]...)
		again := newClient(t, cs, lost.name)
		again.cfg.Signer = lost.cfg.Signer
		again.externalJoin(ExternalJoinOptions{Resync: &at}, others...)
		if again.group.OwnLeaf() != at {
			t.Fatalf("came back at leaf %d, was at %d", again.group.OwnLeaf(), at)
		}
		sameEpoch(t, append(others, again)...)
	})
}

func TestExternalJoinWithPSK(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 2)
		for _, c := range m {
			c.psks["call"] = []byte("call secret")
			c.cfg.ExternalCommits, c.cfg.ExternalCommitPSK = ExternalCommitsWithPSK, []byte("call")
		}
		guest := newClient(t, cs, "guest")
		guest.psks["call"] = []byte("call secret")
		guest.externalJoin(ExternalJoinOptions{PSKs: [][]byte{[]byte("call")}}, m...)
		sameEpoch(t, append(m, guest)...)

		// Neither without naming the PSK nor with a wrong one does a ghost get in.
		ghost := newClient(t, cs, "ghost")
		ghost.psks["call"] = []byte("a guess")
		info := must(m[0].group.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true}))
		j := must(JoinExternal(ghost.cfg, info, ExternalJoinOptions{Leaf: ghost.leafOptions()}, testNow))
		untouched(t, m[0].group, ErrHandshakePolicy, func() error { _, err := m[0].group.Process(j.Commit(), testNow); return err })
		j = must(JoinExternal(ghost.cfg, info, ExternalJoinOptions{Leaf: ghost.leafOptions(), PSKs: [][]byte{[]byte("call")}}, testNow))
		untouched(t, m[0].group, ErrConfirmationTag, func() error { _, err := m[0].group.Process(j.Commit(), testNow); return err })
	})
}

func TestGroupContextExtensions(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	list := []Extension{
		(&RequiredCapabilities{Extensions: []ExtensionType{extTest}, Credentials: []CredentialType{CredentialBasic}}).Extension(),
		{Type: extTest, Data: []byte("settings")},
	}
	message, _ := m[1].commit(CommitOptions{Proposals: []Proposal{SetExtensions(list)}})
	m[0].process(message)
	if r := m[2].process(message); !r.Commit.ExtensionsChanged {
		t.Fatal("change of extensions not reported")
	}
	sameEpoch(t, m...)
	for _, c := range m {
		if data, ok := FindExtension(c.group.Extensions(), extTest); !ok || string(data) != "settings" {
			t.Fatalf("extension %q", data)
		}
	}
	add(m[2], m[:2], newClient(t, X25519AES128, "late"))
}

func TestExternalSenderRemoves(t *testing.T) {
	server := newSigner(t, X25519AES128)
	s := must(X25519AES128.get())
	ext := ExternalSendersExtension([]ExternalSender{{
		SignatureKey: must(s.SignerPublicKey(server)), Credential: BasicCredential([]byte("server")),
	}})
	m := newMembers(t, X25519AES128, 3, ext)
	g := m[0].group
	proposal := must(ProposeRemoveExternally(X25519AES128, g.ID(), g.Epoch(), 0, m[2].group.OwnLeaf(), rand.Reader, server))
	for _, c := range m {
		if r := c.process(proposal); r.Sender.Type != SenderExternal || r.Proposal.Remove != m[2].group.OwnLeaf() {
			t.Fatalf("%+v", r)
		}
	}
	untouched(t, g, ErrPendingProposals, func() error { _, err := g.Seal([]byte("x"), SealOptions{}); return err })
	if _, err := g.Seal([]byte("x"), SealOptions{DespiteProposals: true}); err != nil {
		t.Fatal(err)
	}
	message, _ := m[0].commit(CommitOptions{})
	if r := m[1].process(message); len(r.Commit.Removed) != 1 || r.Commit.RemovedBy[0].Type != SenderExternal {
		t.Fatalf("%+v", r.Commit)
	}
	m[2].process(message)
	sameEpoch(t, m[:2]...)
}

func TestWelcomeWithoutTree(t *testing.T) {
	alice, bob := newClient(t, Hybrid, "alice"), newClient(t, Hybrid, "bob")
	alice.create()
	k := bob.keyPackage()
	_, welcome := alice.commit(CommitOptions{Proposals: []Proposal{AddMember(bob.public(k))}, OmitRatchetTree: true})
	if _, err := Join(bob.cfg, welcome, k, JoinOptions{}, testNow); !errors.Is(err, ErrNoRatchetTree) {
		t.Fatalf("error is %v", err)
	}
	g, err := Join(bob.cfg, welcome, k, JoinOptions{RatchetTree: alice.group.RatchetTree()}, testNow)
	if err != nil {
		t.Fatal(err)
	}
	bob.group = g
	sameEpoch(t, alice, bob)
}

// TestPartialCommit adds without a path and lets the new, unmerged members take part.
func TestPartialCommit(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 5)
		for i := 5; i < 9; i++ {
			c := newClient(t, cs, fmt.Sprintf("client %d", i))
			k := c.keyPackage()
			message, welcome := m[i%5].commit(CommitOptions{Proposals: []Proposal{AddMember(c.public(k))}, OmitPath: true})
			for j, other := range m {
				if j != i%5 {
					if r := other.process(message); r.Commit.Path {
						t.Fatal("there is a path")
					}
				}
			}
			c.join(welcome, k)
			m = append(m, c)
			sameEpoch(t, m...)
		}
		for i := range m {
			message, _ := m[i].commit(CommitOptions{})
			for j := range m {
				if j != i {
					m[j].process(message)
				}
			}
			sameEpoch(t, m...)
		}
	})
}

// TestLeafUpdate changes credential, extensions and signature key in a commit and in an Update.
func TestLeafUpdate(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	next := newSigner(t, X25519AES128)
	cert := []Extension{{Type: extTest, Data: []byte("certificate")}}
	message, _ := m[0].commit(CommitOptions{Leaf: LeafUpdate{Extensions: cert, Signer: next}})
	m[1].process(message)
	m[2].process(message)
	sameEpoch(t, m...)
	m[1].open(m[0].seal("signed anew"), "signed anew")

	third := newSigner(t, X25519AES128)
	o, err := m[1].group.ProposeUpdate(LeafUpdate{Signer: third, Extensions: cert}, testNow)
	update := release(t, o, err)
	m[0].process(update)
	m[2].process(update)
	// Restore needs the key that the pending Update brings.
	if _, err := Restore(m[1].cfg, m[1].group.State()); !errors.Is(err, ErrConfig) {
		t.Fatalf("restoring without the new signer: %v", err)
	}
	m[1].group = must(Restore(m[1].cfg, m[1].group.State(), third))
	message, _ = m[2].commit(CommitOptions{})
	m[0].process(message)
	m[1].process(message)
	sameEpoch(t, m...)
	m[0].open(m[1].seal("me too"), "me too")
	if leaf := m[2].group.Leaf(1); !bytes.Equal(leaf.Extensions[0].Data, []byte("certificate")) {
		t.Fatalf("extension %q", leaf.Extensions[0].Data)
	}
}

func TestEveryLeafIsChecked(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	reasons := func(c *client) map[LeafReason]int {
		n := make(map[LeafReason]int)
		for _, e := range c.leafs {
			n[e.Reason]++
		}
		return n
	}
	if n := reasons(m[2]); n[LeafInJoinedTree] != 3 || n[LeafCreated] != 1 {
		t.Fatalf("joiner was asked %v", n)
	}
	m[0].leafs = nil
	add(m[1], []*client{m[0], m[2]}, newClient(t, X25519AES128, "late"))
	if n := reasons(m[0]); n[LeafAdded] != 1 || n[LeafCommitted] != 1 {
		t.Fatalf("for an add we were asked %v", n)
	}
	m[0].leafs = nil
	o, err := m[2].group.ProposeUpdate(LeafUpdate{}, testNow)
	update := release(t, o, err)
	m[0].process(update)
	m[1].process(update)
	message, _ := m[1].commit(CommitOptions{})
	m[0].process(message)
	if n := reasons(m[0]); n[LeafUpdated] != 2 || n[LeafCommitted] != 1 { // at receipt and at commit
		t.Fatalf("for an update we were asked %v", n)
	}
	m[0].leafs = nil
	newClient(t, X25519AES128, "guest").externalJoin(ExternalJoinOptions{}, m[0])
	if n := reasons(m[0]); n[LeafJoinedExternally] != 1 {
		t.Fatalf("for an external join we were asked %v", n)
	}
}
