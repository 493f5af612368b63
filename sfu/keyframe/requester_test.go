package keyframe_test

import (
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/sfu/keyframe"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestRequester(t *testing.T) {
	type event struct {
		at   int // ms
		do   string
		want bool // of a poll
	}
	tests := []struct {
		name   string
		events []event
	}{
		{"nobody waits", []event{{0, "poll", false}, {10000, "poll", false}}},
		{"the first request goes at once", []event{{0, "want a", false}, {0, "poll", true}}},
		{"and repeats until a key frame comes", []event{
			{0, "want a", false},
			{0, "poll", true},
			{449, "poll", false},
			{450, "poll", true},
			{899, "poll", false},
			{900, "poll", true},
			{1000, "key", false},
			{5000, "poll", false},
		}},
		{"never gives up", []event{{0, "want a", false}, {0, "poll", true}, {3600_000, "poll", true}, {7200_000, "poll", true}}},
		{"many wishes, one request", []event{
			{0, "want a", false},
			{0, "poll", true},
			{1, "want b", false},
			{1, "poll", false},
			{2, "want a", false},
			{2, "poll", false},
			{450, "poll", true},
		}},
		{"who leaves does not wait", []event{
			{0, "want a", false},
			{0, "want b", false},
			{0, "cancel a", false},
			{0, "poll", true},
			{1, "cancel b", false},
			{450, "poll", false},
			{450, "cancel b", false},
		}},
		{"too soon after a key frame the sender would not listen", []event{
			{0, "key", false},
			{10, "want a", false},
			{10, "poll", false},
			{319, "poll", false},
			{320, "poll", true},
			{769, "poll", false},
			{770, "poll", true},
		}},
		{"throttled across key frames", []event{
			{0, "want a", false},
			{0, "poll", true},
			{50, "key", false},
			{60, "want a", false},
			{400, "poll", false},
			{450, "poll", true},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var r keyframe.Requester[string]
			for i, e := range tt.events {
				now := epoch.Add(time.Duration(e.at) * time.Millisecond)
				switch e.do {
				case "want a":
					r.Want("a")
				case "want b":
					r.Want("b")
				case "cancel a":
					r.Cancel("a")
				case "cancel b":
					r.Cancel("b")
				case "key":
					r.KeyFrame(now)
					if r.Waiting() != 0 {
						t.Errorf("event %d: somebody waits after a key frame", i)
					}
				case "poll":
					at, ok := r.Next()
					if due := ok && !now.Before(at); due != e.want {
						t.Errorf("event %d at %d ms: Next says due=%v", i, e.at, due)
					}
					if got := r.Poll(now); got != e.want {
						t.Errorf("event %d at %d ms: Poll = %v", i, e.at, got)
					}
				}
			}
		})
	}
}

func TestNoAllocationsWhileWaiting(t *testing.T) {
	var r keyframe.Requester[int]
	now := epoch
	r.Want(1)
	if n := testing.AllocsPerRun(1000, func() {
		now = now.Add(10 * time.Millisecond)
		r.Want(1)
		r.Poll(now)
		r.KeyFrame(now)
		r.Want(1)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
