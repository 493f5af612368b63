package rtcpstat_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
)

func TestNTP(t *testing.T) {
	// RFC 868 gives the epoch: 2,208,988,800 seconds from 1900 to 1970.
	if got := rtcpstat.ToNTP(time.Unix(0, 500_000_000)); got != 2208988800<<32|1<<31 {
		t.Errorf("half a second after the Unix epoch is %#x", uint64(got))
	}
	if got := rtcpstat.NTP(0x1122334455667788).Middle(); got != 0x33445566 {
		t.Errorf("Middle = %#x", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(0, 2_085_978_495).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		if got := rtcpstat.ToNTP(want).Time(); got.Sub(want).Abs() > time.Nanosecond {
			t.Fatalf("%v came back as %v", want, got)
		}
	})
}

func TestRTT(t *testing.T) {
	sent := rtcpstat.ToNTP(epoch).Middle()
	if got, ok := rtcpstat.RTT(ms(350), sent, 16384); !ok || (got-100*time.Millisecond).Abs() > 50*time.Microsecond {
		t.Errorf("350 ms of which 250 at the other end: %v, %v", got, ok)
	}
	if got, ok := rtcpstat.RTT(ms(100), sent, 16384); !ok || got != 0 {
		t.Errorf("less than nothing: %v, %v", got, ok)
	}
	if _, ok := rtcpstat.RTT(epoch, 0, 0); ok {
		t.Error("a round trip without a sender report")
	}
}

func TestSenderReport(t *testing.T) {
	var s rtcpstat.Sender
	s.Packet(100)
	s.Packet(20)
	got := s.Report(9, epoch, 1234)
	if got.SSRC != 9 || got.RTPTime != 1234 || got.PacketCount != 2 || got.OctetCount != 120 || rtcpstat.NTP(got.NTPTime) != rtcpstat.ToNTP(epoch) {
		t.Errorf("%+v", got)
	}
}

func sr(ntp, arrival time.Time, rtp uint32) rtcpstat.SenderReport {
	return rtcpstat.SenderReport{NTP: rtcpstat.ToNTP(ntp), RTP: rtp, Arrival: arrival}
}

func TestClockTakesTheLeastDelay(t *testing.T) {
	var c rtcpstat.Clock
	if c.Known() {
		t.Error("a new clock knows")
	}
	theirs := func(n int) time.Time { return ms(n).Add(-time.Hour) } // an hour behind ours
	c.Observe(sr(theirs(0), ms(80), 0))
	c.Observe(sr(theirs(1000), ms(1020), 0)) // the least delay: 20 ms
	c.Observe(sr(theirs(2000), ms(2300), 0))
	if !c.Known() {
		t.Error("nothing known")
	}
	if got := c.Local(rtcpstat.ToNTP(theirs(5000))).Sub(ms(5020)); got < 0 || got > time.Millisecond {
		t.Errorf("off by %v", got)
	}
	// A clock that runs slower than ours is followed.
	for i := range 600 {
		c.Observe(sr(theirs(3000+i*1000).Add(time.Duration(-i)*100*time.Microsecond), ms(3020+i*1000), 0))
	}
	if got := c.Local(rtcpstat.ToNTP(theirs(602_000).Add(-59_900 * time.Microsecond))).Sub(ms(602_020)).Abs(); got > 2*time.Millisecond {
		t.Errorf("off by %v after drift", got)
	}
	// A clock that was set is followed at once.
	c.Observe(sr(epoch.Add(-10*time.Hour), ms(700_000), 0))
	if got := c.Local(rtcpstat.ToNTP(epoch.Add(-10 * time.Hour))); got.Sub(ms(700_000)).Abs() > time.Microsecond {
		t.Errorf("after a step: %v", got)
	}
}

// Sound and picture of one instant get the same time, whatever delay their reports had.
func TestSlotTimeKeepsLipsInStep(t *testing.T) {
	var c rtcpstat.Clock
	const audioOffset, videoOffset = 111, 0xFFFF0000
	audio := sr(ms(0), ms(30), 48000)
	video := sr(ms(500), ms(730), 90000) // queued for 200 ms
	c.Observe(audio)
	c.Observe(video)
	now := ms(1030) // at the publisher's 1000, give or take the drift
	a := rtcpstat.SlotTime(audio, &c, audioOffset, 48000, now)
	v := rtcpstat.SlotTime(video, &c, videoOffset, 90000, now)
	if d := int32(a - (48000 + 48000 + audioOffset)); d < -48 || d > 48 {
		t.Errorf("audio is off by %d ticks", d)
	}
	offset := uint32(videoOffset)
	if d := int32(v - (90000 + 45000 + offset)); d < -90 || d > 90 {
		t.Errorf("video is off by %d ticks", d)
	}
}
