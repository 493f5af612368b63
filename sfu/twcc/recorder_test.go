package twcc_test

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/twcc"
)

func TestFeedback(t *testing.T) {
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := twcc.New(0xAAAA)
	if got := r.Feedback(); got != nil {
		t.Errorf("feedback about nothing: %v", got)
	}
	r.Record(0xBBBB, 65534, epoch)
	r.Record(0xBBBB, 65535, epoch.Add(5*time.Millisecond))
	r.Record(0xBBBB, 1, epoch.Add(20*time.Millisecond)) // 0 is missing
	got := r.Feedback()
	if len(got) != 1 {
		t.Fatalf("%d packets", len(got))
	}
	raw, err := got[0].Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var cc rtcp.TransportLayerCC
	if err := cc.Unmarshal(raw); err != nil {
		t.Fatal(err)
	}
	if cc.SenderSSRC != 0xAAAA || cc.MediaSSRC != 0xBBBB || cc.BaseSequenceNumber != 65534 || cc.PacketStatusCount != 4 {
		t.Errorf("%+v", cc)
	}
	if len(cc.RecvDeltas) != 3 {
		t.Fatalf("%d arrivals, want 3", len(cc.RecvDeltas))
	}
	if a, b := cc.RecvDeltas[1].Delta, cc.RecvDeltas[2].Delta; a != 5000 || b != 15000 {
		t.Errorf("deltas of %d and %d µs, want 5000 and 15000", a, b)
	}
	if got := r.Feedback(); got != nil {
		t.Errorf("feedback twice: %v", got)
	}
	r.Record(0xBBBB, 2, epoch.Add(30*time.Millisecond))
	if got := r.Feedback(); len(got) != 1 || got[0].(*rtcp.TransportLayerCC).BaseSequenceNumber != 2 {
		t.Errorf("second feedback: %v", got)
	}
}

func TestNoAllocationsPerPacket(t *testing.T) {
	r := twcc.New(1)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := uint16(0)
	record := func() {
		n++
		now = now.Add(2 * time.Millisecond)
		r.Record(2, n, now)
	}
	for range 2000 { // the recorder's ring grows to its size once
		record()
		if n%50 == 0 {
			r.Feedback()
		}
	}
	if allocs := testing.AllocsPerRun(40, record); allocs != 0 {
		t.Errorf("%v allocations a packet", allocs)
	}
}
