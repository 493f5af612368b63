package mls

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// fuzzClient is a client all of whose randomness comes from its name, so that what the fuzzer has
// learnt about a group holds in the next run too.
func fuzzClient(t testing.TB, name string) *client {
	c := newClient(t, X25519AES128, name)
	seed := sha256.Sum256([]byte(name))
	c.cfg.Rand = rand.NewChaCha8(seed)
	c.cfg.Signer = ed25519.NewKeyFromSeed(seed[:])
	c.cfg.Ephemeral = true
	c.psks["psk"] = []byte("psk")
	return c
}

// fuzzGroup makes a group of three; commits without a path keep HPKE's randomness out of it.
func fuzzGroup(t testing.TB) []*client {
	m := []*client{fuzzClient(t, "alice"), fuzzClient(t, "bob"), fuzzClient(t, "carol")}
	m[0].create()
	keys := []*OwnKeyPackage{m[1].keyPackage(), m[2].keyPackage()}
	_, welcome := m[0].commit(CommitOptions{OmitPath: true, Proposals: []Proposal{
		AddMember(m[1].public(keys[0])), AddMember(m[2].public(keys[1])),
	}})
	m[1].join(welcome, keys[0])
	m[2].join(welcome, keys[1])
	return m
}

// fuzzSeeds returns one message of every kind.
func fuzzSeeds(t testing.TB) [][]byte {
	m := fuzzGroup(t)
	dave := fuzzClient(t, "dave")
	kp := dave.keyPackage()
	psk := UsePSK([]byte("psk"))
	psk.PSK.Nonce = make([]byte, 32)
	seeds := [][]byte{
		kp.Public(), m[1].seal("hello"), m[1].propose(RemoveMember(2)),
		m[1].forge(forgery{}), m[1].forge(forgery{private: true}),
		m[1].forge(forgery{proposals: byValue(AddMember(kp.public), RemoveMember(2), psk, SetExtensions(nil))}),
		m[1].forgeProposal(m[1].forgeUpdate(nil, nil), nil, nil),
		m[1].forgeProposal(AddMember(kp.public), nil, nil), m[1].forgeProposal(psk, nil, nil),
		m[1].forgeProposal(Proposal{Type: ProposalReInit, ReInit: &ReInit{}}, nil, nil),
		dave.forgeExternal(m[0], forgery{proposals: byValue(externalInitProposal(), psk)}),
		must(m[0].group.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true})),
	}
	p := must(m[0].group.Commit(CommitOptions{Proposals: []Proposal{AddMember(kp.public)}}, testNow))
	return append(seeds, must(p.Release()), p.Welcome())
}

// FuzzMessage decodes MLSMessages: what is accepted has exactly that encoding.
func FuzzMessage(f *testing.F) {
	for _, b := range fuzzSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		if _, err2 := Inspect(b); (err == nil) != (err2 == nil) {
			t.Fatalf("parse %v, inspect %v", err, err2)
		}
		if err != nil {
			return
		}
		var body interface{ marshal(*wire.Writer) }
		switch m.wireFormat {
		case formatPublic:
			body = m.public
		case formatPrivate:
			body = m.private
		case formatWelcome:
			body = m.welcome
		case formatGroupInfo:
			body = m.groupInfo
		case formatKeyPackage:
			body = m.keyPackage
		}
		if again := encodeMessage(m.wireFormat, body); !bytes.Equal(again, b) {
			t.Fatalf("encoded differently:\n%x\n%x", b, again)
		}
	})
}

// FuzzKeyPackage decodes and validates key packages.
func FuzzKeyPackage(f *testing.F) {
	c := fuzzClient(f, "c")
	f.Add(c.keyPackage().Public())
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKeyPackage(b)
		if err != nil {
			return
		}
		if !bytes.Equal(k.Bytes(), b) {
			t.Fatal("encoded differently")
		}
		if s, err := k.CipherSuite.get(); err == nil {
			_ = checkKeyPackage(s, c.cfg, k, LeafAdded, nil, testNow)
		}
	})
}

// FuzzRatchetTree decodes and validates trees.
func FuzzRatchetTree(f *testing.F) {
	m := fuzzGroup(f)
	f.Add(m[0].group.RatchetTree())
	tree := m[0].group.tree.clone()
	if _, err := tree.createPath(m[0].cfg.Rand, 0, tree.leaf(0), m[0].cfg.Signer, m[0].group.context.groupID); err != nil {
		f.Fatal(err)
	}
	f.Add(encode(tree))
	s := must(suite.Get(1))
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := parseTree(b, s)
		if err != nil {
			return
		}
		if !bytes.Equal(encode(tree), b) {
			t.Fatal("encoded differently")
		}
		tree.rootHash()
		_ = checkJoinedTree(tree, m[0].cfg, &m[0].group.context, testNow)
	})
}

// FuzzSecrets decodes what is found inside encryption and extensions.
func FuzzSecrets(f *testing.F) {
	psk := UsePSK([]byte("psk")).PSK
	f.Add(encodeSecrets(&groupSecrets{joinerSecret: make([]byte, 32), pathSecret: make([]byte, 32), psks: []PreSharedKeyID{psk}}))
	f.Add((&RequiredCapabilities{Extensions: []ExtensionType{1}}).Extension().Data)
	f.Add(ExternalSendersExtension([]ExternalSender{{make([]byte, 32), BasicCredential([]byte("x"))}}).Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		if g := readGroupSecrets(r); r.Done() == nil && !bytes.Equal(encodeSecrets(g), b) {
			t.Fatal("group secrets encoded differently")
		}
		if c, err := parseRequiredCapabilities(b); err == nil && !bytes.Equal(c.Extension().Data, b) {
			t.Fatal("required capabilities encoded differently")
		}
		if s, err := parseExternalSenders(b); err == nil && !bytes.Equal(ExternalSendersExtension(s).Data, b) {
			t.Fatal("external senders encoded differently")
		}
	})
}

// FuzzState restores groups and key packages from damaged bytes.
func FuzzState(f *testing.F) {
	m := fuzzGroup(f)
	m[0].cfg.PastEpochs, m[0].cfg.PastEpochLifetime, m[0].cfg.ResumptionEpochs = 1, 1<<40, 1
	m[0].open(m[1].seal("x"), "x")
	state := m[0].group.State()
	f.Add(state.Group, state.Messages)
	m[0].commit(CommitOptions{})
	m[0].propose(RemoveMember(1))
	if _, err := m[0].group.Commit(CommitOptions{}, testNow); err != nil {
		f.Fatal(err)
	}
	state = m[0].group.State()
	f.Add(state.Group, state.Messages)
	f.Add(must(fuzzClient(f, "k").keyPackage().Bytes()), []byte(nil))
	f.Fuzz(func(t *testing.T, group, messages []byte) {
		_, _ = ParseOwnKeyPackage(group)
		g, err := Restore(m[0].cfg, State{Group: group, Messages: messages})
		if err != nil {
			return
		}
		if again, err := Restore(m[0].cfg, g.State()); err != nil || stateHash(again) != stateHash(g) {
			t.Fatalf("restored differently: %v", err)
		}
		_, _ = g.Seal([]byte("x"), SealOptions{})
	})
}

// FuzzJoin joins by a damaged Welcome and by a damaged group info, signed or not.
func FuzzJoin(f *testing.F) {
	m := fuzzGroup(f)
	dave := fuzzClient(f, "dave")
	kp := dave.keyPackage()
	p := must(m[0].group.Commit(CommitOptions{Proposals: []Proposal{AddMember(kp.public)}}, testNow))
	f.Add(uint8(0), p.Welcome())
	info := must(m[0].group.groupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true}))
	f.Add(uint8(1), encodeMessage(formatGroupInfo, info))
	f.Add(uint8(2), encode(info))
	stored := must(kp.Bytes())
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		switch kind % 3 {
		case 0:
			k := must(ParseOwnKeyPackage(stored))
			_, err := Join(dave.cfg, b, k, JoinOptions{}, testNow)
			if (err == nil) != k.used {
				t.Fatalf("used %v after %v", k.used, err)
			}
		case 1:
			_, _ = JoinExternal(dave.cfg, b, ExternalJoinOptions{Leaf: dave.leafOptions()}, testNow)
		case 2: // a malicious member signs whatever it likes
			r := wire.NewReader(b)
			info := readGroupInfo(r)
			if r.Done() != nil || info.sign(m[0].group.suite, m[0].cfg.Rand, m[0].cfg.Signer) != nil {
				return
			}
			_, _ = JoinExternal(dave.cfg, encodeMessage(formatGroupInfo, info), ExternalJoinOptions{Leaf: dave.leafOptions()}, testNow)
		}
	})
}

// FuzzGroupProcess processes damaged messages. With kinds 1 and 2 the input is the body of a
// proposal or commit that a malicious member signs and encrypts properly, so that the fuzzer gets
// past the cryptography.
func FuzzGroupProcess(f *testing.F) {
	m := fuzzGroup(f)
	for _, b := range fuzzSeeds(f) {
		f.Add(uint8(0), b)
		if msg := must(parseMessage(b)); msg.wireFormat == formatPublic && msg.public.content.sender.Type == SenderMember {
			var w wire.Writer
			w.U8(uint8(msg.public.content.contentType))
			msg.public.content.marshalBody(&w)
			f.Add(uint8(1), w.B)
			f.Add(uint8(2), w.B)
		}
	}
	m[0].cfg.CheckLeaf = func(LeafEvent) error { return nil }
	state := m[0].group.State()
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		message := b
		if kind %= 3; kind != 0 {
			r := wire.NewReader(b)
			c := m[1].group.newContent(ContentType(r.U8()), nil)
			c.format = map[uint8]wireFormat{1: formatPublic, 2: formatPrivate}[kind]
			c.content.readBody(r)
			if r.Done() != nil {
				return
			}
			c.auth.confirmationTag = make([]byte, 32)
			if err := c.sign(m[1].group.suite, m[1].cfg.Rand, m[1].group.signer, m[1].group.contextRaw); err != nil {
				t.Fatal(err)
			}
			message = m[1].frame(m[1].group, c, nil)
		}
		g := must(Restore(m[0].cfg, state))
		before := stateHash(g)
		if _, err := g.Process(message, testNow); err != nil {
			if stateHash(g) != before {
				t.Fatalf("the state changed on %v", err)
			}
			return
		}
		if !g.Removed() {
			checkInvariants(t, g)
		}
		if _, err := Restore(m[0].cfg, g.State()); err != nil {
			t.Fatal(fmt.Errorf("restoring: %w", err))
		}
	})
}
