package record

import "time"

// maxDrift is how far RTP time may run away from the clock between two frames. A
// larger step is a sender that started over, or that wants a huge file.
const maxDrift = 2 * time.Second

// timeline turns the RTP timestamps of one stream into ticks from the start of the
// recording. RTP time is exact within a stream, the clock places the stream on the
// line and limits what timestamps can claim.
type timeline struct {
	rate    int64 // ticks a second
	started bool
	lastTS  uint32
	lastAt  time.Duration
	ticks   int64
}

// at takes a frame's timestamp and its arrival since the recording began.
func (l *timeline) at(ts uint32, arrival time.Duration) uint64 {
	if !l.started {
		l.started = true
		l.ticks = l.inTicks(arrival)
	} else {
		step := int64(int32(ts - l.lastTS))
		clock := arrival - l.lastAt
		if off := time.Duration(step*int64(time.Second)/l.rate) - clock; off > maxDrift || off < -maxDrift {
			step = l.inTicks(clock)
		}
		l.ticks += max(step, 1)
	}
	l.lastTS, l.lastAt = ts, arrival
	return uint64(l.ticks)
}

func (l *timeline) inTicks(d time.Duration) int64 {
	return int64(d/time.Millisecond) * l.rate / 1000
}
