//go:build interop

package interop

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// scene is one group and its delivery service, which is perfect: everybody sees
// every handshake, in the same order.
type scene struct {
	*testing.T
	suite   mls.CipherSuite
	framing framing
	members []member
	counts  tally
	epochs  map[uint64]string // the epoch authenticator of each epoch that was compared
}

// cast says who plays whom: the first implementation creates the group.
type cast struct{ first, second string }

const (
	inGo = "Go"
	inTS = "ts-mls"
)

func (c cast) String() string { return c.first + " creates, " + c.second + " joins" }

var casts = []cast{{inGo, inTS}, {inTS, inGo}}

// everyScene runs play for each suite, cast and framing.
func everyScene(t *testing.T, scenario string, framings []framing, play func(s *scene, c cast)) {
	for _, cs := range suites {
		t.Run("suite "+suiteName(cs), func(t *testing.T) {
			t.Parallel()
			for _, c := range casts {
				for _, f := range framings {
					t.Run(c.String()+", "+f.String(), func(t *testing.T) {
						s := newScene(t, cs, f)
						play(s, c)
						s.count(scenario)
					})
				}
			}
		})
	}
}

func newScene(t *testing.T, cs mls.CipherSuite, f framing) *scene {
	return &scene{T: t, suite: cs, framing: f, epochs: make(map[uint64]string)}
}

// count enters what the scene did into the table. A scene that compared nothing
// has proved nothing.
func (s *scene) count(scenario string) {
	s.Helper()
	if s.counts.comparisons == 0 {
		s.Fatal("no views were compared")
	}
	s.counts.runs, s.counts.epochs = 1, len(s.epochs)
	done.count(scenario, s.suite, s.counts)
}

// client returns a client that is not a member yet, and its key package.
func (s *scene) client(implementation, name string) (member, []byte) {
	s.Helper()
	var m member
	if implementation == inGo {
		m = newGoMember(s.suite, name)
	} else {
		m = newTSMember(s, s.suite, name)
	}
	m.frame(s, s.framing)
	return m, m.fresh(s)
}

// found lets a new client create the group.
func (s *scene) found(implementation, name string, extensions ...mls.Extension) member {
	s.Helper()
	m, _ := s.client(implementation, name)
	m.create(s, extensions...)
	s.members = []member{m}
	s.compare()
	return m
}

// enter lets committer add a new client.
func (s *scene) enter(committer member, implementation, name string) member {
	s.Helper()
	m, keyPackage := s.client(implementation, name)
	s.welcome(s.commit(committer, commitOptions{proposals: []proposal{{kind: add, keyPackage: keyPackage}}}), nil, m)
	return m
}

// welcome lets clients join by a Welcome.
func (s *scene) welcome(welcome, tree []byte, who ...member) {
	s.Helper()
	for _, m := range who {
		if err := m.join(s, welcome, tree); err != nil {
			s.Fatalf("%s joins: %v", m.name(), err)
		}
		s.members = append(s.members, m)
	}
	s.complete()
}

// pair makes a group of two.
func (s *scene) pair(c cast) (creator, joiner member) {
	s.Helper()
	creator = s.found(c.first, "alice")
	return creator, s.enter(creator, c.second, "bob")
}

// trio makes a group of three, two of which are of the first implementation.
func (s *scene) trio(c cast) (creator, joiner, third member) {
	s.Helper()
	creator, joiner = s.pair(c)
	return creator, joiner, s.enter(joiner, c.first, "carol")
}

// commit lets committer commit and everybody else follow, and drops who was
// removed. It returns the Welcome. Joiners are not in yet, so only the others
// are compared.
func (s *scene) commit(committer member, o commitOptions) []byte {
	s.Helper()
	message, welcome, err := committer.commit(s, o)
	if err != nil {
		s.Fatalf("%s commits: %v", committer.name(), err)
	}
	s.deliver(message, committer)
	committer.merge(s)
	s.members = slices.DeleteFunc(s.members, func(m member) bool { return m.view(s).Removed })
	s.compare()
	return welcome
}

// propose lets a member propose and everybody else hear it.
func (s *scene) propose(proposer member, p proposal) {
	s.Helper()
	message, err := proposer.propose(s, p)
	if err != nil {
		s.Fatalf("%s proposes %s: %v", proposer.name(), p.kind, err)
	}
	s.deliver(message, proposer)
}

// externalJoin lets a client add itself, with what member gives it.
func (s *scene) externalJoin(joiner, member member, o externalOptions) {
	s.Helper()
	info := member.groupInfo(s, o.tree == nil)
	message, err := joiner.externalJoin(s, info, o)
	if err != nil {
		s.Fatalf("%s joins externally: %v", joiner.name(), err)
	}
	s.deliver(message, nil)
	joiner.merge(s)
	s.members = append(s.members, joiner)
	s.complete()
}

// deliver gives a handshake to all but its sender.
func (s *scene) deliver(message []byte, sender member) {
	s.Helper()
	for _, m := range s.members {
		if m == sender {
			continue
		}
		if _, err := m.process(s, message); err != nil {
			s.Fatalf("%s processes: %v", m.name(), err)
		}
	}
}

// compare fails unless all members agree on everything an epoch determines, and
// unless that is something new.
func (s *scene) compare() {
	s.Helper()
	first := s.members[0].view(s)
	s.counts.comparisons++
	for _, m := range s.members[1:] {
		other := m.view(s)
		s.counts.comparisons++
		if other.agreed != first.agreed {
			s.Fatalf("%s and %s differ:\n%v\n%v", s.members[0].name(), m.name(), first.agreed, other.agreed)
		}
	}
	if first.Exporter == "" || first.EpochAuthenticator == "" || first.TreeHash == "" {
		s.Fatalf("not a view of a group: %v", first.agreed)
	}
	for epoch, authenticator := range s.epochs {
		if (epoch == first.Epoch) != (authenticator == first.EpochAuthenticator) {
			s.Fatalf("epoch %d has the keys of epoch %d", first.Epoch, epoch)
		}
	}
	s.epochs[first.Epoch] = first.EpochAuthenticator
}

// complete is compare when nobody is still outside with a Welcome in hand: then
// the group has the members that we know of.
func (s *scene) complete() {
	s.Helper()
	s.compare()
	if have := s.members[0].view(s).Members; have != len(s.members) {
		s.Fatalf("%d members, want %d", have, len(s.members))
	}
}

// send lets a member encrypt text.
func (s *scene) send(sender member, text string) []byte {
	s.Helper()
	message, err := sender.send(s, text)
	if err != nil {
		s.Fatalf("%s sends: %v", sender.name(), err)
	}
	return message
}

// read lets a member decrypt a message that must say text.
func (s *scene) read(reader member, message []byte, text string) {
	s.Helper()
	r, err := reader.process(s, message)
	if err != nil {
		s.Fatalf("%s reads: %v", reader.name(), err)
	}
	if r.kind != "application" || r.text != text {
		s.Fatalf("%s reads %s %q, want %q", reader.name(), r.kind, r.text, text)
	}
}

// chat lets everybody send a message to everybody.
func (s *scene) chat() {
	s.Helper()
	for _, sender := range s.members {
		text := fmt.Sprintf("%s to all in epoch %d", sender.name(), len(s.epochs))
		message := s.send(sender, text)
		for _, m := range s.members {
			if m != sender {
				s.read(m, message, text)
			}
		}
	}
}

// refused fails unless what was tried ended in an error and left the member as
// it was. A Go member must give goError, a ts-mls member an error with tsWords in
// it; nil and "" stand for any error.
func (s *scene) refused(m member, goError error, tsWords string, try func() error) {
	s.Helper()
	before := m.view(s)
	err := try()
	if err == nil {
		s.Fatalf("%s accepted what it must refuse", m.name())
	}
	var text refusal
	switch {
	case errors.As(err, &text):
		if !strings.Contains(text.text, tsWords) {
			s.Fatalf("%s refused with %q, want %q", m.name(), text.text, tsWords)
		}
	case goError != nil && !errors.Is(err, goError):
		s.Fatalf("%s refused with %q, want %q", m.name(), err, goError)
	}
	if after := m.view(s); after != before {
		s.Fatalf("%s changed although it refused (%v):\n%+v\n%+v", m.name(), err, before, after)
	}
	s.counts.refusals++
}

// refuse is refused for a message.
func (s *scene) refuse(m member, goError error, tsWords string, message []byte) {
	s.Helper()
	s.refused(m, goError, tsWords, func() error { _, err := m.process(s, message); return err })
}
