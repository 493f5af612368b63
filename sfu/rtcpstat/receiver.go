package rtcpstat

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

// Receiver counts the packets of one incoming layer. Make it with NewReceiver; it is
// not safe for concurrent use.
type Receiver struct {
	clockRate int64

	first, highest seqnum.Full
	received       int64  // since the sender started (over)
	packets        uint64 // in all
	// At the last report (RFC 3550 appendix A.3).
	expectedPrior, receivedPrior int64

	arrival   time.Time // of the packet before, with its timestamp
	timestamp uint32
	jitter    int64 // in 1/16 timestamp units (appendix A.8)

	sr      SenderReport
	hasSR   bool
	payload uint64 // bytes in all
}

// restart is a step that no packet in flight can make, only the Unwrapper when it
// recognised a sender that started over.
const restart = seqnum.Cycle / 2

// SenderReport is the clock part of a publisher's sender report, and when it came.
type SenderReport struct {
	NTP     NTP
	RTP     uint32
	Arrival time.Time
}

// NewReceiver returns a Receiver for a stream with the given clock rate in Hz.
func NewReceiver(clockRate uint32) *Receiver { return &Receiver{clockRate: int64(clockRate)} }

// Packet counts a packet that came in on the layer's own SSRC: also a repeat or a
// reordered one, but not one recovered over RTX, which would hide the loss from the
// publisher's congestion control. size is the payload in bytes.
func (r *Receiver) Packet(seq seqnum.Full, timestamp uint32, size int, now time.Time) {
	r.payload += uint64(size)
	r.packets++
	if seq-r.highest > restart {
		// The sender started over: what it did not send is not lost (appendix A.1).
		r.received, r.expectedPrior, r.receivedPrior, r.highest = 0, 0, 0, 0
	}
	if r.received == 0 || seq < r.first {
		r.first = seq
	}
	newest := seq > r.highest
	if newest {
		r.highest = seq
	}
	r.received++
	if r.received > 1 && newest && timestamp != r.timestamp {
		// Only the first packet of a frame: the rest of it left the encoder at the same
		// time but queued behind it.
		spent := ticks(now.Sub(r.arrival), r.clockRate)
		d := spent - int64(int32(timestamp-r.timestamp))
		if d < 0 {
			d = -d
		}
		// A step of seconds is a clock that was set or a track that paused, not the path.
		if d < 5*r.clockRate {
			r.jitter += d - (r.jitter+8)>>4
		}
	}
	if r.received == 1 || (newest && timestamp != r.timestamp) {
		r.arrival, r.timestamp = now, timestamp
	}
}

// SenderReport notes a sender report of the stream.
func (r *Receiver) SenderReport(ntp uint64, rtp uint32, now time.Time) {
	r.sr, r.hasSR = SenderReport{NTP: NTP(ntp), RTP: rtp, Arrival: now}, true
}

// LastSenderReport is the newest sender report, false if none came.
func (r *Receiver) LastSenderReport() (SenderReport, bool) { return r.sr, r.hasSR }

// Received is the number of packets and payload bytes counted.
func (r *Receiver) Received() (packets, bytes uint64) { return r.packets, r.payload }

// Report makes the reception report (RFC 3550 §6.4.1) for the time since the last
// one. It returns false before the first packet.
func (r *Receiver) Report(ssrc uint32, now time.Time) (rtcp.ReceptionReport, bool) {
	if r.received == 0 {
		return rtcp.ReceptionReport{}, false
	}
	expected := int64(r.highest - r.first + 1)
	lost := expected - r.received
	// 24 bits, signed: repeats may make it negative (appendix A.3).
	lost = min(max(lost, -1<<23), 1<<23-1)

	interval := expected - r.expectedPrior
	lostInterval := interval - (r.received - r.receivedPrior)
	r.expectedPrior, r.receivedPrior = expected, r.received
	var fraction uint8
	if interval > 0 && lostInterval > 0 {
		fraction = uint8(min(lostInterval<<8/interval, 255))
	}
	report := rtcp.ReceptionReport{
		SSRC:               ssrc,
		FractionLost:       fraction,
		TotalLost:          uint32(lost) & 0xFFFFFF,
		LastSequenceNumber: uint32(r.highest - seqnum.Cycle), // cycle 1 is where Unwrapper starts
		Jitter:             uint32(r.jitter >> 4),
	}
	if r.hasSR {
		report.LastSenderReport = r.sr.NTP.Middle()
		report.Delay = uint32(min(ticks(now.Sub(r.sr.Arrival), 1<<16), 1<<32-1))
	}
	return report, true
}
