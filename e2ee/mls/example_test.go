package mls_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// device is a client of the example: its key, and the directory that says whose key is whose.
type device struct {
	cfg  *mls.Config
	name string
}

// directory stands for what authenticates identities: certificates, a key server, safety numbers.
var directory = map[string]ed25519.PublicKey{}

func newDevice(name string) *device {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	directory[name] = pub
	return &device{name: name, cfg: &mls.Config{
		Signer: priv,
		Rand:   rand.Reader,
		CheckLeaf: func(e mls.LeafEvent) error {
			if !bytes.Equal(e.Leaf.SignatureKey, directory[string(e.Leaf.Credential.Identity)]) {
				return errors.New("the key is not that of the identity")
			}
			if e.Previous != nil && !e.Previous.Credential.Equal(&e.Leaf.Credential) {
				return errors.New("a member may not become somebody else")
			}
			return nil
		},
	}}
}

func (d *device) leaf() mls.LeafOptions {
	return mls.LeafOptions{Credential: mls.BasicCredential([]byte(d.name))}
}

// save stands for a transaction that stores both parts of a state.
func save(mls.State) {}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Alice creates a group, adds Bob, talks to him and removes him.
func Example() {
	now := time.Now()
	alice, bob := newDevice("alice"), newDevice("bob")

	// Bob publishes a key package and stores its private half.
	bobKeys, err := mls.NewKeyPackage(bob.cfg, mls.KeyPackageOptions{CipherSuite: mls.Hybrid, Leaf: bob.leaf()}, now)
	check(err)
	published := bobKeys.Public()

	// Alice creates the group and commits to adding Bob.
	a, err := mls.NewGroup(alice.cfg, mls.GroupOptions{
		CipherSuite: mls.Hybrid, ID: []byte("a random id"), Leaf: alice.leaf(),
	}, now)
	check(err)
	bobPackage, err := mls.ParseKeyPackage(published)
	check(err)
	pending, err := a.Commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.AddMember(bobPackage)}}, now)
	check(err)
	save(pending.State())
	_, err = pending.Release() // for the members there were: none but Alice
	check(err)
	check(a.Merge(pending, now)) // the delivery service has accepted it
	save(a.State())

	// Bob joins by the Welcome.
	b, err := mls.Join(bob.cfg, pending.Welcome(), bobKeys, mls.JoinOptions{}, now)
	check(err)
	save(b.State())
	fmt.Println("epoch", b.Epoch(), "members", len(b.Members()))

	// A message: the state is stored before the ciphertext leaves.
	out, err := a.Seal([]byte("hello bob"), mls.SealOptions{})
	check(err)
	save(out.State())
	message, err := out.Release()
	check(err)
	received, err := b.Process(message, now)
	check(err)
	save(b.State())
	fmt.Printf("%s says %q\n", received.Credential.Identity, received.Application)

	// Both derive the same secret for other uses.
	x, err := a.Export("SFrame 1.0 Base Key", nil, 32)
	check(err)
	y, err := b.Export("SFrame 1.0 Base Key", nil, 32)
	check(err)
	fmt.Println("same exported key:", bytes.Equal(x, y))

	// Alice removes Bob, who learns it and nothing after it.
	pending, err = a.Commit(mls.CommitOptions{Proposals: []mls.Proposal{mls.RemoveMember(b.OwnLeaf())}}, now)
	check(err)
	save(pending.State())
	commit, err := pending.Release()
	check(err)
	check(a.Merge(pending, now))
	received, err = b.Process(commit, now)
	check(err)
	fmt.Println("bob was removed:", received.Commit.SelfRemoved)

	// Output:
	// epoch 1 members 2
	// alice says "hello bob"
	// same exported key: true
	// bob was removed: true
}
