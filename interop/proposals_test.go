//go:build interop

package interop

import (
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// TestPSKs mixes external and resumption PSKs into epochs (RFC 9420 §8.4).
func TestPSKs(t *testing.T) {
	everyScene(t, "PSK", bothFramings, func(s *scene, c cast) {
		alice, bob, carol := s.trio(c)
		for _, m := range s.members {
			m.learn(s, "one", "first secret")
			m.learn(s, "two", "second secret")
		}
		one, two := proposal{kind: psk, id: "one"}, proposal{kind: psk, id: "two"}
		for _, m := range s.members {
			s.commit(m, commitOptions{proposals: []proposal{one}})
			s.commit(m, commitOptions{proposals: []proposal{one, two, one}, omitPath: true})
		}
		s.propose(alice, one)
		s.propose(bob, two)
		s.commit(carol, commitOptions{})
		s.propose(alice, two)
		s.commit(bob, commitOptions{proposals: []proposal{one}})

		// The resumption PSKs of this epoch and of the one before.
		for _, m := range s.members {
			now := m.view(s).Epoch
			s.commit(m, commitOptions{proposals: []proposal{
				{kind: resumption, epoch: now}, one, {kind: resumption, epoch: now - 1},
			}})
		}

		// A new member must know the external PSK to enter (RFC 9420 §12.4.3.1).
		for i, committer := range []member{alice, bob} {
			joiner, keyPackage := s.client([]string{c.second, c.first}[i], []string{"dave", "erin"}[i])
			welcome := s.commit(committer, commitOptions{proposals: []proposal{{kind: add, keyPackage: keyPackage}, two}})
			if err := joiner.join(s, welcome, nil); err == nil {
				s.Fatalf("%s joined without the PSK", joiner.name())
			}
			joiner.learn(s, "two", "a guess")
			if err := joiner.join(s, welcome, nil); err == nil {
				s.Fatalf("%s joined with a wrong PSK", joiner.name())
			}
			s.counts.refusals += 2
			joiner.learn(s, "one", "first secret")
			joiner.learn(s, "two", "second secret")
			s.welcome(welcome, nil, joiner)
		}
		s.chat()
	})
}

// TestByReference commits proposals that others have sent (RFC 9420 §12.4).
func TestByReference(t *testing.T) {
	everyScene(t, "by reference", bothFramings, func(s *scene, c cast) {
		alice, bob, carol := s.trio(c)
		for _, m := range s.members {
			m.learn(s, "secret", "a secret")
		}
		for i, p := range []struct{ proposer, committer member }{{alice, bob}, {bob, alice}, {bob, bob}} {
			joiner, keyPackage := s.client([]string{c.second, c.first, c.first}[i], []string{"dave", "erin", "frank"}[i])
			joiner.learn(s, "secret", "a secret")
			s.propose(p.proposer, proposal{kind: add, keyPackage: keyPackage})
			s.propose(carol, proposal{kind: psk, id: "secret"})
			s.welcome(s.commit(p.committer, commitOptions{}), nil, joiner)
			s.chat()
			// While a proposal waits, nobody sends: it may remove a reader (RFC 9420 §12.4).
			s.propose(p.proposer, proposal{kind: remove, leaf: joiner.view(s).Leaf})
			for _, m := range []member{alice, bob} {
				s.refused(m, mls.ErrPendingProposals, "unapplied proposals", func() error {
					_, err := m.send(s, "too early")
					return err
				})
			}
			s.commit(p.committer, commitOptions{})
			if !joiner.view(s).Removed {
				s.Fatalf("%s does not know that it is removed", joiner.name())
			}
		}
		// Everything in one commit, half of it sent before.
		joiner, keyPackage := s.client(c.second, "grace")
		joiner.learn(s, "secret", "a secret")
		s.propose(bob, proposal{kind: update})
		s.propose(alice, proposal{kind: add, keyPackage: keyPackage})
		if c.first == inGo { // see TestWelcome: ts-mls does not notice that somebody takes its leaf
			s.propose(bob, proposal{kind: remove, leaf: carol.view(s).Leaf})
		}
		s.welcome(s.commit(alice, commitOptions{proposals: []proposal{{kind: psk, id: "secret"}}}), nil, joiner)
		s.chat()
	})
}
