package mls

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMain makes the property tests short unless -rapid.checks asks for more.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "rapid.checks" })
	if !asked {
		if err := flag.Set("rapid.checks", "8"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// world is a group of clients that a random sequence of operations is done in. The delivery
// service is perfect: everybody sees every handshake, in the same order.
type world struct {
	t       *testing.T
	suite   CipherSuite
	members []*client
	names   int
	epoch   uint64
}

func (w *world) newClient() *client {
	w.names++
	c := newClient(w.t, w.suite, fmt.Sprintf("client %d", w.names))
	c.psks["psk"] = []byte("shared")
	c.cfg.PastEpochs, c.cfg.PastEpochLifetime, c.cfg.ResumptionEpochs = 2, 1<<40, 2
	return c
}

func (w *world) pick(rt *rapid.T) *client { return rapid.SampledFrom(w.members).Draw(rt, "member") }

// deliver gives a handshake to all but its sender.
func (w *world) deliver(message []byte, sender *client) {
	for _, c := range w.members {
		if c != sender {
			c.process(message)
		}
	}
}

// commit lets c commit and everybody follow, and drops who was removed.
func (w *world) commit(rt *rapid.T, c *client, o CommitOptions) []byte {
	o.OmitPath = rapid.Bool().Draw(rt, "omit path")
	message, welcome := c.commit(o)
	w.deliver(message, c)
	w.members = slices.DeleteFunc(w.members, func(c *client) bool { return c.group.Removed() })
	w.epoch++
	return welcome
}

func (w *world) add(rt *rapid.T) {
	if len(w.members) > 12 {
		return
	}
	n := rapid.IntRange(1, 3).Draw(rt, "new members")
	var o CommitOptions
	var keys []*OwnKeyPackage
	var who []*client
	committer := w.pick(rt)
	for range n {
		c := w.newClient()
		k := c.keyPackage()
		if p := AddMember(c.public(k)); rapid.Bool().Draw(rt, "by reference") {
			proposer := w.pick(rt)
			w.deliver(proposer.propose(p), proposer)
		} else {
			o.Proposals = append(o.Proposals, p)
		}
		who, keys = append(who, c), append(keys, k)
	}
	welcome := w.commit(rt, committer, o)
	for i, c := range who {
		c.join(welcome, keys[i])
		w.members = append(w.members, c)
	}
}

func (w *world) remove(rt *rapid.T) {
	if len(w.members) < 3 {
		return
	}
	committer, target := w.pick(rt), w.pick(rt)
	if committer == target {
		return
	}
	w.commit(rt, committer, CommitOptions{Proposals: []Proposal{RemoveMember(target.group.OwnLeaf())}})
}

func (w *world) update(rt *rapid.T) {
	if len(w.members) < 2 {
		return
	}
	updater, committer := w.pick(rt), w.pick(rt)
	o, err := updater.group.ProposeUpdate(LeafUpdate{}, testNow)
	w.deliver(release(w.t, o, err), updater)
	w.commit(rt, committer, CommitOptions{})
}

func (w *world) empty(rt *rapid.T) { w.commit(rt, w.pick(rt), CommitOptions{}) }

func (w *world) psk(rt *rapid.T) {
	w.commit(rt, w.pick(rt), CommitOptions{Proposals: []Proposal{UsePSK([]byte("psk"))}})
}

func (w *world) extensions(rt *rapid.T) {
	data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(rt, "data")
	w.commit(rt, w.pick(rt), CommitOptions{Proposals: []Proposal{SetExtensions([]Extension{{extTest, data}})}})
}

func (w *world) external(rt *rapid.T) {
	if len(w.members) > 12 {
		return
	}
	c := w.newClient()
	if rapid.Bool().Draw(rt, "resync") && len(w.members) > 1 {
		lost := w.pick(rt)
		w.members = slices.DeleteFunc(w.members, func(m *client) bool { return m == lost })
		c.name, c.cfg.Signer = lost.name, lost.cfg.Signer
		at := lost.group.OwnLeaf()
		c.externalJoin(ExternalJoinOptions{Resync: &at}, w.members...)
	} else {
		c.externalJoin(ExternalJoinOptions{PSKs: [][]byte{[]byte("psk")}}, w.members...)
	}
	w.members = append(w.members, c)
	w.epoch++
}

// messages sends some messages and delivers them in random order.
func (w *world) messages(rt *rapid.T) {
	sender := w.pick(rt)
	var list [][]byte
	for i := range rapid.IntRange(1, 5).Draw(rt, "messages") {
		list = append(list, sender.seal(fmt.Sprint(i)))
	}
	for _, c := range w.members {
		if c == sender {
			continue
		}
		for _, i := range rapid.Permutation([]int{0, 1, 2, 3, 4}[:len(list)]).Draw(rt, "order") {
			c.open(list[i], fmt.Sprint(i))
		}
	}
}

// restore lets a client crash and come back.
func (w *world) restore(rt *rapid.T) {
	c := w.pick(rt)
	before := stateHash(c.group)
	g, err := Restore(c.cfg, c.group.State())
	if err != nil {
		w.t.Fatal(err)
	}
	if stateHash(g) != before {
		w.t.Fatal("restored state differs")
	}
	c.group = g
}

// race lets two members commit; the first wins.
func (w *world) race(rt *rapid.T) {
	if len(w.members) < 2 {
		return
	}
	loser := w.pick(rt)
	if _, err := loser.group.Commit(CommitOptions{}, testNow); err != nil {
		w.t.Fatal(err)
	}
	winner := w.pick(rt)
	if winner == loser {
		if err := loser.group.Discard(loser.group.Pending()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.commit(rt, winner, CommitOptions{})
}

// TestRandomOperations checks that whatever is done, all members agree and the tree is valid.
func TestRandomOperations(t *testing.T) {
	for _, cs := range []CipherSuite{X25519AES128, Hybrid} {
		t.Run(cs.String(), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				w := &world{t: t, suite: cs}
				founder := w.newClient()
				founder.create()
				w.members = []*client{founder}
				rt.Repeat(map[string]func(*rapid.T){
					"add": w.add, "remove": w.remove, "update": w.update, "empty": w.empty,
					"psk": w.psk, "extensions": w.extensions, "external": w.external,
					"messages": w.messages, "restore": w.restore, "race": w.race,
					"": func(*rapid.T) {
						if w.epoch != w.members[0].group.Epoch() {
							t.Fatalf("epoch %d, want %d", w.members[0].group.Epoch(), w.epoch)
						}
						sameEpoch(t, w.members...)
					},
				})
			})
		})
	}
}
