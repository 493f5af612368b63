//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// operationsPerRun is how many random operations one run does.
const operationsPerRun = 200

// defaultSeed decides the operations unless the variable SEED does. The keys are
// random all the same.
const defaultSeed = 9420

func seed(t *testing.T) uint64 {
	text := os.Getenv("SEED")
	if text == "" {
		return defaultSeed
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("SEED: %v", err)
	}
	return n
}

// world is a scene in which three clients come and go by chance.
type world struct {
	*scene
	rand    *rand.Rand
	absent  []member
	version int // of the extensions
	log     []string
}

// TestRandomOperations does 200 random operations with three clients of both
// implementations and compares all members after every one.
func TestRandomOperations(t *testing.T) {
	n := seed(t)
	fmt.Printf("random operations: SEED=%d\n", n)
	for _, cs := range suites {
		t.Run("suite "+suiteName(cs), func(t *testing.T) {
			t.Parallel()
			for i, names := range [][]string{{inGo, inTS, inGo}, {inTS, inGo, inTS}} {
				t.Run(strings.Join(names, ", "), func(t *testing.T) {
					w := &world{
						scene: newScene(t, cs, either),
						rand:  rand.New(rand.NewPCG(n, uint64(cs)<<8|uint64(i))),
					}
					t.Cleanup(func() {
						if t.Failed() {
							t.Logf("SEED=%d, the last operations were:\n%s", n, strings.Join(w.log, "\n"))
						}
					})
					w.play(names)
					w.count(fmt.Sprintf("random, %d Go + %d ts-mls", count(names, inGo), count(names, inTS)))
				})
			}
		})
	}
}

func count(list []string, what string) (n int) {
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

func (w *world) play(names []string) {
	w.Helper()
	for i, implementation := range names {
		if i == 0 {
			w.found(implementation, "client 0")
			w.learnPSK(w.members[0])
			continue
		}
		m, _ := w.client(implementation, fmt.Sprint("client ", i))
		w.absent = append(w.absent, m)
	}
	for i := range operationsPerRun {
		w.step(i)
		w.compare()
	}
}

func (w *world) learnPSK(m member) { m.learn(w, "secret", "a secret") }

// step does one operation that is possible now.
func (w *world) step(i int) {
	w.Helper()
	type operation struct {
		name     string
		weight   int
		possible bool
		do       func() string
	}
	several, some := len(w.members) > 1, len(w.absent) > 0
	list := []operation{
		{"add", 6, some, w.addOne},
		{"external join", 4, some, w.joinExternally},
		{"remove", 2, several, w.removeOne},
		{"resync", 1, several, w.resync},
		{"path", 4, true, w.path},
		{"update", 4, several, w.update},
		{"psk", 4, true, w.psk},
		{"resumption", 2, len(w.epochs) > 1, w.resumption},
		{"extensions", 2, w.oneIn(inGo), w.settings},
		{"messages", 3, several, w.messages},
		{"race", 2, several, w.race},
		{"framing", 1, true, w.reframe},
	}
	total := 0
	for _, op := range list {
		if op.possible {
			total += op.weight
		}
	}
	at := w.rand.IntN(total)
	for _, op := range list {
		if !op.possible {
			continue
		}
		if at -= op.weight; at < 0 {
			w.log = append(w.log, fmt.Sprintf("%3d %s", i, op.name))
			w.log[len(w.log)-1] += " " + op.do()
			if len(w.log) > 12 {
				w.log = w.log[1:]
			}
			return
		}
	}
}

func (w *world) flip() bool { return w.rand.IntN(2) == 0 }

func (w *world) any(list []member) member { return list[w.rand.IntN(len(list))] }

func (w *world) other(than member) member {
	return w.any(slices.DeleteFunc(slices.Clone(w.members), func(m member) bool { return m == than }))
}

func (w *world) oneIn(implementation string) bool { return len(w.allIn(implementation)) > 0 }

func (w *world) allIn(implementation string) []member {
	var out []member
	for _, m := range w.members {
		if _, ok := m.(*goMember); ok == (implementation == inGo) {
			out = append(out, m)
		}
	}
	return out
}

// enterable takes a client from outside, with new keys.
func (w *world) enterable() (m member, keyPackage []byte) {
	w.Helper()
	i := w.rand.IntN(len(w.absent))
	m = w.absent[i]
	w.absent = slices.Delete(w.absent, i, i+1)
	keyPackage = m.fresh(w)
	w.learnPSK(m)
	return m, keyPackage
}

// options decides what is left to chance in every commit.
func (w *world) options(list ...proposal) commitOptions {
	return commitOptions{proposals: list, omitPath: w.flip()}
}

// offer puts a proposal into a commit of committer, or has it sent before by
// somebody.
func (w *world) offer(committer member, p proposal) string {
	w.Helper()
	if w.flip() {
		w.commitFor(committer, w.options(p))
		return committer.name()
	}
	proposer := w.any(w.members)
	w.propose(proposer, p)
	w.commitFor(committer, w.options())
	return committer.name() + ", proposed by " + proposer.name()
}

// commitFor keeps who is removed for later.
func (w *world) commitFor(committer member, o commitOptions) {
	w.Helper()
	before := slices.Clone(w.members)
	w.commit(committer, o)
	for _, m := range before {
		if !slices.Contains(w.members, m) {
			w.absent = append(w.absent, m)
		}
	}
}

func (w *world) addOne() string {
	w.Helper()
	m, keyPackage := w.enterable()
	committer := w.any(w.members)
	o := w.options(proposal{kind: add, keyPackage: keyPackage})
	if w.flip() {
		w.propose(w.any(w.members), o.proposals[0])
		o.proposals = nil
	}
	if w.flip() {
		o.proposals = append(o.proposals, proposal{kind: psk, id: "secret"})
	}
	o.omitTree = w.flip()
	welcome := w.commit(committer, o)
	var tree []byte
	if o.omitTree {
		tree = w.any(w.members).ratchetTree(w)
	}
	w.welcome(welcome, tree, m)
	return m.name() + " by " + committer.name()
}

func (w *world) joinExternally() string {
	w.Helper()
	m, _ := w.enterable()
	var o externalOptions
	if _, ok := m.(*goMember); ok && w.flip() {
		o.psk = "secret"
	}
	by := w.any(w.members)
	if w.flip() {
		o.tree = by.ratchetTree(w)
	}
	w.externalJoin(m, by, o)
	return m.name() + " with the group info of " + by.name()
}

func (w *world) resync() string {
	w.Helper()
	lost := w.any(w.members)
	leaf := lost.view(w).Leaf
	w.members = slices.DeleteFunc(w.members, func(m member) bool { return m == lost })
	w.externalJoin(lost, w.any(w.members), externalOptions{resync: true, leaf: leaf})
	return lost.name()
}

func (w *world) removeOne() string {
	w.Helper()
	committer := w.any(w.members)
	who := w.other(committer)
	return who.name() + " by " + w.offer(committer, proposal{kind: remove, leaf: who.view(w).Leaf})
}

func (w *world) path() string {
	w.Helper()
	m := w.any(w.members)
	w.commitFor(m, commitOptions{})
	return m.name()
}

func (w *world) update() string {
	w.Helper()
	who := w.any(w.members)
	committer := w.other(who)
	w.propose(who, proposal{kind: update})
	w.commitFor(committer, commitOptions{})
	return who.name() + " by " + committer.name()
}

func (w *world) psk() string {
	w.Helper()
	return w.offer(w.any(w.members), proposal{kind: psk, id: "secret"})
}

// resumption uses the PSK of the current epoch, which all members have.
func (w *world) resumption() string {
	w.Helper()
	return w.offer(w.any(w.members), proposal{kind: resumption, epoch: w.members[0].view(w).Epoch})
}

// settings leaves the commit to Go: see TestExtensions.
func (w *world) settings() string {
	w.Helper()
	w.version++
	list := []mls.Extension{{Type: extSettings, Data: fmt.Appendf(nil, "version %d", w.version)}}
	return w.offer(w.any(w.allIn(inGo)), proposal{kind: settings, extensions: list})
}

// messages sends some, which everybody receives in an order of its own.
func (w *world) messages() string {
	w.Helper()
	sender := w.any(w.members)
	list := make([][]byte, 1+w.rand.IntN(5))
	for i := range list {
		list[i] = w.send(sender, fmt.Sprint("message ", i))
	}
	for _, m := range w.members {
		if m == sender {
			continue
		}
		for _, i := range w.rand.Perm(len(list)) {
			w.read(m, list[i], fmt.Sprint("message ", i))
		}
	}
	return sender.name()
}

// race lets two commit at once; the second commit is refused by everybody.
func (w *world) race() string {
	w.Helper()
	loser := w.any(w.members)
	winner := w.other(loser)
	late, _, err := loser.commit(w, commitOptions{})
	if err != nil {
		w.Fatal(err)
	}
	w.commitFor(winner, w.options())
	for _, m := range w.members {
		if m != loser {
			w.refuse(m, nil, "", late)
		}
	}
	return winner.name() + " before " + loser.name()
}

// reframe lets everybody send handshakes in the other form; for Go members that
// includes a restart from the stored state.
func (w *world) reframe() string {
	w.Helper()
	w.framing = map[framing]framing{either: public, public: either}[w.framing]
	for _, m := range append(slices.Clone(w.members), w.absent...) {
		if g, ok := m.(*goMember); ok && slices.Contains(w.absent, m) {
			g.group = nil // it is out
		}
		m.frame(w, w.framing)
	}
	return w.framing.String()
}
