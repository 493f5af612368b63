//go:build interop

package interop

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// TestRemove removes members of either implementation by either: the removed
// one notices, and can read nothing of the next epoch.
func TestRemove(t *testing.T) {
	everyScene(t, "remove", bothFramings, func(s *scene, c cast) {
		alice, bob, carol := s.trio(c)
		for _, removal := range []struct{ by, who member }{{alice, bob}, {carol, nil}} {
			by, who := removal.by, removal.who
			if who == nil { // the other way round, with the second implementation staying
				who = alice
				by = s.enter(carol, c.second, "dave")
			}
			before := who.view(s)
			s.commit(by, commitOptions{proposals: []proposal{{kind: remove, leaf: before.Leaf}}})
			after := who.view(s)
			if !after.Removed {
				s.Fatalf("%s does not know that it is removed", who.name())
			}
			if now := s.members[0].view(s); now.Exporter == before.Exporter || now.EpochAuthenticator == after.EpochAuthenticator {
				s.Fatalf("%s has the keys of an epoch it is not in", who.name())
			}
			s.refuse(who, mls.ErrRemoved, "", s.send(by, "not for you"))
			s.refused(who, mls.ErrRemoved, "removed from group", func() error { _, err := who.send(s, "still here?"); return err })
			message, _, err := by.commit(s, commitOptions{})
			if err != nil {
				s.Fatal(err)
			}
			s.refuse(who, mls.ErrRemoved, "", message)
			s.deliver(message, by)
			by.merge(s)
			s.compare()
			s.chat()
		}
	})
}

// TestExternalJoin lets clients add themselves (RFC 9420 §12.4.3.2) and, having
// lost their state, come back to their place.
func TestExternalJoin(t *testing.T) {
	everyScene(t, "external join", []framing{either, public}, func(s *scene, c cast) {
		alice := s.found(c.first, "alice")
		bob, _ := s.client(c.second, "bob")
		s.externalJoin(bob, alice, externalOptions{})
		s.chat()

		// The tree comes beside the group info, which is of somebody who came the same way.
		carol, _ := s.client(c.first, "carol")
		s.externalJoin(carol, bob, externalOptions{tree: bob.ratchetTree(s)})
		dave, _ := s.client(c.second, "dave")
		s.externalJoin(dave, bob, externalOptions{})
		s.chat()

		for _, lost := range []member{bob, alice, dave} {
			leaf := lost.view(s).Leaf
			var others []member
			for _, m := range s.members {
				if m != lost {
					others = append(others, m)
				}
			}
			s.members = others
			s.externalJoin(lost, others[0], externalOptions{resync: true, leaf: leaf})
			if now := lost.view(s).Leaf; now != leaf {
				s.Fatalf("%s came back at leaf %d, was at %d", lost.name(), now, leaf)
			}
			s.commit(lost, commitOptions{})
			s.commit(others[1], commitOptions{})
			s.chat()
		}
	})
}

// TestExternalJoinWithPSK is how one enters a call: e2ee/mls joins a group of
// ts-mls by a PSK, and a group whose members demand one is closed to who has
// none, or another.
func TestExternalJoinWithPSK(t *testing.T) {
	everyScene(t, "external join, PSK", []framing{either, public}, func(s *scene, c cast) {
		alice := s.found(c.first, "alice")
		alice.learn(s, "call", "call secret")
		bob := s.enter(alice, c.second, "bob")
		bob.learn(s, "call", "call secret")

		guest, _ := s.client(inGo, "guest")
		guest.learn(s, "call", "call secret")
		s.externalJoin(guest, alice, externalOptions{psk: "call"})
		s.chat()
		late, _ := s.client(inGo, "late")
		late.learn(s, "call", "call secret")
		s.externalJoin(late, bob, externalOptions{psk: "call"})
		s.commit(bob, commitOptions{proposals: []proposal{{kind: psk, id: "call"}}})

		// A wrong secret gives another confirmation tag, and nobody lets the ghost in.
		ghost, _ := s.client(inGo, "ghost")
		ghost.learn(s, "call", "a guess")
		message, err := ghost.externalJoin(s, alice.groupInfo(s, true), externalOptions{psk: "call"})
		if err != nil {
			s.Fatal(err)
		}
		for _, m := range s.members {
			s.refuse(m, mls.ErrConfirmationTag, "Could not verify confirmation tag", message)
		}

		// A commit without a PSK is valid in itself; a Go member that demands one refuses it.
		guarded := guest.(*goMember)
		cfg := *guarded.cfg
		cfg.ExternalCommits, cfg.ExternalCommitPSK = mls.ExternalCommitsWithPSK, []byte("call")
		guarded.cfg = &cfg
		guarded.restart(s)
		stranger, _ := s.client(inTS, "stranger")
		if message, err = stranger.externalJoin(s, guest.groupInfo(s, true), externalOptions{}); err != nil {
			s.Fatal(err)
		}
		s.refuse(guest, mls.ErrHandshakePolicy, "", message)
		s.commit(guest, commitOptions{})
		s.chat()
	})
}

// TestExternalSender lets a server outside the group, which e2ee/mls plays,
// propose to remove a member; a member commits it (RFC 9420 §12.1.8.1).
func TestExternalSender(t *testing.T) {
	everyScene(t, "external sender", []framing{either, public}, func(s *scene, c cast) {
		publicKey, server, _ := ed25519.GenerateKey(rand.Reader)
		_, stranger, _ := ed25519.GenerateKey(rand.Reader)
		otherKey, _, _ := ed25519.GenerateKey(rand.Reader)
		// The founder is Go: ts-mls does not create a group with this extension.
		alice := s.found(inGo, "alice", mls.ExternalSendersExtension([]mls.ExternalSender{
			{SignatureKey: otherKey, Credential: mls.BasicCredential([]byte("another server"))},
			{SignatureKey: publicKey, Credential: mls.BasicCredential([]byte("server"))},
		}))
		bob := s.enter(alice, c.first, "bob")
		carol := s.enter(bob, c.second, "carol")
		at := bob.view(s)
		propose := func(signer ed25519.PrivateKey) []byte {
			message, err := mls.ProposeRemoveExternally(
				s.suite, []byte(groupID), at.Epoch+1, 1, mls.LeafIndex(at.Leaf), rand.Reader, signer)
			if err != nil {
				s.Fatal(err)
			}
			return message
		}
		s.commit(carol, commitOptions{})
		for _, m := range s.members {
			s.refuse(m, mls.ErrMessageSignature, "Signature invalid", propose(stranger))
		}
		s.deliver(propose(server), nil)
		s.commit(carol, commitOptions{})
		if !bob.view(s).Removed {
			s.Fatalf("%s does not know that it is removed", bob.name())
		}
		s.commit(alice, commitOptions{})
		s.chat()
	})
}
