package mls

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"errors"
	"io"
	"testing"
)

// failingSigner fails after n signatures.
type failingSigner struct {
	crypto.Signer
	n int
}

var errNoSignature = errors.New("the key store is locked")

func (f *failingSigner) Sign(r io.Reader, message []byte, o crypto.SignerOpts) ([]byte, error) {
	if f.n == 0 {
		return nil, errNoSignature
	}
	f.n--
	return f.Signer.Sign(r, message, o)
}

// TestFaults lets randomness, the signer and every check of the application fail at each point of
// each operation in turn. Nothing may change.
func TestFaults(t *testing.T) {
	type operation struct {
		name string
		run  func(c *client, other *KeyPackage) error
	}
	operations := []operation{
		{"seal", func(c *client, _ *KeyPackage) error { _, err := c.group.Seal([]byte("x"), SealOptions{}); return err }},
		{"propose", func(c *client, k *KeyPackage) error { _, err := c.group.Propose(AddMember(k), testNow); return err }},
		{"propose PSK", func(c *client, _ *KeyPackage) error {
			_, err := c.group.Propose(UsePSK([]byte("psk")), testNow)
			return err
		}},
		{"update", func(c *client, _ *KeyPackage) error {
			_, err := c.group.ProposeUpdate(LeafUpdate{}, testNow)
			return err
		}},
		{"commit", func(c *client, k *KeyPackage) error {
			_, err := c.group.Commit(CommitOptions{Proposals: []Proposal{AddMember(k), UsePSK([]byte("psk"))}}, testNow)
			return err
		}},
		{"partial commit", func(c *client, k *KeyPackage) error {
			_, err := c.group.Commit(CommitOptions{OmitPath: true, Proposals: []Proposal{AddMember(k)}}, testNow)
			return err
		}},
		{"group info", func(c *client, _ *KeyPackage) error {
			_, err := c.group.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true})
			return err
		}},
		{"external join", func(c *client, _ *KeyPackage) error {
			cfg := *c.cfg
			cfg.Rand, cfg.Signer = rand.Reader, c.group.signer
			good := *c.group
			good.cfg = &cfg
			if f, ok := good.signer.(*failingSigner); ok {
				good.signer = f.Signer
			}
			info, err := good.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true})
			if err != nil {
				return err
			}
			d := newClient(c.t, c.suite, "d")
			d.cfg.Rand, d.cfg.CheckLeaf = c.cfg.Rand, c.cfg.CheckLeaf
			if f, ok := c.group.signer.(*failingSigner); ok {
				d.cfg.Signer = &failingSigner{d.cfg.Signer, f.n}
			}
			d.psks["psk"] = []byte("psk")
			_, err = JoinExternal(d.cfg, info, ExternalJoinOptions{Leaf: d.leafOptions(), PSKs: [][]byte{[]byte("psk")}}, testNow)
			return err
		}},
		{"create", func(c *client, _ *KeyPackage) error {
			cfg := *c.cfg
			cfg.Signer = c.group.signer
			_, err := NewGroup(&cfg, GroupOptions{CipherSuite: c.suite, ID: []byte("id"), Leaf: c.leafOptions()}, testNow)
			return err
		}},
		{"key package", func(c *client, _ *KeyPackage) error {
			cfg := *c.cfg
			cfg.Signer = c.group.signer
			_, err := NewKeyPackage(&cfg, KeyPackageOptions{CipherSuite: c.suite, Leaf: c.leafOptions()}, testNow)
			return err
		}},
	}
	faults := map[string]func(c *client, n int) (undo func(), want error){
		"randomness": func(c *client, n int) (func(), error) {
			c.cfg.Rand = &failingReader{rand.Reader, n}
			return func() { c.cfg.Rand = rand.Reader }, errNoRandomness
		},
		"signer": func(c *client, n int) (func(), error) {
			good := c.group.signer
			c.group.signer = &failingSigner{good, n}
			return func() { c.group.signer = good }, errNoSignature
		},
		"leaf check": func(c *client, n int) (func(), error) {
			good := c.cfg.CheckLeaf
			c.cfg.CheckLeaf = func(e LeafEvent) error {
				if n == 0 {
					return errIdentityChanged
				}
				n--
				return good(e)
			}
			return func() { c.cfg.CheckLeaf = good }, errIdentityChanged
		},
	}
	for _, op := range operations {
		for name, fault := range faults {
			t.Run(op.name+" without "+name, func(t *testing.T) {
				m := newMembers(t, X25519AES128, 2)
				m[0].psks["psk"] = []byte("psk")
				other := newClient(t, X25519AES128, "other")
				k := other.keyPackage().public
				for n := range 20 {
					before := stateHash(m[0].group)
					undo, want := fault(m[0], n)
					err := op.run(m[0], k)
					undo()
					if err == nil {
						return
					}
					if !errors.Is(err, want) {
						t.Fatalf("failure %d: %v", n, err)
					}
					if stateHash(m[0].group) != before {
						t.Fatalf("failure %d changed the state", n)
					}
				}
				t.Fatal("never succeeds")
			})
		}
	}
}

// TestConfig: what is required cannot be left out.
func TestConfig(t *testing.T) {
	good := *newClient(t, X25519AES128, "c").cfg
	for name, change := range map[string]func(*Config){
		"signer":       func(c *Config) { c.Signer = nil },
		"randomness":   func(c *Config) { c.Rand = nil },
		"leaf check":   func(c *Config) { c.CheckLeaf = nil },
		"psk id":       func(c *Config) { c.ExternalCommits = ExternalCommitsWithPSK },
		"padding":      func(c *Config) { c.PadTo = -1 },
		"past epochs":  func(c *Config) { c.PastEpochs = -1 },
		"lifetime":     func(c *Config) { c.PastEpochLifetime = -1 },
		"resumption":   func(c *Config) { c.ResumptionEpochs = -1 },
		"wrong signer": func(c *Config) { c.Signer = newSigner(t, P256AES128) },
	} {
		cfg := good
		change(&cfg)
		if _, err := NewGroup(&cfg, GroupOptions{CipherSuite: X25519AES128}, testNow); err == nil {
			t.Errorf("%s: accepted", name)
		} else if want := map[bool]error{true: ErrSigner, false: ErrConfig}[name == "wrong signer"]; !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, f := range map[string]func() error{
		"create":      func() error { _, err := NewGroup(nil, GroupOptions{}, testNow); return err },
		"key package": func() error { _, err := NewKeyPackage(nil, KeyPackageOptions{}, testNow); return err },
		"join":        func() error { _, err := Join(nil, nil, nil, JoinOptions{}, testNow); return err },
		"external":    func() error { _, err := JoinExternal(nil, nil, ExternalJoinOptions{}, testNow); return err },
		"restore":     func() error { _, err := Restore(nil, State{}); return err },
	} {
		if err := f(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPadding: messages of different length have the same size.
func TestPadding(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[0].cfg.PadTo = 512
	a, b := m[0].seal("x"), m[0].seal(string(bytes.Repeat([]byte("y"), 300)))
	if len(a) != len(b) {
		t.Fatalf("%d and %d bytes", len(a), len(b))
	}
	m[1].open(a, "x")
	m[0].cfg.PadTo = 1
	if c := m[0].seal("x"); len(c) >= len(a) {
		t.Fatalf("%d bytes without padding", len(c))
	}
}

func TestEphemeral(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[0].cfg.Ephemeral = true
	o := must(m[0].group.Seal([]byte("x"), SealOptions{AuthenticatedData: []byte("aad")}))
	r := m[1].process(must(o.Release()))
	if string(r.AuthenticatedData) != "aad" {
		t.Fatalf("%q", r.AuthenticatedData)
	}
	p := must(m[0].group.Commit(CommitOptions{AuthenticatedData: []byte("why")}, testNow))
	if r := m[1].process(must(p.Release())); string(r.AuthenticatedData) != "why" {
		t.Fatalf("%q", r.AuthenticatedData)
	}
}

// TestSelectWaiting: a commit takes of the waiting proposals what makes a valid list.
func TestSelectWaiting(t *testing.T) {
	m := newMembers(t, X25519AES128, 4)
	for _, c := range m {
		c.psks["known"] = []byte("psk")
	}
	x, y := newClient(t, X25519AES128, "x"), newClient(t, X25519AES128, "y")
	everybody := func(from *client, message []byte) {
		for _, c := range m {
			if c != from {
				c.process(message)
			}
		}
	}
	update := func(c *client) {
		o, err := c.group.ProposeUpdate(LeafUpdate{}, testNow)
		everybody(c, release(t, o, err))
	}
	update(m[0])                                                               // the committer's: left out
	update(m[1])                                                               // superseded
	update(m[1])                                                               // taken
	update(m[2])                                                               // removed anyway: left out
	everybody(m[3], m[3].propose(RemoveMember(2)))                             // taken
	everybody(m[1], m[1].propose(RemoveMember(2)))                             // a second time: left out
	everybody(m[1], m[1].propose(RemoveMember(0)))                             // the committer: left out
	everybody(m[1], m[1].propose(AddMember(x.public(x.keyPackage()))))         // taken
	everybody(m[3], m[3].propose(AddMember(x.public(x.keyPackage()))))         // again: left out
	everybody(m[3], m[3].propose(AddMember(m[1].public(m[1].keyPackage()))))   // a member: left out
	everybody(m[1], m[1].propose(UsePSK([]byte("known"))))                     // taken
	everybody(m[1], m[1].propose(UsePSK([]byte("unknown"))))                   // left out
	everybody(m[1], m[1].propose(SetExtensions([]Extension{{Type: extTest}}))) // taken
	everybody(m[3], m[3].propose(SetExtensions(nil)))                          // a second: left out
	lacking := y.forgeKeyPackage(func(l *LeafNode) { l.Capabilities.Credentials = nil }, nil, nil, nil)
	everybody(m[3], m[3].forgeProposal(AddMember(lacking), nil, nil)) // cannot be added: left out

	p := must(m[0].group.Commit(CommitOptions{}, testNow))
	info := p.Info()
	if len(info.Updated) != 1 || info.Updated[0] != 1 || len(info.Removed) != 1 || info.Removed[0].Index != 2 ||
		len(info.Added) != 1 || len(info.PSKs) != 1 || !info.ExtensionsChanged {
		t.Fatalf("%+v", info)
	}
	p.State()
	message := must(p.Release())
	if err := m[0].group.Merge(p, testNow); err != nil {
		t.Fatal(err)
	}
	for _, c := range m[1:] {
		c.process(message)
	}
	sameEpoch(t, m[0], m[1], m[3])
}

// TestProposalsByHand covers the proposals that may not be made.
func TestProposalsByHand(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	g := m[0].group
	for _, c := range []struct {
		p    Proposal
		want error
	}{
		{Proposal{Type: ProposalReInit}, ErrReInit},
		{Proposal{Type: ProposalExternalInit}, ErrExternalInitInMember},
		{Proposal{Type: ProposalUpdate}, ErrUnsupportedProposal},
		{Proposal{Type: ProposalAdd}, ErrUnsupportedProposal},
		{Proposal{Type: 0xF777}, ErrUnsupportedProposal},
		{RemoveMember(7), ErrRemoveBlank},
		{SetExtensions(make([]Extension, MaxExtensions+1)), ErrTooManyExtensions},
	} {
		untouched(t, g, c.want, func() error { _, err := g.Propose(c.p, testNow); return err })
		untouched(t, g, c.want, func() error { _, err := g.Commit(CommitOptions{Proposals: []Proposal{c.p}}, testNow); return err })
	}
	for _, c := range []struct {
		o    CommitOptions
		want error
	}{
		{CommitOptions{Proposals: []Proposal{RemoveMember(0)}}, ErrRemoveCommitter},
		{CommitOptions{Proposals: []Proposal{UsePSK([]byte("unknown"))}}, ErrUnknownPSK},
		{CommitOptions{Proposals: []Proposal{AddMember(m[1].keyPackage().public)}}, ErrDuplicateAdd},
		{CommitOptions{Leaf: LeafUpdate{Extensions: []Extension{{Type: 0xF999}}}}, ErrExtensionNotSupported},
		{CommitOptions{Leaf: LeafUpdate{Capabilities: &Capabilities{}}}, ErrCredentialNotSupported},
		{CommitOptions{Leaf: LeafUpdate{Credential: &Credential{Type: CredentialBasic, Identity: []byte("x")}}}, ErrCredentialChanged},
		{CommitOptions{Proposals: []Proposal{SetExtensions([]Extension{{Type: 0xF999}})}}, ErrExtensionNotSupported},
		{CommitOptions{AuthenticatedData: make([]byte, MaxFieldSize+1)}, ErrFieldTooLong},
	} {
		untouched(t, g, c.want, func() error { _, err := g.Commit(c.o, testNow); return err })
	}
	untouched(t, g, ErrDuplicateExtension, func() error {
		_, err := g.GroupInfo(GroupInfoOptions{RatchetTree: true, Extensions: []Extension{{Type: ExtensionRatchetTree}}})
		return err
	})
	usePSK := CommitOptions{Proposals: []Proposal{UsePSK([]byte("x"))}}
	for name, psk := range map[string]func(PreSharedKeyID) ([]byte, error){
		"no lookup":    nil,
		"lookup fails": func(PreSharedKeyID) ([]byte, error) { return []byte("key"), errNoRandomness },
		"not there":    func(PreSharedKeyID) ([]byte, error) { return nil, nil },
	} {
		m[0].cfg.PSK = psk
		t.Run(name, func(t *testing.T) {
			untouched(t, g, ErrUnknownPSK, func() error { _, err := g.Commit(usePSK, testNow); return err })
		})
	}
	wrong := LeafUpdate{Signer: newSigner(t, P256AES128)}
	untouched(t, g, ErrSigner, func() error { _, err := g.Commit(CommitOptions{Leaf: wrong}, testNow); return err })
	untouched(t, g, ErrSigner, func() error { _, err := g.ProposeUpdate(wrong, testNow); return err })
	m[0].cfg.CheckCommit = func(*CommitInfo) error { return errIdentityChanged }
	untouched(t, g, ErrCommitRejected, func() error { _, err := g.Commit(CommitOptions{}, testNow); return err })
}

// TestDuplicateProposal: the same proposal message twice is one proposal.
func TestDuplicateProposal(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[1].cfg.Handshakes = HandshakesPublic
	message := m[1].propose(RemoveMember(0))
	m[0].process(message)
	if a, b := m[0].process(message).Ref, m[1].group.Proposals()[0]; a != b || len(m[0].group.Proposals()) != 1 {
		t.Fatal("kept twice")
	}
}

func TestAccessors(t *testing.T) {
	c := newClient(t, Hybrid, "c")
	k := c.keyPackage()
	ref := must(k.KeyPackage().Ref())
	if !bytes.Equal(ref, k.Ref()) {
		t.Error("refs differ")
	}
	g := c.create()
	if g.CipherSuite() != Hybrid || !bytes.Equal(g.ID(), []byte("test group")) || g.Leaf(1) != nil || g.Leaf(0) == nil {
		t.Error("accessors")
	}
	_, welcome := c.commit(CommitOptions{Proposals: []Proposal{AddMember(newClient(t, Hybrid, "d").keyPackage().public)}})
	info, err := Inspect(welcome)
	if err != nil || info.Kind != KindWelcome || len(info.Recipients) != 1 {
		t.Errorf("%+v %v", info, err)
	}
	for _, b := range [][]byte{
		c.seal("x"), must(g.GroupInfo(GroupInfoOptions{})), c.propose(RemoveMember(1)), k.Public(),
		must(ProposeRemoveExternally(Hybrid, g.ID(), g.Epoch(), 0, 1, rand.Reader, c.cfg.Signer)),
	} {
		info, err := Inspect(b)
		if err != nil || info.Kind != KindKeyPackage && (!bytes.Equal(info.GroupID, g.ID()) || info.Epoch != 1) {
			t.Errorf("%+v %v", info, err)
		}
	}
	if _, err := ProposeRemoveExternally(9, nil, 0, 0, 0, rand.Reader, c.cfg.Signer); !errors.Is(err, ErrUnsupportedCipherSuite) {
		t.Error(err)
	}
	if _, err := ProposeRemoveExternally(P256AES128, nil, 0, 0, 0, rand.Reader, c.cfg.Signer); err == nil {
		t.Error("signer of another suite accepted")
	}
	if _, err := ParseKeyPackage(welcome); !errors.Is(err, ErrWireFormat) {
		t.Error(err)
	}
	if _, err := (&KeyPackage{CipherSuite: 9}).Ref(); !errors.Is(err, ErrUnsupportedCipherSuite) {
		t.Error(err)
	}
	for _, s := range []string{X25519AES128.String(), CipherSuite(9).String(), ProposalAdd.String(), ProposalType(99).String(), formatPublic.String(), wireFormat(9).String()} {
		if s == "" {
			t.Error("no name")
		}
	}
	if !IsStale(ErrWrongEpoch) || IsStale(ErrDecrypt) {
		t.Error("IsStale")
	}
	o := LeafOptions{Credential: BasicCredential([]byte("e")), Extensions: []Extension{{Type: extTest}, {Type: ExtensionApplicationID}}}
	leaf := must(o.leaf(c.group.suite, c.cfg.Signer, testNow))
	if !leaf.supportsExtension(extTest) || len(leaf.Capabilities.Extensions) != 1 {
		t.Errorf("%+v", leaf.Capabilities)
	}
}
