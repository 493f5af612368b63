package rtcpstat_test

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func ms(n int) time.Time { return epoch.Add(time.Duration(n) * time.Millisecond) }

func report(t *testing.T, r *rtcpstat.Receiver, now time.Time) rtcp.ReceptionReport {
	t.Helper()
	got, ok := r.Report(7, now)
	if !ok {
		t.Fatal("no report")
	}
	if _, err := got.Marshal(); err != nil {
		t.Fatalf("the report cannot be written: %v", err)
	}
	return got
}

func TestReceiverLoss(t *testing.T) {
	r := rtcpstat.NewReceiver(90000)
	if _, ok := r.Report(7, epoch); ok {
		t.Error("a report before the first packet")
	}
	// 131070 … 131073 roll over; 131071 is lost.
	for _, seq := range []seqnum.Full{131070, 131072, 131073} {
		r.Packet(seq, 0, 100, epoch)
	}
	got := report(t, r, epoch)
	if got.FractionLost != 64 || got.TotalLost != 1 || got.LastSequenceNumber != 65537 || got.SSRC != 7 {
		t.Errorf("a quarter lost: %+v", got)
	}
	got = report(t, r, epoch)
	if got.FractionLost != 0 || got.TotalLost != 1 {
		t.Errorf("nothing since: %+v", got)
	}
	// The late one makes it good: the interval has more packets than expected.
	r.Packet(131071, 0, 100, epoch)
	r.Packet(131074, 0, 100, epoch)
	got = report(t, r, epoch)
	if got.FractionLost != 0 || got.TotalLost != 0 {
		t.Errorf("recovered by reordering: %+v", got)
	}
	// Repeats make the loss negative (appendix A.3): -1 in 24 bits.
	r.Packet(131074, 0, 100, epoch)
	if got = report(t, r, epoch); got.TotalLost != 0xFFFFFF || got.FractionLost != 0 {
		t.Errorf("after a repeat: %+v", got)
	}
	if packets, bytes := r.Received(); packets != 6 || bytes != 600 {
		t.Errorf("received %d packets, %d bytes", packets, bytes)
	}
	// Nearly everything lost: the fraction saturates.
	r.Packet(141074, 0, 100, epoch)
	if got = report(t, r, epoch); got.FractionLost != 255 {
		t.Errorf("all but one of 10000 lost: fraction %d", got.FractionLost)
	}
}

func TestReceiverReorderedBeforeTheFirst(t *testing.T) {
	r := rtcpstat.NewReceiver(90000)
	r.Packet(70001, 3000, 1, epoch)
	r.Packet(70000, 0, 1, epoch)
	if got := report(t, r, epoch); got.TotalLost != 0 || got.LastSequenceNumber != 70001-65536 {
		t.Errorf("%+v", got)
	}
}

func TestReceiverRestart(t *testing.T) {
	var u seqnum.Unwrapper
	r := rtcpstat.NewReceiver(90000)
	for _, wire := range []uint16{20000, 20001, 20003, 100, 101, 102, 103} {
		r.Packet(u.Unwrap(wire), 0, 10, epoch)
	}
	// 100 looked like an old packet; with 101 it became clear.
	got := report(t, r, epoch)
	if got.TotalLost != 0 || got.FractionLost != 0 || got.LastSequenceNumber != 65536+103 {
		t.Errorf("%+v: counted the step as loss", got)
	}
	if packets, bytes := r.Received(); packets != 7 || bytes != 70 {
		t.Errorf("received %d packets, %d bytes", packets, bytes)
	}
}

func TestReceiverJitter(t *testing.T) {
	// A frame every 20 ms (1800 ticks) comes 10 ms late every other time: the mean deviation
	// between neighbours is 10 ms, to which the estimate converges.
	r := rtcpstat.NewReceiver(90000)
	for i := range 400 {
		r.Packet(seqnum.Full(70000+i), uint32(i)*1800, 1, ms(20*i+i%2*10))
	}
	if got := report(t, r, epoch).Jitter; got < 850 || got > 900 {
		t.Errorf("jitter %d, want about 900", got)
	}

	steady := rtcpstat.NewReceiver(90000)
	for i := range 100 {
		now := ms(20 * i)
		steady.Packet(seqnum.Full(70000+2*i), uint32(i)*1800, 1, now)
		// The second packet of each frame queues behind the first: no jitter.
		steady.Packet(seqnum.Full(70001+2*i), uint32(i)*1800, 1, now.Add(7*time.Millisecond))
	}
	if got := report(t, steady, epoch).Jitter; got != 0 {
		t.Errorf("jitter %d of a steady stream", got)
	}
	steady.Packet(70200, 100*1800, 1, ms(3600_000)) // back from an hour's pause
	steady.Packet(70201, 101*1800, 1, ms(3600_020))
	if got := report(t, steady, epoch).Jitter; got != 0 {
		t.Errorf("jitter %d after a pause", got)
	}
	// The formula itself: a deviation of 1600 moves it by a sixteenth.
	one := rtcpstat.NewReceiver(90000)
	one.Packet(70000, 0, 1, epoch)
	one.Packet(70001, 1600, 1, epoch)
	if got := report(t, one, epoch).Jitter; got != 100 {
		t.Errorf("jitter %d after one deviation of 1600, want 100", got)
	}
}

func TestReceiverLastSR(t *testing.T) {
	r := rtcpstat.NewReceiver(90000)
	r.Packet(70000, 0, 1, epoch)
	if got := report(t, r, epoch); got.LastSenderReport != 0 || got.Delay != 0 {
		t.Errorf("without a sender report: %+v", got)
	}
	if _, ok := r.LastSenderReport(); ok {
		t.Error("a sender report out of nothing")
	}
	r.SenderReport(0x1122334455667788, 42, epoch)
	got := report(t, r, ms(1500))
	if got.LastSenderReport != 0x33445566 || got.Delay != 98304 {
		t.Errorf("%+v, want LSR 0x33445566 and 1.5 s", got)
	}
	if got := report(t, r, epoch.Add(48*time.Hour)); got.Delay != 0xFFFFFFFF {
		t.Errorf("delay %d after two days, want the most that fits", got.Delay)
	}
	if sr, ok := r.LastSenderReport(); !ok || sr.RTP != 42 || sr.NTP != 0x1122334455667788 {
		t.Errorf("%+v", sr)
	}
}

func TestNoAllocations(t *testing.T) {
	r := rtcpstat.NewReceiver(90000)
	var s rtcpstat.Sender
	seq, now := seqnum.Full(70000), epoch
	if n := testing.AllocsPerRun(1000, func() {
		seq++
		now = now.Add(time.Millisecond)
		r.Packet(seq, uint32(seq), 1000, now)
		s.Packet(1000)
		r.Report(1, now)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkReceiverPacket(b *testing.B) {
	r := rtcpstat.NewReceiver(90000)
	seq, now := seqnum.Full(70000), epoch
	b.ReportAllocs()
	for b.Loop() {
		seq++
		now = now.Add(time.Millisecond)
		r.Packet(seq, uint32(seq)*90, 1000, now)
	}
}
