package mls

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"
)

// contains reports whether any part of a state holds secret.
func contains(s State, secret []byte) bool {
	return bytes.Contains(s.Group, secret) || bytes.Contains(s.Messages, secret)
}

// TestDeletionOfMessageKeys: who steals the state cannot read what was sent or received before.
func TestDeletionOfMessageKeys(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 2)
		key := func(c *client) []byte { // of Alice's next message
			return bytes.Clone(must(c.group.messages.nextOwn(0, ratchetApplication)).key.key)
		}
		secret := bytes.Clone(must(m[0].group.messages.nextOwn(0, ratchetApplication)).r.secret)
		k := key(m[0])
		message := m[0].seal("past")
		m[1].open(message, "past")
		for _, c := range m {
			stolen := c.group.State()
			if contains(stolen, k) || contains(stolen, secret) {
				t.Fatalf("%s still has the key or the secret it came from", c.name)
			}
			thief := must(Restore(c.cfg, stolen))
			if _, err := thief.find(0, 0); !errors.Is(err, ErrGenerationUsed) {
				t.Fatalf("key of a message %s has: %v", c.name, err)
			}
		}
		// The receiver's thief, whose leaf is not the sender's, cannot process it either.
		thief := must(Restore(m[1].cfg, m[1].group.State()))
		if _, err := thief.Process(message, testNow); !errors.Is(err, ErrGenerationUsed) {
			t.Fatalf("error is %v", err)
		}
	})
}

func (g *Group) find(leaf LeafIndex, generation uint32) (*opening, error) {
	return g.messages.find(leaf, ratchetApplication, generation)
}

// TestSkippedKeysAreDeleted: the key of a message that comes late is deleted when it has come.
func TestSkippedKeysAreDeleted(t *testing.T) {
	m := newMembers(t, X25519AES128, 2)
	late := m[0].seal("late")
	m[1].open(m[0].seal("on time"), "on time")
	key := bytes.Clone(must(m[1].group.find(0, 0)).key.key)
	if !contains(m[1].group.State(), key) {
		t.Fatal("the test looks for the wrong bytes")
	}
	m[1].open(late, "late")
	if contains(m[1].group.State(), key) {
		t.Fatal("key is still there")
	}
}

// TestDeletionOfEpochs: who steals the state cannot read earlier epochs.
func TestDeletionOfEpochs(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		m := newMembers(t, cs, 3)
		unread := m[0].seal("not received in time")
		var secrets [][]byte
		for _, s := range m[1].group.secrets.all() {
			secrets = append(secrets, bytes.Clone(*s))
		}
		for _, k := range m[1].group.messages.nodes {
			secrets = append(secrets, bytes.Clone(k))
		}
		old := *m[1].group // the very memory
		oldSecrets := old.secrets.all()
		message, _ := m[2].commit(CommitOptions{})
		m[1].process(message)
		for _, s := range secrets {
			if contains(m[1].group.State(), s) {
				t.Fatal("a secret of the last epoch is in the state")
			}
		}
		for _, s := range oldSecrets {
			if !bytes.Equal(*s, make([]byte, len(*s))) {
				t.Fatal("a secret of the last epoch is in memory")
			}
		}
		if len(old.messages.nodes) != 0 || len(old.messages.ratchets) != 0 {
			t.Fatal("message keys of the last epoch are in memory")
		}
		thief := must(Restore(m[1].cfg, m[1].group.State()))
		if _, err := thief.Process(unread, testNow); !errors.Is(err, ErrEpochExpired) {
			t.Fatalf("error is %v", err)
		}
	})
}

// TestHealing: who has stolen a state cannot follow once its owner has renewed its keys, by a
// commit or by an Update that another commits.
func TestHealing(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		for _, way := range []string{"commit", "update"} {
			m := newMembers(t, cs, 3)
			thief := must(Restore(m[1].cfg, m[1].group.State()))
			var message []byte
			if way == "commit" {
				message, _ = m[1].commit(CommitOptions{})
				m[0].process(message)
			} else {
				o, err := m[1].group.ProposeUpdate(LeafUpdate{}, testNow)
				update := release(t, o, err)
				m[0].process(update)
				m[2].process(update)
				message, _ = m[0].commit(CommitOptions{})
				m[1].process(message)
				thief.tree = thief.tree.clone()
				// The thief sees the Update go by, of course.
				if _, err := thief.Process(update, testNow); !errors.Is(err, ErrOwnMessage) {
					t.Fatal(err)
				}
				p := must(parseMessage(update))
				c, _, err := openPrivate(p.private, thief.secrets.senderData, thief.messages, noLeaf)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := thief.cacheProposal(c, testNow); err != nil {
					t.Fatal(err)
				}
			}
			m[2].process(message)
			sameEpoch(t, m...)
			if _, err := thief.Process(message, testNow); err == nil {
				t.Fatalf("%s: the thief follows", way)
			}
			if _, err := thief.Process(m[0].seal("healed"), testNow); err == nil {
				t.Fatalf("%s: the thief reads", way)
			}
		}
	})
}

// TestDeletionOfInitKey: once joined, the key package is of no use to a thief.
func TestDeletionOfInitKey(t *testing.T) {
	everySuite(t, func(t *testing.T, cs CipherSuite) {
		alice, bob := newClient(t, cs, "alice"), newClient(t, cs, "bob")
		alice.create()
		k := bob.keyPackage()
		stored := must(k.Bytes())
		again := must(ParseOwnKeyPackage(stored))
		initKey, memory := bytes.Clone(k.initPrivate), k.initPrivate
		if !bytes.Contains(stored, initKey) {
			t.Fatal("the test looks for the wrong bytes")
		}
		_, welcome := alice.commit(CommitOptions{Proposals: []Proposal{AddMember(bob.public(k))}})
		bob.join(welcome, k)
		if !bytes.Equal(memory, make([]byte, len(memory))) || contains(bob.group.State(), initKey) {
			t.Fatal("init key survives")
		}
		if _, err := Join(bob.cfg, welcome, k, JoinOptions{}, testNow); !errors.Is(err, ErrKeyPackageUsed) {
			t.Fatalf("second use: %v", err)
		}
		if _, err := k.Bytes(); !errors.Is(err, ErrKeyPackageUsed) {
			t.Fatalf("serialised after use: %v", err)
		}
		// Only who failed to delete the stored copy can join again.
		if _, err := Join(bob.cfg, welcome, again, JoinOptions{}, testNow); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLastResort(t *testing.T) {
	alice, bob := newClient(t, X25519AES128, "alice"), newClient(t, X25519AES128, "bob")
	k := must(NewKeyPackage(bob.cfg, KeyPackageOptions{CipherSuite: X25519AES128, Leaf: bob.leafOptions(), LastResort: true}, testNow))
	for range 2 {
		alice.create()
		_, welcome := alice.commit(CommitOptions{Proposals: []Proposal{AddMember(bob.public(k))}})
		k = must(ParseOwnKeyPackage(must(k.Bytes())))
		bob.join(welcome, k)
		sameEpoch(t, alice, bob)
	}
}

func TestPastEpochs(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	m[1].cfg.PastEpochs, m[1].cfg.PastEpochLifetime = 2, time.Hour
	var late [][]byte
	for range 4 {
		late = append(late, m[0].seal("late"), m[0].seal("later"))
		message, _ := m[0].commit(CommitOptions{})
		m[1].process(message)
		m[2].process(message)
	}
	process := func(b []byte, now time.Time) func() error {
		return func() error { _, err := m[1].group.Process(b, now); return err }
	}
	m[1].group = must(Restore(m[1].cfg, m[1].group.State()))
	untouched(t, m[1].group, ErrEpochExpired, process(late[3], testNow))
	r := m[1].process(late[7])
	if r.Epoch != m[1].group.Epoch()-1 || string(r.Credential.Identity) != "client 0" || string(r.Application) != "later" {
		t.Fatalf("%+v", r)
	}
	untouched(t, m[1].group, ErrGenerationUsed, process(late[7], testNow))
	m[1].open(late[4], "late")
	untouched(t, m[1].group, ErrEpochExpired, process(late[6], testNow.Add(time.Hour+1)))
	if m[1].group.Expire(testNow.Add(time.Hour)) {
		t.Fatal("expired too early")
	}
	if !m[1].group.Expire(testNow.Add(time.Hour+1)) || len(m[1].group.past) != 0 {
		t.Fatal("not expired")
	}
	untouched(t, m[1].group, ErrEpochExpired, process(late[6], testNow))
	// Who is not in the past epoch's tree cannot speak in it.
	untouched(t, m[2].group, ErrEpochExpired, func() error { _, err := m[2].group.Process(late[6], testNow); return err })
}

// TestPastEpochForgery: in a past epoch, too, only the sender can sign.
func TestPastEpochForgery(t *testing.T) {
	m := newMembers(t, X25519AES128, 3)
	m[0].cfg.PastEpochs, m[0].cfg.PastEpochLifetime = 1, time.Hour
	g := m[1].group
	forge := func(leaf LeafIndex) []byte {
		c := g.newContent(ContentApplication, nil)
		c.content.sender = memberSender(leaf)
		if err := g.signContent(c); err != nil {
			t.Fatal(err)
		}
		return m[1].frame(g, c, nil)
	}
	carol, blank := forge(2), forge(3)
	message, _ := m[2].commit(CommitOptions{})
	m[0].process(message)
	untouched(t, m[0].group, ErrMessageSignature, func() error { _, err := m[0].group.Process(carol, testNow); return err })
	untouched(t, m[0].group, ErrSender, func() error { _, err := m[0].group.Process(blank, testNow); return err })
}

// failingReader fails after n reads.
type failingReader struct {
	r io.Reader
	n int
}

var errNoRandomness = errors.New("no randomness")

func (f *failingReader) Read(b []byte) (int, error) {
	if f.n == 0 {
		return 0, errNoRandomness
	}
	f.n--
	return f.r.Read(b)
}
