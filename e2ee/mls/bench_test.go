package mls

import (
	"fmt"
	"testing"
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
	bob = newClient(b, cs, "bob")
	bob.externalJoin(ExternalJoinOptions{}, alice)
	for i := 2; i < n; i++ {
		c := newClient(b, cs, fmt.Sprintf("client %d", i))
		c.externalJoin(ExternalJoinOptions{}, alice)
		if i == n-1 { // bob gets the tree as a newcomer; he need not follow all joins
			bob = c
		}
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

func benchAll(b *testing.B, f func(b *testing.B, cs CipherSuite, n int)) {
	for _, cs := range []CipherSuite{X25519AES128, Hybrid} {
		for _, n := range benchSizes {
			if testing.Short() && n > 100 {
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
		for b.Loop() {
			p, err := alice.group.Commit(CommitOptions{}, testNow)
			if err != nil {
				b.Fatal(err)
			}
			message, _ := p.Release()
			size = len(message)
			if err := alice.group.Merge(p, testNow); err != nil {
				b.Fatal(err)
			}
		}
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
		for b.Loop() {
			j, err := JoinExternal(c.cfg, info, ExternalJoinOptions{Leaf: c.leafOptions()}, testNow)
			if err != nil {
				b.Fatal(err)
			}
			size = len(j.Commit())
			c.leafs = nil
		}
		b.ReportMetric(float64(size), "B/message")
		b.ReportMetric(float64(len(info)), "B/groupinfo")
	})
}

// BenchmarkProcess processes an empty commit of another member.
func BenchmarkProcess(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, bob := benchGroup(b, cs, n)
		alice.cfg.Ephemeral = true
		for b.Loop() {
			b.StopTimer()
			message, _ := alice.commit(CommitOptions{})
			bob.leafs = nil
			b.StartTimer()
			bob.process(message)
		}
	})
}

// BenchmarkSend encrypts 100 bytes and serialises the state to be stored with them.
func BenchmarkSend(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, _ := benchGroup(b, cs, n)
		data := make([]byte, 100)
		var size int
		for b.Loop() {
			o, err := alice.group.Seal(data, SealOptions{})
			if err != nil {
				b.Fatal(err)
			}
			o.State()
			message, err := o.Release()
			if err != nil {
				b.Fatal(err)
			}
			size = len(message)
		}
		b.ReportMetric(float64(size), "B/message")
	})
}

// BenchmarkReceive decrypts a message of 100 bytes.
func BenchmarkReceive(b *testing.B) {
	benchAll(b, func(b *testing.B, cs CipherSuite, n int) {
		alice, bob := benchGroup(b, cs, n)
		data := make([]byte, 100)
		for b.Loop() {
			b.StopTimer()
			o, err := alice.group.Seal(data, SealOptions{})
			message := release(b, o, err)
			b.StartTimer()
			bob.process(message)
		}
	})
}
