package twcc

import (
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
)

// Interval is how often feedback should be sent: libwebrtc's own default range is 50-250 ms, and
// its estimator gets better with more.
const Interval = 100 * time.Millisecond

// Recorder keeps the arrival times of one publisher's packets, over all of its
// streams. Make it with New; it is not safe for concurrent use.
type Recorder struct {
	inner   *twcc.Recorder
	base    time.Time
	pending bool
}

// New returns a Recorder whose feedback names senderSSRC as its sender.
func New(senderSSRC uint32) *Recorder { return &Recorder{inner: twcc.NewRecorder(senderSSRC)} }

// Record notes a packet: the SSRC it came on (RTX and padding included), the
// transport-wide number it carried, and when it came.
func (r *Recorder) Record(ssrc uint32, number uint16, now time.Time) {
	if r.base.IsZero() {
		// The format's reference time is unsigned; leave room for a clock set back.
		r.base = now.Add(-time.Second)
	}
	r.inner.Record(ssrc, number, now.Sub(r.base).Microseconds())
	r.pending = true
}

// Feedback returns the packets that report what was recorded since the last call, none
// if nothing was. Not for the path of a packet: it allocates.
func (r *Recorder) Feedback() []rtcp.Packet {
	if !r.pending {
		return nil
	}
	r.pending = false
	return r.inner.BuildFeedbackPacket()
}
