package signaling

import "time"

// bucket is a token bucket: it holds at most burst tokens and gains rate a
// second. Time comes from outside; a clock that goes back adds nothing.
type bucket struct {
	rate   float64 // tokens per second
	burst  float64
	tokens float64
	last   time.Time
}

func newBucket(rate float64, burst int, now time.Time) bucket {
	return bucket{rate: rate, burst: float64(burst), tokens: float64(burst), last: now}
}

// take takes n tokens if there are as many, and otherwise says how long until
// there are.
func (b *bucket) take(n float64, now time.Time) (wait time.Duration, ok bool) {
	if dt := now.Sub(b.last); dt > 0 {
		b.tokens = min(b.burst, b.tokens+b.rate*dt.Seconds())
		b.last = now
	}
	if b.tokens >= n {
		b.tokens -= n
		return 0, true
	}
	if b.rate <= 0 {
		return time.Hour, false
	}
	return min(time.Hour, time.Duration((n-b.tokens)/b.rate*float64(time.Second))), false
}

// full reports whether the bucket is as good as new.
func (b *bucket) full(now time.Time) bool {
	return b.tokens+b.rate*now.Sub(b.last).Seconds() >= b.burst
}
