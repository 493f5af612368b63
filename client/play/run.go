package play

import (
	"context"
	"sync/atomic"
	"time"
)

// maxBehind is how far sending may fall behind before frames are left out.
const maxBehind = time.Second

// Writer takes the frames, as *client.Track does.
type Writer interface {
	WriteFrame(frame []byte, key bool, at time.Duration) error
	OnKeyFrameRequest(func())
}

// Run sends the clip at its own pace, until it ends or ctx does; neither is an error. On
// a request for a key frame it goes on at the clip's next one.
func Run(ctx context.Context, w Writer, clip *Clip) error {
	var wanted atomic.Bool
	w.OnKeyFrameRequest(func() { wanted.Store(true) })
	defer w.OnKeyFrameRequest(nil)
	c := cursor{clip: clip}
	begin := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if wanted.Swap(false) {
			c.seekKey()
		}
		f, at, ok := c.take()
		if !ok {
			return nil
		}
		due := time.Until(begin.Add(at))
		if due < -maxBehind {
			begin = begin.Add(-due) // the machine slept, or is too slow: do not race after it
			wanted.Store(true)
		}
		timer.Reset(max(due, 0))
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := w.WriteFrame(f.Data, f.Key, at); err != nil {
			return err
		}
	}
}
