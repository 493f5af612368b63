package rtcpstat

import (
	"time"

	"github.com/pion/rtcp"
)

// Sender counts what one slot sent. The zero value is ready to use; it is not safe
// for concurrent use.
type Sender struct {
	packets, bytes uint32
}

// Packet counts a packet with the given payload size in bytes, without header and padding.
func (s *Sender) Packet(size int) {
	s.packets++
	s.bytes += uint32(size)
}

// Report makes a sender report (RFC 3550 §6.4.1) that says: at the wall-clock time
// at, the slot's RTP clock stood at rtp.
func (s *Sender) Report(ssrc uint32, at time.Time, rtp uint32) rtcp.SenderReport {
	return rtcp.SenderReport{
		SSRC: ssrc, NTPTime: uint64(ToNTP(at)), RTPTime: rtp,
		PacketCount: s.packets, OctetCount: s.bytes,
	}
}

// SlotTime is the slot's RTP timestamp at the time now, given a sender report of the
// source it shows, the source's clock, the offset between source and slot timestamps
// (forward.Forwarder.TimestampOffset) and the clock rate in Hz.
func SlotTime(sr SenderReport, clock *Clock, offset, clockRate uint32, now time.Time) uint32 {
	return sr.RTP + offset + uint32(ticks(now.Sub(clock.Local(sr.NTP)), int64(clockRate)))
}
