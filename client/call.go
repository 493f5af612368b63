package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/e2ee/media"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// State is how the call is doing.
type State string

// The states of a call.
const (
	StateConnecting   State = "connecting"   // in the call, media on its way
	StateConnected    State = "connected"    // all well
	StateReconnecting State = "reconnecting" // something was lost and is being looked for
	StateEnded        State = "ended"        // for good; Err says why
)

// Member is another participant.
type Member struct {
	Participant protocol.ParticipantID                   `json:"participant"`
	Name        string                                   `json:"name"`    // as they sealed it; empty before their key
	HasKey      bool                                     `json:"has_key"` // what they send can be opened
	Connected   bool                                     `json:"connected"`
	Sources     map[protocol.Source]protocol.SourceState `json:"sources"` // by the server's word
}

// leaveTimeout bounds the farewell to the server.
const leaveTimeout = 3 * time.Second

// Call is a call that we are in. Safe for concurrent use.
//
// One goroutine, run, owns the signalling side and the key agreement. Each slot has
// a goroutine that receives. They share the opener, the counters and little else.
type Call struct {
	client *Client
	cfg    settled
	sess   *session.Session
	api    *webrtc.API
	tracks map[protocol.Source]*Track
	sends  *media.SendKeys // for the whole call: no counter ever starts over
	table  statTable

	ctx    context.Context // ends with the call
	cancel context.CancelFunc
	done   chan struct{}
	media  chan mediaChange
	left   sync.Once
	// leaving says that what breaks now breaks because we go.
	leaving atomic.Bool

	deliverMu sync.Mutex
	onFrame   func(Frame)

	mu      sync.Mutex
	stay    *stay // nil while out of the call
	members map[protocol.ParticipantID]Member
	state   State
	onState func(State)
	onRoom  func([]Member)
	err     error
	rejoins int

	triedIn uint64 // epoch of the session that last tried to join; of whoever joins
}

// mediaChange is a change of the media connection, for run.
type mediaChange struct {
	peer  *peer
	state webrtc.PeerConnectionState
}

func newCall(ctx context.Context, cl *Client) (*Call, error) {
	api, err := newAPI(cl.cfg.TCPOnly, cl.cfg.endpoint.Loopback())
	if err != nil {
		return nil, err
	}
	c := &Call{
		client: cl, cfg: cl.cfg, sess: cl.sess, api: api,
		tracks: make(map[protocol.Source]*Track), sends: media.NewSendKeys(),
		done: make(chan struct{}), media: make(chan mediaChange, 16), state: StateConnecting,
	}
	for _, s := range protocol.Sources {
		c.tracks[s] = newTrack(c, s)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	st, err := c.join(ctx)
	if err != nil {
		c.cancel()
		return nil, err
	}
	go c.run(st)
	return c, nil
}

// Publish begins to send a source. Publishing one that is live changes its codec.
// Errors: ErrCodec.
func (c *Call) Publish(s protocol.Source, cd codec.Codec) (*Track, error) {
	t := c.tracks[s]
	if t == nil {
		return nil, fmt.Errorf("client: unknown source %q", s)
	}
	if c.ctx.Err() != nil {
		return nil, ErrTrackClosed
	}
	if err := t.start(cd); err != nil {
		return nil, err
	}
	c.announce(s)
	return t, nil
}

// announce tells the server what a source is doing.
func (c *Call) announce(s protocol.Source) {
	if c.ctx.Err() == nil {
		c.post(protocol.TypeSourceUpdate, protocol.SourceUpdateRequest{Source: s, State: c.tracks[s].state()})
	}
}

// post sends a request whose reply says nothing. A refusal is logged, unless we are on
// our way out, when the server has rightly forgotten us.
func (c *Call) post(typ string, body any) {
	c.sess.Start(typ, body, func(_ any, err error) {
		if err != nil && !c.leaving.Load() {
			c.cfg.log.Warn("a request failed", "type", typ, "err", err)
		}
	})
}

// OnFrame sets who receives decrypted frames. The handler is never called twice at
// once, should return soon, and must not call Leave. Without one, frames are dropped.
func (c *Call) OnFrame(f func(Frame)) {
	c.deliverMu.Lock()
	defer c.deliverMu.Unlock()
	c.onFrame = f
}

// deliver hands a frame out; false: there is nobody to take it.
func (c *Call) deliver(f Frame) bool {
	c.deliverMu.Lock()
	defer c.deliverMu.Unlock()
	if c.onFrame == nil || c.ctx.Err() != nil {
		return false
	}
	c.onFrame(f)
	return true
}

// OnState sets who hears of the call's state; it is told the present one at once.
// The handler must not block.
func (c *Call) OnState(f func(State)) {
	c.mu.Lock()
	c.onState = f
	s := c.state
	c.mu.Unlock()
	f(s)
}

// OnMembers sets who hears of changes in who is there; it is told the present ones at
// once. The handler must not block.
func (c *Call) OnMembers(f func([]Member)) {
	c.mu.Lock()
	c.onRoom = f
	c.mu.Unlock()
	f(c.Members())
}

// Members lists the others in the call, in no order that means anything.
func (c *Call) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.membersLocked()
}

func (c *Call) membersLocked() []Member {
	out := make([]Member, 0, len(c.members))
	for _, id := range slices.Sorted(maps.Keys(c.members)) {
		m := c.members[id]
		m.Sources = maps.Clone(m.Sources)
		out = append(out, m)
	}
	return out
}

// Participant is our own id in the call, which changes when we join anew; empty while
// out of it.
func (c *Call) Participant() protocol.ParticipantID {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stay == nil {
		return ""
	}
	return c.stay.self
}

// State is how the call is doing.
func (c *Call) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Transport is how media travels: "udp", "tcp", or empty while not connected.
func (c *Call) Transport() string {
	c.mu.Lock()
	st := c.stay
	c.mu.Unlock()
	if st == nil || st.peer == nil {
		return ""
	}
	return st.peer.transport()
}

// Rejoins is how often the call had to be joined anew.
func (c *Call) Rejoins() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rejoins
}

// Received returns the counters of all that was received so far.
func (c *Call) Received() []ReceiveStats { return c.table.snapshot() }

// Sent returns the counters of the sources that were published.
func (c *Call) Sent() map[protocol.Source]SendStats {
	out := make(map[protocol.Source]SendStats)
	for s, t := range c.tracks {
		if st := t.Stats(); st.Codec != "" {
			out[s] = st
		}
	}
	return out
}

// Done is closed when the call has ended and nothing of it runs any more.
func (c *Call) Done() <-chan struct{} { return c.done }

// Err is why the call ended: nil before, and after Leave.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Leave tells the server and ends the call and its client. It returns when all is
// closed, at the latest after a few seconds; the error tells of a server that could not be told.
func (c *Call) Leave(ctx context.Context) error {
	var err error
	c.left.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
		c.leaving.Store(true)
		// DoOnce: while the connection is lost there is nobody to tell, and no reason to
		// wait. The server notices by itself.
		err = c.sess.DoOnce(ctx, protocol.TypeCallLeave, protocol.CallLeaveRequest{}, nil)
		if CodeOf(err) == Code(protocol.CodeNotReady) {
			err = nil // between two joins: there was nothing to leave
		}
		c.cancel()
	})
	c.sess.Close()
	<-c.done
	return err
}

// run serves the call until it ends.
func (c *Call) run(st *stay) {
	err := c.serve(st)
	c.cancel()
	c.mu.Lock()
	last := c.stay
	c.stay, c.members = nil, nil
	left := errors.Is(err, context.Canceled) || CodeOf(err) == session.CodeClosed
	if !left {
		c.err = err
	}
	c.mu.Unlock()
	if last != nil {
		last.close()
	}
	for _, t := range c.tracks {
		t.end()
	}
	c.sends.Close()
	c.sess.Close()
	for range c.sess.Events() { // until it is closed
	}
	c.setState(StateEnded)
	close(c.done)
}

func (c *Call) setState(s State) {
	c.mu.Lock()
	f := c.onState
	if c.state == s {
		f = nil
	}
	c.state = s
	c.mu.Unlock()
	if f != nil {
		f(s)
	}
}

// updateMembers changes the list of members and tells of it.
func (c *Call) updateMembers(change func(map[protocol.ParticipantID]Member)) {
	c.mu.Lock()
	if c.members == nil {
		c.members = make(map[protocol.ParticipantID]Member)
	}
	change(c.members)
	f, list := c.onRoom, c.membersLocked()
	c.mu.Unlock()
	if f != nil {
		f(list)
	}
}
