package sframe

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestReplayWindowEdges(t *testing.T) {
	for _, tc := range []struct {
		name string
		seq  []uint64
		want []bool
	}{
		{"in order", []uint64{0, 1, 2}, []bool{true, true, true}},
		{"repeat", []uint64{0, 0}, []bool{true, false}},
		{"starts high, fills down", []uint64{5000, 4999, 3977, 3976}, []bool{true, true, true, false}},
		{"oldest inside, then outside", []uint64{0, 1023, 0, 1024, 0, 1}, []bool{true, true, false, true, false, true}},
		{"jump by exactly the window", []uint64{0, 1024, 0, 1}, []bool{true, true, false, true}},
		{"jump far", []uint64{7, 1 << 40, 7, 1<<40 - 1023, 1<<40 - 1024}, []bool{true, true, false, true, false}},
		{"the very end", []uint64{math.MaxUint64 - 1, math.MaxUint64, math.MaxUint64, 0}, []bool{true, true, false, false}},
	} {
		var w replayWindow
		for i, c := range tc.seq {
			if got := w.accept(c); got != tc.want[i] {
				t.Errorf("%s: step %d, counter %d: %v", tc.name, i, c, got)
			}
		}
	}
}

// Against a model that remembers everything.
func TestReplayWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w replayWindow
		seen := map[uint64]bool{}
		var top uint64
		base := rapid.SampledFrom([]uint64{0, 1000, 1 << 32, math.MaxUint64 - 6000}).Draw(t, "base")
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			c := base + rapid.Uint64Range(0, 5000).Draw(t, "offset")
			want := !seen[c] && (len(seen) == 0 || c > top || top-c < ReplayWindow)
			if got := w.accept(c); got != want {
				t.Fatalf("counter %d, top %d: %v, want %v", c, top, got, want)
			}
			if want {
				seen[c] = true
				top = max(top, c)
			}
		}
	})
}
