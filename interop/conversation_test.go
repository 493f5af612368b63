//go:build interop

package interop

import (
	"fmt"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

var bothFramings = []framing{private, public}

// TestWelcome adds members from key package bytes, one and several at a time,
// with the tree in the Welcome and beside it (RFC 9420 §12.4.3).
func TestWelcome(t *testing.T) {
	everyScene(t, "add, welcome", bothFramings, func(s *scene, c cast) {
		alice, bob := s.pair(c)
		s.chat()

		// The tree comes beside the Welcome.
		carol, keyPackage := s.client(c.second, "carol")
		welcome := s.commit(alice, commitOptions{
			proposals: []proposal{{kind: add, keyPackage: keyPackage}}, omitTree: true,
		})
		s.refused(alice, mls.ErrNotForUs, "", func() error { return alice.join(s, welcome, nil) })
		s.welcome(welcome, alice.ratchetTree(s), carol)

		// Two at once, of both implementations, by the one that has joined.
		dave, first := s.client(c.first, "dave")
		erin, second := s.client(c.second, "erin")
		s.welcome(s.commit(bob, commitOptions{proposals: []proposal{
			{kind: add, keyPackage: first}, {kind: add, keyPackage: second},
		}}), nil, dave, erin)
		s.chat()

		// Without a path, so that the Welcome carries no path secret (RFC 9420 §12.4.3.1).
		frank, third := s.client(c.second, "frank")
		s.welcome(s.commit(alice, commitOptions{
			proposals: []proposal{{kind: add, keyPackage: third}}, omitPath: true,
		}), nil, frank)

		// Out with one and in with another in one commit: path and path secrets. The one who leaves is
		// Go: ts-mls 1.6.4 looks for its removal at its leaf, and the new member already sits there.
		leaving := dave
		if c.first == inTS {
			leaving = erin
		}
		grace, fourth := s.client(c.first, "grace")
		s.welcome(s.commit(bob, commitOptions{proposals: []proposal{
			{kind: remove, leaf: leaving.view(s).Leaf}, {kind: add, keyPackage: fourth},
		}}), nil, grace)
		s.chat()
		for _, m := range s.members {
			s.commit(m, commitOptions{})
		}
	})
}

// TestMessages sends application messages out of order, twice, and late.
func TestMessages(t *testing.T) {
	everyScene(t, "messages", []framing{private}, func(s *scene, c cast) {
		alice, bob := s.pair(c)
		for _, way := range [][2]member{{alice, bob}, {bob, alice}} {
			sender, reader := way[0], way[1]
			var list [][]byte
			for i := range 8 {
				list = append(list, s.send(sender, fmt.Sprint("message ", i)))
			}
			for _, i := range []int{3, 0, 7, 1, 6, 2} {
				s.read(reader, list[i], fmt.Sprint("message ", i))
			}
			for _, i := range []int{3, 7} { // a skipped key, the newest key
				s.refuse(reader, mls.ErrGenerationUsed, "Desired gen in the past", list[i])
			}
			damaged := append([]byte(nil), list[4]...)
			damaged[len(damaged)-1] ^= 1
			s.refuse(reader, mls.ErrDecrypt, "", damaged)
			s.read(reader, list[4], "message 4") // the damaged copy has not used up its key

			// Two epochs later the last one still arrives.
			s.commit(reader, commitOptions{})
			s.commit(sender, commitOptions{})
			s.read(reader, list[5], "message 5")
			s.refuse(reader, mls.ErrGenerationUsed, "Desired gen in the past", list[5])
			s.chat()
		}
		long := string(make([]byte, 70_000))
		s.read(bob, s.send(alice, long), long)
		s.read(alice, s.send(bob, long), long)
		s.read(bob, s.send(alice, ""), "")
		s.read(alice, s.send(bob, ""), "")
	})
}

// TestUpdates renews keys by commits with a path and by Update proposals.
func TestUpdates(t *testing.T) {
	everyScene(t, "path, update", bothFramings, func(s *scene, c cast) {
		alice, bob, carol := s.trio(c)
		for range 2 {
			for _, m := range s.members {
				s.commit(m, commitOptions{})
			}
		}
		s.chat()
		for _, p := range [][2]member{{alice, bob}, {bob, alice}, {carol, alice}, {carol, bob}, {bob, carol}} {
			s.propose(p[0], proposal{kind: update})
			s.commit(p[1], commitOptions{})
			s.commit(p[0], commitOptions{}) // it has the key of its new leaf
		}
		// Two at once.
		s.propose(alice, proposal{kind: update})
		s.propose(bob, proposal{kind: update})
		s.commit(carol, commitOptions{})
		s.chat()
	})
}

// TestExtensions sets and changes group context extensions.
func TestExtensions(t *testing.T) {
	everyScene(t, "context extensions", bothFramings, func(s *scene, c cast) {
		required := (&mls.RequiredCapabilities{
			Extensions: []mls.ExtensionType{extSettings}, Credentials: []mls.CredentialType{mls.CredentialBasic},
		}).Extension()
		list := func(text string) []mls.Extension {
			return []mls.Extension{required, {Type: extSettings, Data: []byte(text)}}
		}
		alice := s.found(c.first, "alice", list("at creation")...)
		bob := s.enter(alice, c.second, "bob")
		inGoOf, inTSOf := alice, bob
		if c.first == inTS {
			inGoOf, inTSOf = bob, alice
		}

		s.commit(inGoOf, commitOptions{proposals: []proposal{{kind: settings, extensions: list("by commit")}}})
		s.propose(inTSOf, proposal{kind: settings, extensions: list("by reference")})
		s.commit(inGoOf, commitOptions{})
		s.propose(inGoOf, proposal{kind: settings, extensions: list("by our own reference")})
		s.commit(inGoOf, commitOptions{})
		if have := inTSOf.view(s).Extensions; have != hexOf(required.Data)+" "+hexOf([]byte("by our own reference")) {
			s.Fatalf("extensions are %s", have)
		}

		// ts-mls 1.6.4 commits extensions without a path, which RFC 9420 §17.4 demands, and with
		// another proposal that brings one, under the old context (§12.4.1): both are refused.
		message, _, err := inTSOf.commit(s, commitOptions{proposals: []proposal{{kind: settings, extensions: list("no path")}}})
		if err != nil {
			s.Fatal(err)
		}
		inTSOf.discard(s)
		s.refuse(inGoOf, mls.ErrPathRequired, "", message)
		carol := s.enter(alice, c.first, "carol")
		message, _, err = inTSOf.commit(s, commitOptions{proposals: []proposal{
			{kind: settings, extensions: list("wrong context")}, {kind: remove, leaf: carol.view(s).Leaf},
		}})
		if err != nil {
			s.Fatal(err)
		}
		inTSOf.discard(s)
		if c.first == inTS {
			s.refuse(inGoOf, mls.ErrDecrypt, "", message)
		}
		s.commit(inTSOf, commitOptions{})
		s.chat()
	})
}
