package mls

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"
	"time"
)

// TestPendingSurvivesCrash: a commit that was accepted while we were down is merged afterwards.
func TestPendingSurvivesCrash(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 3)
		dave := newClient(t, cs, "dave")
		k := dave.keyPackage()
		p, err := m[0].group.Commit(CommitOptions{Proposals: []Proposal{
			AddMember(dave.public(k)), RemoveMember(2), SetExtensions([]Extension{{Type: extTest}}),
		}}, testNow)
		if err != nil {
			t.Fatal(err)
		}
		untouched(t, m[0].group, ErrPendingCommit, func() error { _, err := m[0].group.Commit(CommitOptions{}, testNow); return err })
		m[0].group = must(Restore(m[0].cfg, p.State()))
		restored := m[0].group.Pending()
		if restored == nil || restored == p {
			t.Fatal("no pending commit")
		}
		info := restored.Info()
		if len(info.Added) != 1 || len(info.Removed) != 1 || !info.ExtensionsChanged || !info.Path ||
			info.Epoch != p.Info().Epoch || info.Added[0].Leaf == nil || info.Removed[0].Leaf == nil {
			t.Fatalf("%+v", info)
		}
		if _, err := restored.Release(); !errors.Is(err, ErrNotPersisted) {
			t.Fatal(err)
		}
		restored.State()
		m[1].process(must(restored.Release()))
		if err := m[0].group.Merge(p, testNow); !errors.Is(err, ErrStalePending) {
			t.Fatalf("merging the one from before the crash: %v", err)
		}
		next := must(restored.GroupInfo(GroupInfoOptions{RatchetTree: true, ExternalPub: true}))
		if err := m[0].group.Merge(restored, testNow); err != nil {
			t.Fatal(err)
		}
		dave.join(restored.Welcome(), k)
		sameEpoch(t, m[0], m[1], dave)
		late := newClient(t, cs, "late")
		j := must(JoinExternal(late.cfg, next, ExternalJoinOptions{Leaf: late.leafOptions()}, testNow))
		m[0].process(j.Commit())
	})
}

func TestLosingTheRace(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	p := must(m[0].group.Commit(CommitOptions{}, testNow))
	secrets, key := p.next.secrets, p.next.keys[0]
	message, _ := m[1].commit(CommitOptions{})
	m[0].process(message)
	sameEpoch(t, m...)
	if !bytes.Equal(secrets.init, make([]byte, 32)) || !bytes.Equal(key, make([]byte, 32)) {
		t.Fatal("secrets of the losing commit are in memory")
	}
	if m[0].group.Pending() != nil {
		t.Fatal("the losing commit is still pending")
	}
	for name, f := range map[string]func() error{
		"info":    func() error { _, err := p.GroupInfo(GroupInfoOptions{}); return err },
		"merge":   func() error { return m[0].group.Merge(p, testNow) },
		"discard": func() error { return m[0].group.Discard(p) },
		"nil":     func() error { return m[0].group.Merge(nil, testNow) },
	} {
		t.Run(name, func(t *testing.T) { untouched(t, m[0].group, ErrStalePending, f) })
	}
}

func TestStateVersions(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	g := m[0].group
	state := g.State()
	o := must(g.Seal([]byte("x"), SealOptions{}))
	if s := o.StateSince(state.GroupVersion); s.Group != nil || !bytes.Equal(s.Messages, g.State().Messages) || s.GroupVersion != state.GroupVersion {
		t.Fatal("the group part was not left out")
	}
	if _, err := o.Release(); err != nil {
		t.Fatal(err)
	}
	if g.StateSince(state.GroupVersion-1).Group == nil {
		t.Fatal("the group part was left out though it has changed")
	}
	if g.State().GroupVersion != state.GroupVersion || !bytes.Equal(g.State().Group, state.Group) {
		t.Fatal("sending a message changed the group part")
	}
	if bytes.Equal(g.State().Messages, state.Messages) {
		t.Fatal("sending a message did not change the message keys")
	}
	m[0].propose(RemoveMember(1))
	if g.State().GroupVersion <= state.GroupVersion {
		t.Fatal("a proposal did not change the version")
	}
}

// TestResultsAreOurs: a caller may erase or change what it has given and got.
func TestResultsAreOurs(t *testing.T) {
	c := newClient(t, X25519AES128, "c")
	identity := []byte("identity")
	id := []byte("group id")
	o := GroupOptions{CipherSuite: X25519AES128, ID: id, Leaf: c.leafOptions(), Extensions: []Extension{{Type: extTest, Data: []byte("data")}}}
	o.Leaf.Credential = Credential{Type: CredentialBasic, Identity: identity}
	g := must(NewGroup(c.cfg, o, testNow))
	before := stateHash(g)
	clear(identity)
	clear(id)
	clear(o.Extensions[0].Data)
	clear(o.Leaf.Capabilities.Credentials)
	s := g.State()
	clear(s.Group)
	clear(s.Messages)
	clear(g.ID())
	clear(g.Extensions()[0].Data)
	clear(must(g.EpochAuthenticator()))
	clear(g.TreeHash())
	clear(g.RatchetTree())
	if s = g.State(); sha256.Sum256(append(s.Group, s.Messages...)) != before || string(g.Leaf(0).Credential.Identity) != "identity" {
		t.Fatal("the group shares memory with its caller")
	}
	if must(Restore(c.cfg, g.State())).Leaf(0).Capabilities.Credentials[0] != CredentialBasic {
		t.Fatal("capabilities changed")
	}
}

// TestDamagedState: a state that was stored badly gives an error, never a group or a panic.
func TestDamagedState(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	m[0].cfg.PastEpochs, m[0].cfg.PastEpochLifetime, m[0].cfg.ResumptionEpochs = 2, time.Hour, 2
	m[1].open(m[0].seal("x"), "x")
	old := m[0].group.State()
	message, _ := m[1].commit(CommitOptions{})
	m[0].process(message)
	m[2].process(message)
	if _, err := m[0].group.ProposeUpdate(LeafUpdate{}, testNow); err != nil {
		t.Fatal(err)
	}
	if _, err := m[0].group.Commit(CommitOptions{}, testNow); err != nil {
		t.Fatal(err)
	}
	state := m[0].group.State()
	for name, c := range map[string]struct {
		want error
		s    State
	}{
		"message keys of another epoch": {ErrStateMismatch, State{Group: state.Group, Messages: old.Messages}},
		"group of another epoch":        {ErrStateMismatch, State{Group: old.Group, Messages: state.Messages}},
		"group version":                 {ErrStateVersion, State{Group: append([]byte{9, 9}, state.Group[2:]...), Messages: state.Messages}},
		"messages version":              {ErrStateVersion, State{Group: state.Group, Messages: append([]byte{9, 9}, state.Messages[2:]...)}},
		"no group":                      {ErrState, State{Messages: state.Messages}},
		"no messages":                   {ErrState, State{Group: state.Group}},
		"bytes after the group":         {ErrState, State{Group: append(bytes.Clone(state.Group), 0), Messages: state.Messages}},
		"bytes after the messages":      {ErrState, State{Group: state.Group, Messages: append(bytes.Clone(state.Messages), 0)}},
	} {
		if _, err := Restore(m[0].cfg, c.s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for i := range state.Group {
		if g, err := Restore(m[0].cfg, State{Group: state.Group[:i], Messages: state.Messages}); err == nil {
			t.Fatalf("restored from %d bytes: %v", i, g)
		}
	}
	for i := range state.Messages {
		if _, err := Restore(m[0].cfg, State{Group: state.Group, Messages: state.Messages[:i]}); err == nil {
			t.Fatalf("restored from %d bytes", i)
		}
	}
	stranger := newClient(t, X25519AES128, "stranger")
	if _, err := Restore(stranger.cfg, state); !errors.Is(err, ErrConfig) {
		t.Errorf("another's signer: %v", err)
	}
}

func TestDamagedKeyPackage(t *testing.T) {
	c := newClient(t, X25519AES128, "c")
	b := must(c.keyPackage().Bytes())
	other := must(c.keyPackage().Bytes())
	for i := range b {
		if _, err := ParseOwnKeyPackage(b[:i]); err == nil {
			t.Fatalf("parsed %d bytes", i)
		}
	}
	if _, err := ParseOwnKeyPackage(append([]byte{9, 9}, b[2:]...)); !errors.Is(err, ErrStateVersion) {
		t.Error(err)
	}
	tail := 2*33 + 1 // two private keys and the flag
	mixed := append(bytes.Clone(b[:len(b)-tail]), other[len(other)-tail:]...)
	if _, err := ParseOwnKeyPackage(mixed); !errors.Is(err, ErrState) {
		t.Errorf("private keys of another: %v", err)
	}
}

// TestRemovedState: a group that we were removed from holds no secret, in memory or stored.
func TestRemovedState(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[1].cfg.PastEpochs, m[1].cfg.PastEpochLifetime, m[1].cfg.ResumptionEpochs = 1, time.Hour, 1
	message, _ := m[0].commit(CommitOptions{})
	m[1].process(message)
	var secrets [][]byte
	for _, s := range m[1].group.secrets.all() {
		secrets = append(secrets, bytes.Clone(*s))
	}
	for _, k := range m[1].group.keys {
		secrets = append(secrets, bytes.Clone(k))
	}
	m[1].group.ProposeUpdate(LeafUpdate{}, testNow)
	message, _ = m[0].commit(CommitOptions{Proposals: []Proposal{RemoveMember(1)}})
	m[1].process(message)
	state := m[1].group.State()
	for _, s := range secrets {
		if contains(state, s) {
			t.Fatal("a secret survives our removal")
		}
	}
	g := must(Restore(m[1].cfg, state))
	if !g.Removed() || len(g.Members()) != 2 {
		t.Fatal("restored as a member")
	}
	for name, f := range map[string]func() error{
		"seal":    func() error { _, err := g.Seal(nil, SealOptions{}); return err },
		"commit":  func() error { _, err := g.Commit(CommitOptions{}, testNow); return err },
		"propose": func() error { _, err := g.Propose(RemoveMember(0), testNow); return err },
		"update":  func() error { _, err := g.ProposeUpdate(LeafUpdate{}, testNow); return err },
		"process": func() error { _, err := g.Process(message, testNow); return err },
		"export":  func() error { _, err := g.Export("x", nil, 32); return err },
		"auth":    func() error { _, err := g.EpochAuthenticator(); return err },
		"info":    func() error { _, err := g.GroupInfo(GroupInfoOptions{}); return err },
		"merge":   func() error { return g.Merge(nil, testNow) },
	} {
		t.Run(name, func(t *testing.T) { untouched(t, g, ErrRemoved, f) })
	}
}
