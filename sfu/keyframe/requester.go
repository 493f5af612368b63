package keyframe

import "time"

const (
	// Interval is the time between two requests. libwebrtc ignores a request within
	// 300 ms of a key frame, so one alone may go unheard.
	Interval = 450 * time.Millisecond
	// Holdoff is how long after a key frame a request would be ignored, with some
	// room for the way there.
	Holdoff = 320 * time.Millisecond
)

// Requester gathers the wishes for key frames of one layer. The zero value is ready
// to use; it is not safe for concurrent use. W names who waits, such as a subscriber's slot.
type Requester[W comparable] struct {
	waiting  map[W]struct{}
	lastSent time.Time
	lastKey  time.Time
}

// Want notes that w cannot go on without a key frame. To be called as often as it is true: when a slot
// is bound, for each packet that awaits a key frame, for each PLI from the subscriber, for a
// packet given up as lost.
func (r *Requester[W]) Want(w W) {
	if _, ok := r.waiting[w]; ok {
		return
	}
	if r.waiting == nil {
		r.waiting = make(map[W]struct{})
	}
	r.waiting[w] = struct{}{}
}

// Cancel notes that w left or looks elsewhere.
func (r *Requester[W]) Cancel(w W) { delete(r.waiting, w) }

// KeyFrame notes the first packet of a key frame: everybody's wish is granted. Who
// could not use it asks again.
func (r *Requester[W]) KeyFrame(now time.Time) {
	r.lastKey = now
	clear(r.waiting)
}

// Waiting is how many wait.
func (r *Requester[W]) Waiting() int { return len(r.waiting) }

// Poll reports whether to send a request now, and counts it as sent if so.
func (r *Requester[W]) Poll(now time.Time) bool {
	at, ok := r.Next()
	if !ok || now.Before(at) {
		return false
	}
	r.lastSent = now
	return true
}

// Next is when the next request is due (perhaps in the past), false if nobody waits.
func (r *Requester[W]) Next() (time.Time, bool) {
	if len(r.waiting) == 0 {
		return time.Time{}, false
	}
	var at time.Time
	if !r.lastSent.IsZero() {
		at = r.lastSent.Add(Interval)
	}
	if held := r.lastKey.Add(Holdoff); !r.lastKey.IsZero() && held.After(at) {
		at = held
	}
	return at, true
}
