package nack_test

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/sfu/nack"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const rtt = 40 * time.Millisecond

// poll returns the wire numbers asked for.
func poll(g *nack.Generator, now time.Time) (asked []uint16, lost int) {
	pairs, lost := g.Poll(now, rtt, nil)
	for _, p := range pairs {
		asked = append(asked, p.PacketList()...)
	}
	return asked, lost
}

func receive(g *nack.Generator, now time.Time, seqs ...seqnum.Full) {
	for _, s := range seqs {
		g.Received(s, now)
	}
}

func TestAsksForGaps(t *testing.T) {
	var g nack.Generator
	if _, ok := g.Next(); ok {
		t.Error("something to do before the first packet")
	}
	receive(&g, epoch, 131070, 131074) // missing 131071 (wire 65535), 131072 (0), 131073 (1)
	if at, ok := g.Next(); !ok || !at.Equal(epoch.Add(nack.ReorderWait)) {
		t.Errorf("Next = %v, %v", at, ok)
	}
	if asked, _ := poll(&g, epoch.Add(nack.ReorderWait-1)); asked != nil {
		t.Errorf("asked for %v while it may be reordering", asked)
	}
	now := epoch.Add(nack.ReorderWait)
	if asked, lost := poll(&g, now); !slices.Equal(asked, []uint16{65535, 0, 1}) || lost != 0 {
		t.Errorf("asked for %v, lost %d", asked, lost)
	}
	if asked, _ := poll(&g, now.Add(rtt)); asked != nil {
		t.Errorf("asked again for %v within the round trip", asked)
	}
	// One comes over RTX, one by itself: neither is asked for again.
	receive(&g, now, 131072, 131071)
	now = now.Add(rtt + rtt/2)
	if asked, _ := poll(&g, now); !slices.Equal(asked, []uint16{1}) {
		t.Errorf("asked for %v, want [1]", asked)
	}
	receive(&g, now, 131073)
	if _, ok := g.Next(); ok || g.Missing() != 0 {
		t.Error("something to do when all is there")
	}
}

func TestOldAndRepeatedPacketsAreHarmless(t *testing.T) {
	var g nack.Generator
	receive(&g, epoch, 70000, 69000, 70000, 69999, 70001)
	if asked, lost := poll(&g, epoch.Add(time.Second)); asked != nil || lost != 0 || g.Missing() != 0 {
		t.Errorf("asked for %v, lost %d", asked, lost)
	}
}

func TestGivesUp(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rtt   time.Duration
		tries int
	}{
		{"after the tries, when the way is short", time.Millisecond, nack.MaxTries},
		{"by age, when the way is long", 10 * time.Second, 4}, // at 5, 305, 605 and 905 ms
		{"with an unknown round trip", 0, 7},                  // every 150 ms
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g nack.Generator
			receive(&g, epoch, 70000, 70002)
			tries, lost := 0, 0
			for now := epoch; now.Before(epoch.Add(2 * time.Second)); now = now.Add(time.Millisecond) {
				pairs, n := g.Poll(now, tt.rtt, nil)
				tries += len(pairs)
				lost += n
			}
			if tries != tt.tries || lost != 1 || g.Missing() != 0 {
				t.Errorf("%d tries, %d lost", tries, lost)
			}
		})
	}
}

func TestOutageIsGivenUpAtOnce(t *testing.T) {
	var g nack.Generator
	receive(&g, epoch, 70000, 70002, 70002+nack.MaxMissing+2)
	if at, ok := g.Next(); !ok || at.After(epoch) {
		t.Error("the loss is not told at once")
	}
	if asked, lost := poll(&g, epoch.Add(time.Second)); asked != nil || lost != nack.MaxMissing+2 {
		t.Errorf("asked for %v, lost %d", asked, lost)
	}
	// Too much in several pieces: the oldest go.
	receive(&g, epoch, 80000)
	poll(&g, epoch)
	receive(&g, epoch, 80001+nack.MaxMissing)
	receive(&g, epoch, 80004+nack.MaxMissing)
	asked, lost := poll(&g, epoch.Add(nack.ReorderWait))
	if len(asked) != nack.MaxMissing || lost != 2 || asked[0] != seqnum.Full(80003).Wire() {
		t.Errorf("asked for %d from %d on, lost %d", len(asked), asked[0], lost)
	}
}

func TestForget(t *testing.T) {
	var g nack.Generator
	receive(&g, epoch, 70000, 70004, 70008)
	g.Forget(70005)
	if asked, lost := poll(&g, epoch.Add(time.Second/2)); len(asked) != 3 || lost != 0 || asked[0] != seqnum.Full(70005).Wire() {
		t.Errorf("asked for %v, lost %d", asked, lost)
	}
	g.Forget(90000)
	if g.Missing() != 0 {
		t.Error("something is left")
	}
}

func TestPollAppends(t *testing.T) {
	var g nack.Generator
	receive(&g, epoch, 65540, 65542) // missing wire 5
	other := []rtcp.NackPair{{PacketID: 4}}
	got, _ := g.Poll(epoch.Add(time.Second/2), rtt, other)
	if !slices.Equal(got, []rtcp.NackPair{{PacketID: 4}, {PacketID: 5}}) {
		t.Errorf("got %v: another layer's pair was changed", got)
	}
}

// What is asked for is missing, all that is missing long enough is asked for or given
// up, and nothing is asked for without end.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g nack.Generator
		now := epoch
		highest := seqnum.Full(rapid.IntRange(65536, 140000).Draw(t, "first"))
		g.Received(highest, now)
		missing := map[seqnum.Full]int{} // → times asked
		lost := 0
		check := func() {
			pairs, n := g.Poll(now, rtt, nil)
			lost += n
			for _, p := range pairs {
				for _, wire := range p.PacketList() {
					seq := seqnum.Near(highest, wire)
					count, ok := missing[seq]
					if !ok {
						t.Fatalf("asked for %d, which is not missing", seq)
					}
					if count == nack.MaxTries {
						t.Fatalf("asked for %d once more than allowed", seq)
					}
					missing[seq]++
				}
			}
			if g.Missing() > nack.MaxMissing {
				t.Fatalf("%d missing", g.Missing())
			}
			if g.Missing()+lost != len(missing) {
				t.Fatalf("%d missing and %d lost, want %d together", g.Missing(), lost, len(missing))
			}
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0: // the next, perhaps after a gap
				next := highest + 1 + seqnum.Full(rapid.IntRange(0, 20).Draw(t, "gap"))
				for n := highest + 1; n < next; n++ {
					missing[n] = 0
				}
				highest = next
				g.Received(next, now)
			case 1: // a late one or a repeat
				seq := highest - seqnum.Full(rapid.IntRange(0, 30).Draw(t, "back"))
				before := g.Missing()
				g.Received(seq, now)
				if g.Missing() < before {
					delete(missing, seq)
				}
			default:
				now = now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond)
			}
			check()
		}
		for range 2000 {
			now = now.Add(time.Millisecond)
			check()
		}
		if g.Missing() != 0 {
			t.Fatalf("%d still missing after two seconds", g.Missing())
		}
	})
}

func TestNoAllocations(t *testing.T) {
	var g nack.Generator
	pairs := make([]rtcp.NackPair, 0, 64)
	now, seq := epoch, seqnum.Full(70000)
	if n := testing.AllocsPerRun(2000, func() {
		now = now.Add(4 * time.Millisecond)
		g.Received(seq, now)
		g.Received(seq-5, now)
		seq += 3
		pairs, _ = g.Poll(now, rtt, pairs[:0])
		g.Next()
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkReceived(b *testing.B) {
	var g nack.Generator
	seq := seqnum.Full(70000)
	b.ReportAllocs()
	for b.Loop() {
		g.Received(seq, epoch)
		seq++
	}
}
