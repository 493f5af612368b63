package seqnum_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

func TestUnwrap(t *testing.T) {
	tests := []struct {
		name string
		in   []uint16
		want []seqnum.Full
	}{
		{"starts in cycle 1", []uint16{0}, []seqnum.Full{65536}},
		{"rises", []uint16{5, 6, 7}, []seqnum.Full{65541, 65542, 65543}},
		{"rolls over", []uint16{65535, 0, 1}, []seqnum.Full{131071, 131072, 131073}},
		{"reordered across the rollover", []uint16{65534, 0, 65535}, []seqnum.Full{131070, 131072, 131071}},
		{"reordered before the first", []uint16{0, 65535}, []seqnum.Full{65536, 65535}},
		{"one stray old packet is old", []uint16{20000, 10000, 20001}, []seqnum.Full{85536, 75536, 85537}},
		{"old packets not in a row are old", []uint16{20000, 10000, 10005, 20001}, []seqnum.Full{85536, 75536, 75541, 85537}},
		{"two old packets in a row are a new start", []uint16{20000, 10000, 10001, 10002}, []seqnum.Full{85536, 75536, 141073, 141074}},
		{"a little misorder in a row is not", []uint16{20000, 19000, 19001}, []seqnum.Full{85536, 84536, 84537}},
		{"half a cycle ahead is ahead", []uint16{0, 32767}, []seqnum.Full{65536, 98303}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var u seqnum.Unwrapper
			for i, wire := range tt.in {
				if got := u.Unwrap(wire); got != tt.want[i] {
					t.Fatalf("packet %d: Unwrap(%d) = %d, want %d", i, wire, got, tt.want[i])
				}
			}
		})
	}
}

func TestNearDoesNotMoveTheStream(t *testing.T) {
	var u seqnum.Unwrapper
	if got := u.Near(7); got != 65543 {
		t.Errorf("Near(7) before the first packet = %d, want 65543", got)
	}
	u.Unwrap(65530)
	if got := u.Near(3); got != 131075 {
		t.Errorf("Near(3) = %d, want 131075", got)
	}
	if got := u.Highest(); got != 131066 {
		t.Errorf("Highest() = %d after Near, want 131066", got)
	}
	u.Advance(131075)
	u.Advance(131070)
	if got := u.Highest(); got != 131075 {
		t.Errorf("Highest() = %d after Advance, want 131075", got)
	}
	if got := u.Unwrap(4); got != 131076 {
		t.Errorf("Unwrap(4) = %d, want 131076", got)
	}
}

// However packets are delayed, as long as none is overtaken by half a cycle, the true
// number comes back.
func TestUnwrapFindsTheTrueNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u seqnum.Unwrapper
		newest := seqnum.Full(rapid.IntRange(65536, 131071).Draw(t, "first"))
		if got := u.Unwrap(newest.Wire()); got != newest {
			t.Fatalf("first = %d, want %d", got, newest)
		}
		for range rapid.IntRange(1, 200).Draw(t, "packets") {
			n := newest + seqnum.Full(rapid.IntRange(-seqnum.MaxMisorder, 32767).Draw(t, "step"))
			if got := u.Unwrap(n.Wire()); got != n {
				t.Fatalf("got %d, want %d (newest %d)", got, n, newest)
			}
			newest = max(newest, n)
		}
	})
}

func TestNoAllocations(t *testing.T) {
	var u seqnum.Unwrapper
	var wire uint16
	if n := testing.AllocsPerRun(1000, func() { wire++; u.Unwrap(wire); u.Near(wire) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
