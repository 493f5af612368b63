package mls

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

// arena is a small group for one negative case. Alice is the victim: her state must survive.
// Mallory is a member who breaks the rules; Carol is a bystander.
type arena struct {
	t                     *testing.T
	alice, mallory, carol *client
	// joiner is the victim of the cases about joining: it has a key package and no group.
	joiner *client
	kp     *OwnKeyPackage
	// host and guest are the members of the group of joinFlat.
	host, guest *client
}

func newArena(t *testing.T, extensions ...Extension) *arena {
	m := newMembers(t, X25519AES128, 3, extensions...)
	w := &arena{t: t, alice: m[0], mallory: m[1], carol: m[2], joiner: newClient(t, X25519AES128, "joiner")}
	w.kp = w.joiner.keyPackage()
	return w
}

// victim returns the attempt to let Alice process a message.
func (w *arena) victim(message []byte) func() error {
	return func() error { _, err := w.alice.group.Process(message, testNow); return err }
}

// hash covers everything that an error must leave alone.
func (w *arena) hash() [32]byte {
	state := stateHash(w.alice.group)
	k, err := w.kp.Bytes()
	if err != nil {
		w.t.Fatal(err)
	}
	return sha256.Sum256(append(state[:], k...))
}

// negative is one rule of RFC 9420 and a way to break it. prepare builds the attack and returns
// the call that must fail with want.
type negative struct {
	section, name string
	want          error
	prepare       func(*arena) func() error
}

// negatives returns all cases.
func negatives() []negative {
	var list []negative
	for _, part := range [][]negative{
		leafNegatives(), treeNegatives(), contextNegatives(), creationNegatives(), proposalNegatives(),
		proposalListNegatives(), externalCommitNegatives(), commitNegatives(), welcomeNegatives(), externalJoinNegatives(),
	} {
		list = append(list, part...)
	}
	return list
}

// TestRulesOfRFC9420 breaks every rule of §§7.3, 8.1, 11 and 12.1 to 12.4 in turn and checks that
// the right error comes back and the state is as before.
func TestRulesOfRFC9420(t *testing.T) {
	list := negatives()
	sections := make(map[string]int)
	names := make(map[string]bool)
	for _, n := range list {
		major := strings.Join(strings.SplitN(strings.TrimPrefix(n.section, "§"), ".", 3)[:min(2, strings.Count(n.section, ".")+1)], ".")
		sections[major]++
		id := n.section + " " + n.name
		if names[id] {
			t.Fatalf("two cases are named %q", id)
		}
		names[id] = true
		t.Run(id, func(t *testing.T) {
			w := newArena(t)
			cfg := *w.alice.cfg
			attack := n.prepare(w)
			before := w.hash()
			err := attack()
			if !errors.Is(err, n.want) {
				t.Fatalf("error is %v\nwant %v", err, n.want)
			}
			if w.hash() != before {
				t.Fatalf("the state changed on %v", err)
			}
			*w.alice.cfg = cfg
			// It still works: the rest of the group goes on and Alice follows.
			if !bytes.Equal(w.alice.group.TreeHash(), w.carol.group.TreeHash()) {
				return // the case moved Alice on its way
			}
			w.alice.group.ClearProposals()
			w.carol.group.ClearProposals()
			message, _ := w.carol.commit(CommitOptions{})
			w.alice.process(message)
		})
	}
	t.Logf("%d cases: %v", len(list), sections)
	if len(list) < 120 {
		t.Fatalf("only %d cases", len(list))
	}
	for _, s := range []string{"7.3", "8.1", "11", "12.1", "12.2", "12.3", "12.4"} {
		if sections[s] == 0 && sections[s+".1"] == 0 {
			t.Errorf("no case for §%s", s)
		}
	}
}

// TestForgeriesAreSound is the other half of the negative cases: what they break is the only thing
// wrong with the forged messages, because without the break they are accepted.
func TestForgeriesAreSound(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(*arena) error
	}{
		{"commit", func(w *arena) error { return w.victim(w.mallory.forge(forgery{}))() }},
		{"private commit", func(w *arena) error { return w.victim(w.mallory.forge(forgery{private: true}))() }},
		{"commit with proposals", func(w *arena) error {
			w.mallory.psks["x"], w.alice.psks["x"] = []byte("psk"), []byte("psk")
			psk := UsePSK([]byte("x"))
			psk.PSK.Nonce = make([]byte, 32)
			return w.victim(w.mallory.forge(forgery{proposals: byValue(
				AddMember(w.joiner.forgeKeyPackage(nil, nil, nil, nil)), RemoveMember(w.carol.group.OwnLeaf()), psk, SetExtensions(nil))}))()
		}},
		{"commit with a changed leaf", func(w *arena) error { return w.victim(w.mallory.forge(forgery{leaf: func(*LeafNode) {}}))() }},
		{"update", func(w *arena) error {
			return w.victim(w.mallory.forgeProposal(w.mallory.forgeUpdate(nil, nil), nil, nil))()
		}},
		{"external commit", func(w *arena) error {
			return w.victim(w.joiner.forgeExternal(w.alice, forgery{proposals: byValue(externalInitProposal())}))()
		}},
		{"welcome", func(w *arena) error { return w.joinFlat(introduction{})() }},
		{"welcome to a tree with parents", func(w *arena) error { return w.joinDeep(introduction{})() }},
		{"external join", func(w *arena) error { return w.joinExternal(introduction{})() }},
	} {
		if err := c.run(newArena(t)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// joinFlat returns the joiner's attempt to join a group whose tree has no parents, so that leaves
// can be changed without breaking parent hashes. It has the host at 0, the guest at 1, the joiner at 2.
func (w *arena) joinFlat(in introduction, psks ...pskInput) func() error {
	return w.join(w.flat(), in, psks...)
}

func (w *arena) flat() *Group {
	w.host, w.guest = newClient(w.t, X25519AES128, "host"), newClient(w.t, X25519AES128, "guest")
	w.host.create()
	w.host.commit(CommitOptions{OmitPath: true, Proposals: []Proposal{
		AddMember(w.guest.public(w.guest.keyPackage())), AddMember(w.kp.public),
	}})
	return w.host.group
}

// joinDeep does the same where the tree has parents. The joiner is at leaf 7, unmerged at the nodes
// 11 and 7, the root.
func (w *arena) joinDeep(in introduction, psks ...pskInput) func() error {
	return w.join(w.deep(), in, psks...)
}

func (w *arena) deep() *Group {
	m := newMembers(w.t, X25519AES128, 7)
	w.host = m[0]
	for _, c := range m[1:] {
		message, _ := c.commit(CommitOptions{})
		for _, d := range m {
			if d != c {
				d.process(message)
			}
		}
	}
	m[0].commit(CommitOptions{OmitPath: true, Proposals: []Proposal{AddMember(w.kp.public)}})
	return m[0].group
}

func (w *arena) join(g *Group, in introduction, psks ...pskInput) func() error {
	message := in.forWelcome(g, w.kp, psks...)
	return func() error { _, err := Join(w.joiner.cfg, message, w.kp, JoinOptions{}, testNow); return err }
}

func (w *arena) joinExternal(in introduction) func() error {
	info := in.forExternal(w.mallory.group)
	return func() error {
		_, err := JoinExternal(w.joiner.cfg, info, ExternalJoinOptions{Leaf: w.joiner.leafOptions()}, testNow)
		return err
	}
}
