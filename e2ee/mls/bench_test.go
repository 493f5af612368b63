package mls

import (
	"fmt"
	"testing"
	"time"
)

// benchSizes are the group sizes of the table in docs/mls.md.
var benchSizes = []int{2, 10, 100, 1000}

// benchGroup makes a group of n members all of whom have committed once, as in a call that people
// have joined one by one, and returns a few of them. The tree has no blank parent.
func benchGroup(b *testing.B, cs CipherSuite, n int) (alice, bob *client) {
	b.Helper()
	for _, g := range benchGroups {
		if g.cs == cs && g.n == n {
			return g.alice.again(b), g.bob.again(b)
		}
	}
	alice = newClient(b, cs, "alice")
	alice.create()
	for i := 1; i < n; i++ {
		// A joiner validates the whole tree. To be done with the preparation today, these take it
		// from Alice's memory.
		bob = newClient(b, cs, fmt.Sprintf("client %d", i))
		old := *alice.group
		old.cfg, old.signer, old.own, old.keys = bob.cfg, bob.cfg.Signer, noLeaf, nil
		kem, initSecret, err := old.suite.ExternalInit(must(externalPub(old.suite, old.secrets.external)))
		if err != nil {
			b.Fatal(err)
		}
		o := ExternalJoinOptions{Leaf: bob.leafOptions()}
		j, err := old.joinExternally(must(old.externalProposals(kem, o)), initSecret, o, testNow)
		if err != nil {
			b.Fatal(err)
		}
		alice.process(j.Commit())
		bob.group = must(j.Merge())
	}
	alice.leafs, bob.leafs = nil, nil
	benchGroups = append(benchGroups, benchCase{cs, n, alice, bob})
	return alice.again(b), bob.again(b)
}

type benchCase struct {
	cs         CipherSuite
	n          int
	alice, bob *client
}

var benchGroups []benchCase

// again returns a copy of a client with a group of its own.
func (c *client) again(b *testing.B) *client {
	b.Helper()
	d := *c
	g, err := Restore(c.cfg, c.group.State())
	if err != nil {
		b.Fatal(err)
	}
	d.group = g
	return &d
}

// stopwatch sums the processor time of the parts of a benchmark that are timed.
type stopwatch struct {
	b      *testing.B
	begun  time.Duration
	sum    time.Duration
	rounds int
}

// time runs one round of f with the timer on.
func (w *stopwatch) time(f func()) {
	w.b.StartTimer()
	w.begun = cpuTime()
	f()
	w.sum += cpuTime() - w.begun
	w.rounds++
}

func (w *stopwatch) report() {
	w.b.ReportMetric(float64(w.sum.Microseconds())/float64(w.rounds), "cpu-µs/op")
}

func benchAll(b *testing.B, f func(b *testing.B, cs CipherSuite, n int)) {
	for _, cs := range []CipherSuite{X25519AES128, P256AES128, Hybrid} {
		for _, n := range benchSizes {
			if n > 100 && (testing.Short() || cs == P256AES128) {
				continue
			}
			b.Run(fmt.Sprintf("%#04x/%d", uint16(cs), n), func(b *testing.B) { f(b, cs, n) })
		}
	}
}

// BenchmarkCommit makes an empty commit with a path and merges it.
func BenchmarkCommit(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, _ := benchGroup(b, cs, n)
		alice.cfg.Ephemeral = true
		var size int
		w := &stopwatch{b: b}
		for b.Loop() {
			w.time(func() {
				p, err := alice.group.Commit(CommitOptions{}, testNow)
				if err != nil {
					b.Fatal(err)
				}
				message, _ := p.Release()
				size = len(message)
				if err := alice.group.Merge(p, testNow); err != nil {
					b.Fatal(err)
				}
			})
			alice.leafs = nil
		}
		w.report()
		b.ReportMetric(float64(size), "B/message")
	})
}

// BenchmarkCommitBlank makes the first commit of a member in a group that was made by a single
// commit: the tree has hardly any parent yet, so the path is encrypted to nearly every member.
func BenchmarkCommitBlank(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		host := newClient(b, cs, "host")
		host.cfg.Ephemeral = true
		host.create()
		var o CommitOptions
		o.OmitPath = true
		for i := 1; i < n; i++ {
			c := newClient(b, cs, fmt.Sprintf("client %d", i))
			o.Proposals = append(o.Proposals, AddMember(c.keyPackage().public))
		}
		host.commit(o)
		var size int
		w := &stopwatch{b: b}
		for b.Loop() {
			w.time(func() {
				p, err := host.group.Commit(CommitOptions{}, testNow)
				if err != nil {
					b.Fatal(err)
				}
				size = len(p.commit)
			})
			if err := host.group.Discard(host.group.Pending()); err != nil {
				b.Fatal(err)
			}
			host.leafs = nil
		}
		w.report()
		b.ReportMetric(float64(size), "B/message")
	})
}

// BenchmarkExternalJoin joins by an external commit, including the validation of the whole tree.
func BenchmarkExternalJoin(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, _ := benchGroup(b, cs, n)
		info, err := alice.group.GroupInfo(GroupInfoOptions{ExternalPub: true, RatchetTree: true})
		if err != nil {
			b.Fatal(err)
		}
		c := newClient(b, cs, "newcomer")
		var size int
		w := &stopwatch{b: b}
		for b.Loop() {
			w.time(func() {
				j, err := JoinExternal(c.cfg, info, ExternalJoinOptions{Leaf: c.leafOptions()}, testNow)
				if err != nil {
					b.Fatal(err)
				}
				size = len(j.Commit())
			})
			c.leafs = nil
		}
		w.report()
		b.ReportMetric(float64(size), "B/message")
		b.ReportMetric(float64(len(info)), "B/groupinfo")
	})
}

// BenchmarkProcess processes an empty commit of another member.
func BenchmarkProcess(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, bob := benchGroup(b, cs, n)
		alice.cfg.Ephemeral = true
		w := &stopwatch{b: b}
		for b.Loop() {
			b.StopTimer()
			message, _ := alice.commit(CommitOptions{})
			bob.leafs = nil
			w.time(func() { bob.process(message) })
		}
		w.report()
	})
}

// BenchmarkSend encrypts 100 bytes and serialises the state to be stored with them.
func BenchmarkSend(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, _ := benchGroup(b, cs, n)
		version := alice.group.State().GroupVersion // stored once an epoch
		data := make([]byte, 100)
		var size int
		w := &stopwatch{b: b}
		for b.Loop() {
			w.time(func() {
				o, err := alice.group.Seal(data, SealOptions{})
				if err != nil {
					b.Fatal(err)
				}
				o.StateSince(version)
				message, err := o.Release()
				if err != nil {
					b.Fatal(err)
				}
				size = len(message)
			})
		}
		w.report()
		b.ReportMetric(float64(size), "B/message")
	})
}

// BenchmarkReceive decrypts a message of 100 bytes.
func BenchmarkReceive(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, bob := benchGroup(b, cs, n)
		data := make([]byte, 100)
		w := &stopwatch{b: b}
		for b.Loop() {
			b.StopTimer()
			o, err := alice.group.Seal(data, SealOptions{})
			message := release(b, o, err)
			w.time(func() { bob.process(message) })
		}
		w.report()
	})
}

// BenchmarkState reports the size of the two parts of a stored state.
func BenchmarkState(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, _ := benchGroup(b, cs, n)
		var s State
		for b.Loop() {
			alice.group.groupBlob = nil
			s = alice.group.State()
		}
		b.ReportMetric(float64(len(s.Group)), "B/group")
		b.ReportMetric(float64(len(s.Messages)), "B/messages")
	})
}
