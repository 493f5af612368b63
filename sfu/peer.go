package sfu

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/sfu/twcc"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// maxWants bounds a Subscribe: each participant of the largest call with all its sources.
const maxWants = 1024

// Peer is one participant of a call. Its methods may be called from any goroutine.
type Peer struct {
	call    *Call
	id      protocol.ParticipantID
	events  Events
	pending pending // guarded by notifier.mu
	ssrc    uint32  // of our reports and requests to this peer
	sources []*source

	control sync.Mutex // one Offer, Restart or Close at a time
	closed  bool       // guarded by control
	media   atomic.Pointer[media]

	wants []protocol.Want // guarded by Call.mu

	connected atomic.Bool
	liveMask  atomic.Uint32 // bit i: sources[i] is live, for the ticker
	rtt       atomic.Int64  // nanoseconds
	in        inbound
}

// media is what a peer has after its Offer. It does not change.
type media struct {
	conn    transport.Conn
	session *transport.Session
	slots   []*slot
	bySSRC  map[uint32]*slot // media SSRCs of the slots
	remb    bool             // some section wants REMB and none has transport-cc
}

var _ transport.Handler = (*Peer)(nil)

func newPeer(c *Call, id protocol.ParticipantID, ev Events) *Peer {
	p := &Peer{call: c, id: id, events: ev}
	var b [4]byte
	rand.Read(b[:])
	p.ssrc = binary.BigEndian.Uint32(b[:])
	p.in.twcc = twcc.New(p.ssrc)
	for _, name := range protocol.Sources {
		p.sources = append(p.sources, &source{peer: p, name: name, state: protocol.StateOff})
	}
	return p
}

// source finds a source by name, nil if there is none of that name.
func (p *Peer) source(name protocol.Source) *source {
	for _, s := range p.sources {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (p *Peer) slots() []*slot {
	if m := p.media.Load(); m != nil {
		return m.slots
	}
	return nil
}

// isLive is source.live for those who do not hold Call.mu.
func (p *Peer) isLive(src *source) bool {
	for i, s := range p.sources {
		if s == src {
			return p.liveMask.Load()&(1<<i) != 0
		}
	}
	return false
}

// bindings lists what the slots show. Call.mu is held.
func (p *Peer) bindings() []protocol.Binding {
	list := []protocol.Binding{}
	for _, sl := range p.slots() {
		if sl.bound != nil {
			list = append(list, protocol.Binding{Mid: sl.spec.Mid, Participant: sl.bound.peer.id, Source: sl.bound.name})
		}
	}
	return list
}

// Offer answers the peer's offer. Errors that the client can be told are *protocol.Error: CodeBadSDP for an offer
// that cannot be used (another may follow), CodeAlreadyDone for a second one.
func (p *Peer) Offer(ctx context.Context, sdp string, sections []protocol.Section) (string, error) {
	p.control.Lock()
	defer p.control.Unlock()
	if p.closed {
		return "", ErrClosed
	}
	if p.media.Load() != nil {
		return "", &protocol.Error{Code: protocol.CodeAlreadyDone, Message: "the offer was answered already; use media.restart for an ICE restart"}
	}
	if err := p.checkSlots(sections); err != nil {
		return "", err
	}
	conn, err := p.call.sfu.cfg.Transport.Connect(p)
	if err != nil {
		return "", fmt.Errorf("answering an offer: %w", err)
	}
	answer, session, err := conn.Offer(ctx, sdp, sections)
	if err != nil {
		conn.Close()
		return "", refusal("answering an offer", err)
	}
	m := &media{conn: conn, session: session, bySSRC: map[uint32]*slot{}}
	transportCC := false
	for _, pub := range session.Publish {
		for _, pt := range pub.Codecs {
			m.remb = m.remb || pt.REMB
			transportCC = transportCC || pt.TransportCC
		}
	}
	m.remb = m.remb && !transportCC
	for i := range session.Slots {
		sl := newSlot(p, conn, &session.Slots[i])
		m.slots = append(m.slots, sl)
		m.bySSRC[sl.spec.Stream.SSRC] = sl
	}
	p.in.declare(p, session)
	p.media.Store(m)
	return answer, nil
}

// refusal leaves a *protocol.Error bare, for signalling to pass on, and wraps others.
func refusal(doing string, err error) error {
	var pe *protocol.Error
	if errors.As(err, &pe) {
		return pe
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (p *Peer) checkSlots(sections []protocol.Section) error {
	audio, video := 0, 0
	for _, s := range sections {
		switch s.Receive {
		case protocol.KindAudio:
			audio++
		case protocol.KindVideo:
			video++
		}
	}
	cfg := &p.call.sfu.cfg
	if audio > cfg.MaxAudioSlots || video > cfg.MaxVideoSlots {
		return &protocol.Error{Code: protocol.CodeBadSDP, Message: fmt.Sprintf(
			"%d audio and %d video receive sections, more than %d and %d", audio, video, cfg.MaxAudioSlots, cfg.MaxVideoSlots)}
	}
	return nil
}

// Restart answers an offer with new ICE credentials. Media goes on as it was.
func (p *Peer) Restart(ctx context.Context, sdp string) (string, error) {
	p.control.Lock()
	defer p.control.Unlock()
	if p.closed {
		return "", ErrClosed
	}
	m := p.media.Load()
	if m == nil {
		return "", &protocol.Error{Code: protocol.CodeNotReady, Message: "media.offer comes before media.restart"}
	}
	answer, err := m.conn.Restart(ctx, sdp)
	if err != nil {
		return "", refusal("restarting ICE", err)
	}
	return answer, nil
}

// Subscribe replaces what the peer wants to receive and returns what its slots show
// then. Bindings that are still wanted stay in their slots; wants of participants that are not
// (yet) in the call, of the peer itself, and beyond the number of slots are left out.
func (p *Peer) Subscribe(wants []protocol.Want) ([]protocol.Binding, error) {
	if len(wants) > maxWants {
		return nil, &protocol.Error{Code: protocol.CodeTooLarge, Message: fmt.Sprintf("%d wants, more than %d", len(wants), maxWants)}
	}
	for _, w := range wants {
		if p.source(w.Source) == nil {
			return nil, &protocol.Error{Code: protocol.CodeBadRequest, Message: "a want names no known source"}
		}
	}
	p.control.Lock()
	defer p.control.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if p.media.Load() == nil {
		return nil, &protocol.Error{Code: protocol.CodeNotReady, Message: "media.offer comes before media.subscribe"}
	}
	return p.call.subscribe(p, append([]protocol.Want(nil), wants...)), nil
}

// SetSource tells what a source is doing. Only a live one is forwarded; going live asks
// for a key frame.
func (p *Peer) SetSource(name protocol.Source, state protocol.SourceState) {
	src := p.source(name)
	if src == nil {
		return
	}
	for i, s := range p.sources {
		if s != src {
			continue
		}
		if state == protocol.StateLive {
			p.liveMask.Or(1 << i)
		} else {
			p.liveMask.And(^uint32(1 << i))
		}
	}
	p.call.setState(src, state)
}

// State implements transport.Handler.
func (p *Peer) State(s transport.State) {
	up := s == transport.Connected || s == transport.Disconnected
	if was := p.connected.Swap(up); up && !was {
		for _, sl := range p.slots() {
			sl.resume()
		}
	}
	if s != transport.Failed && s != transport.Closed {
		return
	}
	p.call.sfu.log.Debug("media connection ended", slog.String("state", s.String()))
	p.call.sfu.notifier.post(p, func(t *pending) {
		if s == transport.Closed {
			t.closed = true
		} else {
			t.failed = "the media connection was lost"
		}
	})
}

// Close leaves the call: whoever received from the peer is told, and its connection is
// closed. It returns within transport.CloseTimeout. Closing twice is fine.
func (p *Peer) Close() {
	p.control.Lock()
	already := p.closed
	p.closed = true
	p.control.Unlock()
	if already {
		return
	}
	s := p.call.sfu
	s.notifier.post(p, func(t *pending) { t.closed = true })
	s.leave(p)
	if m := p.media.Load(); m != nil {
		m.conn.Close()
	}
	p.connected.Store(false)
}
