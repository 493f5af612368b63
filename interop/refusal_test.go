//go:build interop

package interop

import (
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// TestTamperedCommit changes single bytes all over a commit. Whoever gets such
// a copy refuses it, is as it was, and follows the true commit afterwards.
func TestTamperedCommit(t *testing.T) {
	const places = 24
	everyScene(t, "tampered commit", bothFramings, func(s *scene, c cast) {
		alice, bob := s.pair(c)
		for _, way := range [][2]member{{alice, bob}, {bob, alice}} {
			sender, reader := way[0], way[1]
			message, _, err := sender.commit(s, commitOptions{})
			if err != nil {
				s.Fatal(err)
			}
			for i := range places {
				damaged := append([]byte(nil), message...)
				damaged[i*len(damaged)/places] ^= 0x40
				s.refuse(reader, nil, "", damaged)
			}
			for _, n := range []int{0, 3, len(message) / 2, len(message) - 1} {
				s.refuse(reader, nil, "", message[:n])
			}
			s.refuse(reader, mls.ErrTrailing, "bytes after", append(append([]byte(nil), message...), 0))
			s.deliver(message, sender)
			sender.merge(s)
			s.compare()
			s.refuse(reader, nil, "", message) // it is of the last epoch now
			s.chat()
		}
	})
}

// TestWrongPSK commits a PSK of which the two have different ideas.
func TestWrongPSK(t *testing.T) {
	everyScene(t, "wrong PSK", bothFramings, func(s *scene, c cast) {
		alice, bob := s.pair(c)
		for _, way := range [][2]member{{alice, bob}, {bob, alice}} {
			sender, reader := way[0], way[1]
			id := "known to " + sender.name()
			sender.learn(s, id, "a secret")
			message, _, err := sender.commit(s, commitOptions{proposals: []proposal{{kind: psk, id: id}}})
			if err != nil {
				s.Fatal(err)
			}
			s.refuse(reader, mls.ErrUnknownPSK, "Could not find pskId", message)
			reader.learn(s, id, "a guess")
			s.refuse(reader, mls.ErrConfirmationTag, "Could not verify confirmation tag", message)
			reader.learn(s, id, "a secret")
			s.deliver(message, sender)
			sender.merge(s)
			s.compare()
			s.chat()
		}
	})
}

// TestRace lets two commit at once. Everybody takes the commit that came first,
// the loser drops its own, and the late one is refused.
func TestRace(t *testing.T) {
	everyScene(t, "race", bothFramings, func(s *scene, c cast) {
		alice, bob, carol := s.trio(c)
		for _, race := range []struct{ winner, loser member }{{alice, bob}, {bob, alice}, {carol, bob}} {
			late, _, err := race.loser.commit(s, commitOptions{})
			if err != nil {
				s.Fatal(err)
			}
			s.commit(race.winner, commitOptions{})
			for _, m := range s.members {
				if m != race.loser {
					s.refuse(m, nil, "", late)
				}
			}
			s.commit(race.loser, commitOptions{})
			s.chat()
		}
	})
}
