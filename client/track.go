package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/rtpframe"
	"github.com/sotto-sfu/sotto/e2ee/media"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Errors of Track.
var (
	// ErrTrackClosed: the track, or the call, is closed.
	ErrTrackClosed = errors.New("client: the track is closed")
	// ErrCodec: the codec does not fit the source, or the server does not take it.
	ErrCodec = errors.New("client: codec not possible here")
)

// keyFrameEvery is the least time between two requests for a key frame to the
// encoder; PLIs of many receivers come in bursts.
const keyFrameEvery = 300 * time.Millisecond

// Track is a source that we send. Safe for concurrent use; frames must be written in
// order.
type Track struct {
	call   *Call
	source protocol.Source

	mu         sync.Mutex
	codec      codec.Codec
	live       bool
	sealer     *media.Sealer // nil: no key yet
	out        *sendTrack    // nil: not connected
	packetizer *rtpframe.Packetizer
	seq        uint16
	timeBase   uint32
	waitKey    bool // video: nothing goes out before a key frame
	buf        []byte
	onKey      func()
	keyAsked   time.Time
	stats      SendStats
}

// SendStats count what a track did.
type SendStats struct {
	Codec      codec.Codec `json:"codec"`
	Frames     uint64      `json:"frames"`
	KeyFrames  uint64      `json:"key_frames"`
	Bytes      uint64      `json:"bytes"`   // of plaintext frames
	Packets    uint64      `json:"packets"` // without retransmissions
	Dropped    uint64      `json:"dropped"` // frames that could not be sent: not connected, or waiting for a key frame
	KeyRequest uint64      `json:"key_frame_requests"`
}

func newTrack(c *Call, s protocol.Source) *Track {
	return &Track{call: c, source: s, seq: uint16(rand.Uint32())}
}

// start makes the track live with a codec.
func (t *Track) start(c codec.Codec) error {
	if c.Video() != t.source.Video() || c.ClockRate() == 0 {
		return fmt.Errorf("%w: %s for %s", ErrCodec, c, t.source)
	}
	p, err := rtpframe.NewPacketizer(c, rtpframe.DefaultPayload, uint16(rand.Uint32()))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out != nil {
		if bound, ok := t.out.ready(c); bound && !ok {
			return fmt.Errorf("%w: the server does not take %s", ErrCodec, c)
		}
	}
	t.codec, t.packetizer, t.live, t.waitKey = c, p, true, c.Video()
	t.timeBase = rand.Uint32()
	t.stats.Codec = c
	return nil
}

// Source is what the track sends.
func (t *Track) Source() protocol.Source { return t.source }

// OnKeyFrameRequest sets what to do when receivers need a key frame. It is called at
// most every 300 ms, must not block, and must not write to the track.
func (t *Track) OnKeyFrameRequest(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.onKey = f
}

// WriteFrame seals and sends one frame as the encoder made it; at is its time since
// the start of the media and must grow. While not connected, frames are dropped and
// counted, and video goes on with the next key frame. Errors: ErrTrackClosed,
// ErrCodec, rtpframe.ErrFrameSize, or sealing failed.
func (t *Track) WriteFrame(frame []byte, key bool, at time.Duration) error {
	t.mu.Lock()
	ask, err := t.write(frame, key, at)
	f := t.onKey
	t.mu.Unlock()
	if ask && f != nil {
		f()
	}
	return err
}

// write is WriteFrame with the lock held; ask says that a key frame is needed.
func (t *Track) write(frame []byte, key bool, at time.Duration) (ask bool, err error) {
	if !t.live {
		return false, ErrTrackClosed
	}
	if len(frame) == 0 {
		return false, nil // silence: there is nothing to seal, and nothing to gain by sending it
	}
	bound, negotiated := false, false
	if t.out != nil {
		bound, negotiated = t.out.ready(t.codec)
	}
	video := t.codec.Video()
	switch {
	case t.sealer == nil || !bound:
		t.stats.Dropped++
		t.waitKey = video
		return false, nil
	case !negotiated:
		return false, fmt.Errorf("%w: the server does not take %s", ErrCodec, t.codec)
	case t.waitKey && !key:
		t.stats.Dropped++
		return t.keyDue(time.Now()), nil
	}
	if t.codec == codec.AV1 {
		// Packetizers of browsers leave delimiters out; so do we, before sealing.
		t.buf = codec.TrimDelimiters(t.buf[:0], frame)
	} else {
		t.buf = append(t.buf[:0], frame...)
	}
	sealed, err := t.sealer.Seal(t.buf[:0], sealCodecs[t.codec], frameType(t.codec, key), t.buf)
	if err != nil {
		return false, fmt.Errorf("client: sealing: %w", err)
	}
	t.buf = sealed
	payloads, err := t.packetizer.Packetize(sealed, key)
	if err != nil {
		return false, err
	}
	ts := t.timeBase + uint32(uint64(at)*uint64(t.codec.ClockRate())/uint64(time.Second))
	for i, p := range payloads {
		h := rtp.Header{
			Version: 2, Marker: video && i == len(payloads)-1,
			SequenceNumber: t.seq, Timestamp: ts,
		}
		t.seq++
		t.out.send(t.codec, &h, p)
	}
	t.waitKey = false
	t.stats.Frames++
	t.stats.Bytes += uint64(len(frame))
	t.stats.Packets += uint64(len(payloads))
	if key && video {
		t.stats.KeyFrames++
	}
	return false, nil
}

// keyDue reports whether the encoder may be asked for a key frame again.
func (t *Track) keyDue(now time.Time) bool {
	if now.Sub(t.keyAsked) < keyFrameEvery {
		return false
	}
	t.keyAsked = now
	t.stats.KeyRequest++
	return true
}

// requestKey passes on that somebody needs a key frame.
func (t *Track) requestKey() {
	t.mu.Lock()
	f := t.onKey
	due := t.live && t.codec.Video() && t.keyDue(time.Now())
	t.mu.Unlock()
	if due && f != nil {
		f()
	}
}

// setSealer switches to a new key. The old one is erased.
func (t *Track) setSealer(s *media.Sealer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sealer != nil {
		t.sealer.Close()
	}
	t.sealer = s
}

// connect switches to a PeerConnection that is ready to carry media, or to none.
func (t *Track) connect(out *sendTrack) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.out == out {
		return
	}
	t.out = out
	t.waitKey = t.codec.Video() // its receivers have seen nothing yet
}

// state is what the server is told of the source.
func (t *Track) state() protocol.SourceState {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live {
		return protocol.StateLive
	}
	return protocol.StateOff
}

// Stats returns the counters.
func (t *Track) Stats() SendStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

// Close stops sending and tells the others that the source is off. It may be
// published again.
func (t *Track) Close() {
	t.mu.Lock()
	was := t.live
	t.live = false
	t.mu.Unlock()
	if was {
		t.call.announce(t.source)
	}
}

// end closes the track with the call.
func (t *Track) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live, t.out, t.onKey = false, nil, nil
}
