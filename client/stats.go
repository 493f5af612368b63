package client

import (
	"sync"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// maxFeeds bounds the sources that are counted: who floods us with participants
// gets no more memory than this.
const maxFeeds = 4096

// ReceiveStats count what came of one source of one participant. Frames that did not
// open are counted where the server says they belong, as nothing else is known of them.
type ReceiveStats struct {
	Participant protocol.ParticipantID `json:"participant"`
	Source      protocol.Source        `json:"source"`
	Codec       codec.Codec            `json:"codec"`  // of the newest frame
	Frames      uint64                 `json:"frames"` // handed out
	KeyFrames   uint64                 `json:"key_frames"`
	Bytes       uint64                 `json:"bytes"`           // of frames handed out
	Width       int                    `json:"width,omitempty"` // pixels; 0: not known
	Height      int                    `json:"height,omitempty"`
	LostPackets uint64                 `json:"lost_packets"`
	// DecryptFailures are frames with a key that did not verify: wrong key, or changed
	// on the way. They were dropped.
	DecryptFailures uint64 `json:"decrypt_failures"`
	// NoKey are frames that came before their key, or without one. They were dropped.
	NoKey uint64 `json:"no_key_drops"`
	// Replayed are genuine frames that came twice. They were dropped.
	Replayed uint64 `json:"replay_drops"`
	// WaitingForKey are video frames that verified but could not be decoded, because
	// a frame before them is missing. They were dropped.
	WaitingForKey uint64 `json:"key_frame_drops"`
	// FirstFrame is when the first frame was handed out.
	FirstFrame time.Time `json:"-"`
}

// statTable holds the counters of a call. Safe for concurrent use.
type statTable struct {
	mu   sync.Mutex
	rows map[feed]*ReceiveStats
	list []*ReceiveStats // in order of appearance
}

// update changes one row.
func (t *statTable) update(f feed, change func(*ReceiveStats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rows[f]
	if r == nil {
		if len(t.rows) >= maxFeeds {
			return
		}
		if t.rows == nil {
			t.rows = make(map[feed]*ReceiveStats)
		}
		r = &ReceiveStats{Participant: f.participant, Source: f.source}
		t.rows[f] = r
		t.list = append(t.list, r)
	}
	change(r)
}

func (t *statTable) snapshot() []ReceiveStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]ReceiveStats, len(t.list))
	for i, r := range t.list {
		out[i] = *r
	}
	return out
}
