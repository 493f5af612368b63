package play

import (
	"time"

	"github.com/sotto-sfu/sotto/client/pattern"
)

// cursor walks through a clip. It is pure: time is what the frames last.
type cursor struct {
	clip *Clip
	next int
	at   time.Duration // of the next frame, since the start
}

// seekKey leaves frames out up to the next key frame; their time is left out too,
// so that the receivers need not wait for it. Where none follows it stays.
func (c *cursor) seekKey() {
	n := len(c.clip.Frames)
	for i := c.next; i < c.next+n; i++ {
		if i >= n && !c.clip.Loop {
			return
		}
		if c.clip.Frames[i%n].Key {
			c.next = i
			return
		}
	}
}

// take returns the next frame and when it is due; not ok at the end.
func (c *cursor) take() (f pattern.Frame, at time.Duration, ok bool) {
	n := len(c.clip.Frames)
	if c.next >= n {
		if !c.clip.Loop {
			return pattern.Frame{}, 0, false
		}
		c.next %= n
	}
	f, at = c.clip.Frames[c.next], c.at
	c.next++
	c.at += max(f.Duration, time.Millisecond)
	return f, at, true
}
