package mls

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// TestDecodingLimits exceeds each limit on what is parsed by one.
func TestDecodingLimits(t *testing.T) {
	s := must(suite.Get(1))
	write := func(f func(*wire.Writer)) []byte {
		var w wire.Writer
		f(&w)
		return w.B
	}
	vector := func(n int, item func(*wire.Writer)) []byte {
		return write(func(w *wire.Writer) {
			w.Vector(func() {
				for range n {
					item(w)
				}
			})
		})
	}
	read := func(f func(*wire.Reader)) func([]byte) error {
		return func(b []byte) error {
			r := wire.NewReader(b)
			f(r)
			return r.Done()
		}
	}
	c := newClient(t, X25519AES128, "c")
	leaf := c.keyPackage().public.Leaf
	path := func(nodes, secrets int) []byte {
		p := &updatePath{leaf: leaf, nodes: make([]updatePathNode, nodes)}
		for i := range p.nodes {
			p.nodes[i].secrets = make([]hpkeCiphertext, secrets)
		}
		return encode(p)
	}
	psk := UsePSK(nil).PSK
	for _, c := range []struct {
		name   string
		limit  int
		want   error
		make   func(n int) []byte
		decode func([]byte) error
	}{
		{
			"message", MaxMessageSize, ErrMessageTooLarge,
			func(n int) []byte {
				b := make([]byte, n)
				copy(b, c.keyPackage().Public())
				return b
			},
			func(b []byte) error { // as a message of the largest size it fails for another reason
				_, err := Inspect(b)
				if errors.Is(err, ErrMessageTooLarge) {
					return err
				}
				return nil
			},
		},
		{"group id", MaxGroupIDSize, ErrGroupIDTooLong, func(n int) []byte {
			return write(func(w *wire.Writer) {
				(&framedContent{groupID: make([]byte, n), sender: memberSender(0), contentType: ContentApplication}).marshal(w)
			})
		}, read(func(r *wire.Reader) { readFramedContent(r) })},
		{"field", MaxFieldSize, ErrFieldTooLong, func(n int) []byte {
			return write(func(w *wire.Writer) { (&Credential{Type: CredentialBasic, Identity: make([]byte, n)}).marshal(w) })
		}, read(func(r *wire.Reader) { readCredential(r) })},
		{"application data", MaxApplicationDataSize, ErrApplicationDataTooLarge, func(n int) []byte {
			return write(func(w *wire.Writer) {
				(&framedContent{application: make([]byte, n), sender: memberSender(0), contentType: ContentApplication}).marshal(w)
			})
		}, read(func(r *wire.Reader) { readFramedContent(r) })},
		{"extensions", MaxExtensions, ErrTooManyExtensions, func(n int) []byte {
			return vector(n, func(w *wire.Writer) { w.U16(0xF000); w.Opaque(nil) })
		}, read(func(r *wire.Reader) { readExtensions(r) })},
		{"extension", MaxExtensionSize, ErrExtensionTooLarge, func(n int) []byte {
			return write(func(w *wire.Writer) { writeExtensions(w, []Extension{{Type: extTest, Data: make([]byte, n)}}) })
		}, read(func(r *wire.Reader) { readExtensions(r) })},
		{"capabilities", MaxCapabilities, ErrTooManyCapabilities, func(n int) []byte {
			return write(func(w *wire.Writer) { (&Capabilities{Extensions: make([]ExtensionType, n)}).marshal(w) })
		}, read(func(r *wire.Reader) { readCapabilities(r) })},
		{"proposals", MaxProposals, ErrTooManyProposals, func(n int) []byte {
			return append(vector(n, func(w *wire.Writer) { w.U8(2); w.Opaque([]byte("ref")) }), 0)
		}, read(func(r *wire.Reader) { readCommit(r) })},
		{"PSKs in a welcome", MaxPSKs, ErrTooManyPSKs, func(n int) []byte {
			return write(func(w *wire.Writer) {
				g := groupSecrets{}
				for range n {
					g.psks = append(g.psks, psk)
				}
				g.marshal(w)
			})
		}, read(func(r *wire.Reader) { readGroupSecrets(r) })},
		{"path", MaxPathNodes, ErrPathTooLong, func(n int) []byte { return path(n, 1) }, read(func(r *wire.Reader) { readUpdatePath(r) })},
		{"path secrets", MaxLeaves, ErrTooManyCiphertexts, func(n int) []byte { return path(1, n) }, read(func(r *wire.Reader) { readUpdatePath(r) })},
		{"welcome recipients", MaxWelcomeSecrets, ErrTooManyWelcomeSecrets, func(n int) []byte {
			return write(func(w *wire.Writer) {
				(&welcome{cipherSuite: 1, secrets: make([]encryptedGroupSecrets, n)}).marshal(w)
			})
		}, read(func(r *wire.Reader) { readWelcome(r) })},
		{"external senders", MaxExternalSenders, ErrTooManyExternalSenders, func(n int) []byte {
			list := make([]ExternalSender, n)
			for i := range list {
				list[i].Credential.Type = CredentialBasic
			}
			return ExternalSendersExtension(list).Data
		}, func(b []byte) error { _, err := parseExternalSenders(b); return err }},
		{"unmerged leaves", MaxLeaves, ErrTooManyLeaves, func(n int) []byte {
			return write(func(w *wire.Writer) {
				p := &parentNode{}
				for i := range n {
					p.unmerged = append(p.unmerged, LeafIndex(i))
				}
				p.marshal(w)
			})
		}, read(func(r *wire.Reader) { readParentNode(r) })},
		{"leaves", MaxLeaves, ErrTooManyLeaves, func(n int) []byte {
			tree := &ratchetTree{nodes: make([]node, 2*n-1)}
			tree.nodes[2*n-2].leaf = leaf
			return encode(tree)
		}, func(b []byte) error { _, err := parseTree(b, s); return err }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.decode(c.make(c.limit)); err != nil {
				t.Errorf("at the limit: %v", err)
			}
			if err := c.decode(c.make(c.limit + 1)); !errors.Is(err, c.want) {
				t.Errorf("beyond the limit: %v, want %v", err, c.want)
			}
		})
	}
}

func TestTreeLimit(t *testing.T) {
	leaf := newClient(t, X25519AES128, "c").keyPackage().public.Leaf
	tree := newTree(must(suite.Get(1)), leaf)
	for range MaxLeaves - 1 {
		if _, err := tree.add(leaf); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tree.add(leaf); !errors.Is(err, ErrTooManyLeaves) {
		t.Fatalf("error is %v", err)
	}
	if tree.size() != MaxLeaves {
		t.Fatalf("%d leaves", tree.size())
	}
	p := AddMember(newClient(t, X25519AES128, "d").keyPackage().public)
	g := &Group{suite: tree.suite, tree: tree, own: noLeaf}
	if _, err := g.apply([]resolvedProposal{{Proposal: &p}}); !errors.Is(err, ErrTooManyLeaves) {
		t.Fatalf("applying an add: %v", err)
	}
}

func TestSendingLimits(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	g := m[0].group
	untouched(t, g, ErrApplicationDataTooLarge, func() error {
		_, err := g.Seal(make([]byte, MaxApplicationDataSize+1), SealOptions{})
		return err
	})
	untouched(t, g, ErrFieldTooLong, func() error {
		_, err := g.Seal(nil, SealOptions{AuthenticatedData: make([]byte, MaxFieldSize+1)})
		return err
	})
	untouched(t, g, ErrTooManyProposals, func() error {
		_, err := g.Commit(CommitOptions{Proposals: make([]Proposal, MaxProposals+1)}, testNow)
		return err
	})
	untouched(t, g, ErrExportLength, func() error { _, err := g.Export("x", nil, 255*32+1); return err })
	untouched(t, g, ErrExportLength, func() error { _, err := g.Export("x", nil, -1); return err })
	if _, err := NewGroup(m[0].cfg, GroupOptions{CipherSuite: X25519AES128, ID: make([]byte, MaxGroupIDSize+1)}, testNow); !errors.Is(err, ErrGroupIDTooLong) {
		t.Errorf("group id: %v", err)
	}
	m[1].open(m[0].seal(string(make([]byte, MaxApplicationDataSize))), string(make([]byte, MaxApplicationDataSize)))
}

func TestCachedProposalLimit(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	for i := range MaxCachedProposals {
		p := UsePSK([]byte(fmt.Sprint(i)))
		p.PSK.Nonce = make([]byte, 32)
		m[0].process(m[1].forgeProposal(p, nil, nil))
	}
	p := UsePSK([]byte("one more"))
	p.PSK.Nonce = make([]byte, 32)
	message := m[1].forgeProposal(p, nil, nil)
	untouched(t, m[0].group, ErrTooManyCachedProposals, func() error { _, err := m[0].group.Process(message, testNow); return err })
	untouched(t, m[0].group, ErrTooManyCachedProposals, func() error { _, err := m[0].group.Propose(p, testNow); return err })
	m[0].group.ClearProposals()
	m[0].process(message)
}

// TestGenerationLimits jumps as far ahead as allowed and one further.
func TestGenerationLimits(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	skip := func(n int) (last []byte) {
		for range n {
			o := must(m[0].group.messages.nextOwn(0, ratchetApplication))
			o.take()
		}
		return m[0].seal("x")
	}
	tooFar := skip(MaxGenerationsAhead + 1)
	untouched(t, m[1].group, ErrGenerationTooFarAhead, func() error { _, err := m[1].group.Process(tooFar, testNow); return err })

	m = newMembers(t, X25519AES128, 2)
	early := m[0].seal("early")
	m[1].open(skip(MaxGenerationsAhead-1), "x")
	r := &m[1].group.messages.ratchets[0][ratchetApplication]
	if len(r.skipped) != MaxSkippedKeys {
		t.Fatalf("%d skipped keys", len(r.skipped))
	}
	late := m[0].seal("late")
	m[1].open(skip(10), "x") // 11 more skipped keys: the 11 oldest go
	if len(r.skipped) != MaxSkippedKeys {
		t.Fatalf("%d skipped keys", len(r.skipped))
	}
	untouched(t, m[1].group, ErrSkippedKeyEvicted, func() error { _, err := m[1].group.Process(early, testNow); return err })
	m[1].open(late, "late")
	untouched(t, m[1].group, ErrGenerationUsed, func() error { _, err := m[1].group.Process(late, testNow); return err })
}

func TestGenerationsExhausted(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	m[0].seal("derive the ratchet")
	m[0].group.messages.ratchets[0][ratchetApplication].next = maxGeneration
	untouched(t, m[0].group, ErrGenerationExhausted, func() error { _, err := m[0].group.Seal(nil, SealOptions{}); return err })
}

// TestStrictDecoding: every value has one encoding.
func TestStrictDecoding(t *testing.T) {
	c := newClient(t, X25519AES128, "c")
	good := c.keyPackage().Public()
	for name, b := range map[string]struct {
		want error
		b    []byte
	}{
		"trailing byte":  {ErrTrailing, append(bytes.Clone(good), 0)},
		"cut short":      {ErrTruncated, good[:len(good)-1]},
		"empty":          {ErrTruncated, nil},
		"version":        {ErrVersion, append([]byte{0, 2}, good[2:]...)},
		"wire format":    {ErrWireFormat, append([]byte{0, 1, 0, 9}, good[4:]...)},
		"long prefix":    {ErrNonMinimal, append(bytes.Clone(good[:8]), append([]byte{0x40, 0x20}, good[9:]...)...)},
		"longer prefix":  {ErrNonMinimal, append(bytes.Clone(good[:8]), append([]byte{0x80, 0, 0, 0x20}, good[9:]...)...)},
		"reserved":       {ErrPrefix, append(bytes.Clone(good[:8]), append([]byte{0xC0}, good[9:]...)...)},
		"inner version":  {ErrVersion, append([]byte{0, 1, 0, 5, 0, 2}, good[6:]...)},
		"sender type":    {ErrUnknownVariant, []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}},
		"content type":   {ErrUnknownVariant, []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 9}},
		"content type 2": {ErrUnknownVariant, []byte{0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0}},
		"by value":       {ErrUnknownVariant, []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3, 1, 7}},
		"psk type":       {ErrUnknownVariant, []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 2, 0, 4, 9}},
		"psk usage":      {ErrUnknownVariant, []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 2, 0, 4, 2, 9}},
		"presence":       {ErrOptional, []byte{0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 3, 0, 2}},
	} {
		if _, err := Inspect(b.b); !errors.Is(err, b.want) {
			t.Errorf("%s: %v, want %v", name, err, b.want)
		}
	}
	var w wire.Writer
	w.U16(77)
	if r := wire.NewReader(w.B); func() error { readCredential(r); return r.Err() }() != ErrUnsupportedCredential {
		t.Error("unknown credential type accepted")
	}
}
