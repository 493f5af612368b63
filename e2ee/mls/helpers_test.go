package mls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"
)

// testNow is the time of all tests.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var allSuites = []CipherSuite{X25519AES128, P256AES128, X25519ChaCha, Hybrid}

// extTest is an extension type that the clients of the tests support.
const extTest ExtensionType = 0xF1A0

// client is a device in a test.
type client struct {
	t     testing.TB
	name  string
	suite CipherSuite
	cfg   *Config
	group *Group
	psks  map[string][]byte
	leafs []LeafEvent // what CheckLeaf was asked
}

func newSigner(t testing.TB, cs CipherSuite) crypto.Signer {
	t.Helper()
	if cs == P256AES128 {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// newClient makes a client that accepts public and private handshakes, external commits and any
// leaf.
func newClient(t testing.TB, cs CipherSuite, name string) *client {
	t.Helper()
	c := &client{t: t, name: name, suite: cs, psks: make(map[string][]byte)}
	c.cfg = &Config{
		Signer: newSigner(t, cs), Rand: rand.Reader,
		Handshakes: HandshakesEither, ExternalCommits: ExternalCommitsOpen,
		CheckLeaf: func(e LeafEvent) error {
			c.leafs = append(c.leafs, e)
			return nil
		},
		PSK: func(id PreSharedKeyID) ([]byte, error) { return c.psks[string(id.ID)], nil },
	}
	return c
}

// errIdentityChanged is what applications in the tests say no with.
var errIdentityChanged = errors.New("identity changed")

func (c *client) leafOptions() LeafOptions {
	caps := DefaultCapabilities(extTest)
	return LeafOptions{Credential: BasicCredential([]byte(c.name)), Capabilities: &caps}
}

func (c *client) create(extensions ...Extension) *Group {
	c.t.Helper()
	g, err := NewGroup(c.cfg, GroupOptions{
		CipherSuite: c.suite, ID: []byte("test group"), Leaf: c.leafOptions(), Extensions: extensions,
	}, testNow)
	if err != nil {
		c.t.Fatal(err)
	}
	c.group = g
	return g
}

func (c *client) keyPackage() *OwnKeyPackage {
	c.t.Helper()
	k, err := NewKeyPackage(c.cfg, KeyPackageOptions{CipherSuite: c.suite, Leaf: c.leafOptions()}, testNow)
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

// public parses the public half as another client would.
func (c *client) public(k *OwnKeyPackage) *KeyPackage {
	c.t.Helper()
	kp, err := ParseKeyPackage(k.Public())
	if err != nil {
		c.t.Fatal(err)
	}
	return kp
}

func (c *client) join(welcome []byte, k *OwnKeyPackage) {
	c.t.Helper()
	g, err := Join(c.cfg, welcome, k, JoinOptions{}, testNow)
	if err != nil {
		c.t.Fatalf("%s joins: %v", c.name, err)
	}
	c.group = g
}

// commit commits and merges, and returns the message and the Welcome.
func (c *client) commit(o CommitOptions) (message, welcome []byte) {
	c.t.Helper()
	p, err := c.group.Commit(o, testNow)
	if err != nil {
		c.t.Fatalf("%s commits: %v", c.name, err)
	}
	p.State()
	message, err = p.Release()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.group.Merge(p, testNow); err != nil {
		c.t.Fatal(err)
	}
	return message, p.Welcome()
}

func (c *client) process(message []byte) *Received {
	c.t.Helper()
	r, err := c.group.Process(message, testNow)
	if err != nil {
		c.t.Fatalf("%s processes: %v", c.name, err)
	}
	return r
}

// release lets out what an operation returned.
func release(t testing.TB, o *Outgoing, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	o.State()
	b, err := o.Release()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c *client) seal(text string) []byte {
	c.t.Helper()
	o, err := c.group.Seal([]byte(text), SealOptions{})
	return release(c.t, o, err)
}

func (c *client) propose(p Proposal) []byte {
	c.t.Helper()
	o, err := c.group.Propose(p, testNow)
	return release(c.t, o, err)
}

func (c *client) open(message []byte, want string) {
	c.t.Helper()
	if r := c.process(message); r.Type != ContentApplication || string(r.Application) != want {
		c.t.Fatalf("%s received %q, want %q", c.name, r.Application, want)
	}
}

// add lets committer add who and everybody else follow.
func add(committer *client, others []*client, who ...*client) {
	committer.t.Helper()
	var o CommitOptions
	keys := make([]*OwnKeyPackage, len(who))
	for i, c := range who {
		keys[i] = c.keyPackage()
		o.Proposals = append(o.Proposals, AddMember(c.public(keys[i])))
	}
	message, welcome := committer.commit(o)
	for _, c := range others {
		c.process(message)
	}
	for i, c := range who {
		c.join(welcome, keys[i])
	}
}

// newMembers makes a group of n clients, the first of which is its creator.
func newMembers(t testing.TB, cs CipherSuite, n int, extensions ...Extension) []*client {
	t.Helper()
	members := make([]*client, n)
	for i := range members {
		members[i] = newClient(t, cs, fmt.Sprintf("client %d", i))
	}
	members[0].create(extensions...)
	if n > 1 {
		add(members[0], nil, members[1:]...)
	}
	return members
}

// externalJoin lets c add itself by an external commit; everybody in members follows.
func (c *client) externalJoin(o ExternalJoinOptions, members ...*client) {
	c.t.Helper()
	info, err := members[0].group.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true})
	if err != nil {
		c.t.Fatal(err)
	}
	o.Leaf = c.leafOptions()
	j, err := JoinExternal(c.cfg, info, o, testNow)
	if err != nil {
		c.t.Fatalf("%s joins externally: %v", c.name, err)
	}
	for _, m := range members {
		m.process(j.Commit())
	}
	if c.group, err = j.Merge(); err != nil {
		c.t.Fatal(err)
	}
}

// sameEpoch fails unless all members agree on everything an epoch determines.
func sameEpoch(t testing.TB, members ...*client) {
	t.Helper()
	view := func(g *Group) string {
		return fmt.Sprintf("epoch %d authenticator %x export %x tree %x members %d", g.Epoch(),
			must(g.EpochAuthenticator()), must(g.Export("test", []byte("context"), 32)), g.TreeHash(), len(g.Members()))
	}
	want := view(members[0].group)
	for _, m := range members[1:] {
		if have := view(m.group); have != want {
			t.Fatalf("%s and %s differ:\n%s\n%s", members[0].name, m.name, want, have)
		}
	}
	for _, m := range members {
		checkInvariants(t, m.group)
	}
}

// checkInvariants checks what holds for every group in any state: the tree is one that a joiner
// would accept and our private keys fit it.
func checkInvariants(t testing.TB, g *Group) {
	t.Helper()
	cfg := &Config{CheckLeaf: func(LeafEvent) error { return nil }, TolerateExpiredLeaves: true}
	fresh := must(parseTree(g.RatchetTree(), g.suite))
	if !bytes.Equal(fresh.rootHash(), g.tree.rootHash()) || !bytes.Equal(fresh.rootHash(), g.context.treeHash) {
		t.Fatal("cached tree hash is wrong")
	}
	if err := checkJoinedTree(fresh, cfg, &g.context, testNow); err != nil {
		t.Fatalf("tree is invalid: %v", err)
	}
	for x, priv := range g.keys {
		if pub := must(g.suite.PublicFromPrivate(priv)); !bytes.Equal(pub, g.tree.nodes[x].encryptionKey()) {
			t.Fatalf("private key of node %d does not fit", x)
		}
	}
}

// stateHash hashes everything a group knows.
func stateHash(g *Group) [32]byte {
	g.groupBlob = nil // the cache must not hide a change that forgot to drop it
	s := g.State()
	return sha256.Sum256(append(append([]byte(nil), s.Group...), s.Messages...))
}

// untouched runs f, which must fail with want, and checks that g is as before.
func untouched(t testing.TB, g *Group, want error, f func() error) {
	t.Helper()
	before := stateHash(g)
	err := f()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	if stateHash(g) != before {
		t.Fatalf("the state changed on %v", err)
	}
}
