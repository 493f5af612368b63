package rtcpstat

import "time"

// drift is how fast the estimate may follow a publisher's clock that runs slower than
// ours, in parts per million: more than any crystal is off, less than a listener notices.
const drift = 200

// Clock maps the wall clock of one publisher to ours. All of a publisher's streams
// share one Clock, so that an error in it moves sound and picture alike. The zero
// value is ready to use; it is not safe for concurrent use.
//
// The offset is that of the report with the least delay: queueing only ever adds.
type Clock struct {
	offset time.Duration // ours minus theirs, with the least transit time in it
	at     time.Time     // when offset was last brought up to date
	known  bool
}

// Observe notes a sender report.
func (c *Clock) Observe(sr SenderReport) {
	sample := sr.Arrival.Sub(sr.NTP.Time())
	if !c.known {
		c.offset, c.at, c.known = sample, sr.Arrival, true
		return
	}
	if elapsed := sr.Arrival.Sub(c.at); elapsed > 0 {
		c.offset += elapsed * drift / 1_000_000
		c.at = sr.Arrival
	}
	// A step of seconds is a clock that was set, not a queue.
	if sample < c.offset || sample > c.offset+5*time.Second {
		c.offset = sample
	}
}

// Known reports whether a sender report was observed.
func (c *Clock) Known() bool { return c.known }

// Local is the time on our clock at which the publisher's clock showed n.
func (c *Clock) Local(n NTP) time.Time { return n.Time().Add(c.offset) }
