package sfu

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Config says how to make an [SFU].
type Config struct {
	Transport transport.Factory // required; closed by SFU.Close
	Logger    *slog.Logger      // nil: no log
	// MaxAudioSlots and MaxVideoSlots bound the receive sections of one participant. Zero
	// means as many as an offer can have.
	MaxAudioSlots, MaxVideoSlots int
}

// Events tells signalling what happened to a peer by itself. The methods are called on one
// goroutine for all peers and must not block.
type Events interface {
	// Bindings gives all bindings of the peer, after some changed without its asking.
	Bindings(b []protocol.Binding)
	// Failed tells that the media connection is gone for good.
	Failed(reason string)
	// Closed tells that the participant closed the connection, which tells signalling that a
	// lost WebSocket will not come back, or that Close was called. Nothing is called afterwards.
	Closed()
}

// ErrClosed is returned by what is called on a closed SFU or Peer. It is a
// *protocol.Error, fit to be shown to a client.
var ErrClosed error = &protocol.Error{
	Code: protocol.CodeMediaUnavailable, Message: "the media plane is closed", Retryable: true,
}

// SFU forwards media between the participants of calls. Its methods may be called
// from any goroutine.
type SFU struct {
	cfg    Config
	log    *slog.Logger
	layers atomic.Uint32 // ids given out, see layer.id

	mu     sync.Mutex
	calls  map[protocol.CallID]*Call
	closed bool
	gone   Stats // counters of peers that left

	peers    atomic.Pointer[[]*Peer] // all, for the ticker; replaced under mu
	arrived  chan struct{}           // wakes the ticker when the first peer comes
	notifier notifier
	stop     chan struct{}
	running  sync.WaitGroup
}

// New starts an SFU.
func New(cfg Config) (*SFU, error) {
	if cfg.Transport == nil {
		return nil, errors.New("sfu: no transport given")
	}
	if cfg.MaxAudioSlots < 0 || cfg.MaxVideoSlots < 0 {
		return nil, errors.New("sfu: negative number of slots")
	}
	if cfg.MaxAudioSlots == 0 {
		cfg.MaxAudioSlots = transport.MaxReceive
	}
	if cfg.MaxVideoSlots == 0 {
		cfg.MaxVideoSlots = transport.MaxReceive
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &SFU{
		cfg: cfg, log: log,
		calls:   map[protocol.CallID]*Call{},
		arrived: make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
	s.peers.Store(&[]*Peer{})
	s.notifier.wake = make(chan struct{}, 1)
	s.running.Go(s.tickAll)
	s.running.Go(func() { s.notifier.run(s.stop) })
	return s, nil
}

// Join adds a participant to a call, which comes into being with its first. It can be
// subscribed to from now on, and can send and receive after its Offer.
func (s *SFU) Join(call protocol.CallID, id protocol.ParticipantID, ev Events) (*Peer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	c := s.calls[call]
	if c == nil {
		c = &Call{sfu: s, id: call, peers: map[protocol.ParticipantID]*Peer{}}
	}
	p := newPeer(c, id, ev)
	if err := c.add(p); err != nil {
		return nil, err
	}
	s.calls[call] = c
	peers := append(slices.Clone(*s.peers.Load()), p)
	s.peers.Store(&peers)
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	return p, nil
}

// leave removes a peer that is being closed.
func (s *SFU) leave(p *Peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.call.remove(p) == 0 {
		delete(s.calls, p.call.id)
	}
	peers := slices.DeleteFunc(slices.Clone(*s.peers.Load()), func(q *Peer) bool { return q == p })
	s.peers.Store(&peers)
	p.count(&s.gone)
}

// Close ends all calls and closes the transport.
func (s *SFU) Close() error {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return nil
	}
	var closing sync.WaitGroup
	for _, p := range *s.peers.Load() {
		closing.Go(p.Close)
	}
	closing.Wait()
	close(s.stop)
	s.running.Wait()
	if err := s.cfg.Transport.Close(); err != nil {
		return fmt.Errorf("closing the transport: %w", err)
	}
	return nil
}

// tickInterval is how often periodic work is looked for. NACKs are mostly sent by the packet that
// reveals the loss; the ticker only catches the last packets before a pause.
const tickInterval = 20 * time.Millisecond

func (s *SFU) tickAll() {
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		peers := *s.peers.Load()
		if len(peers) == 0 { // an idle server sleeps
			select {
			case <-s.stop:
				return
			case <-s.arrived:
			}
			continue
		}
		select {
		case <-s.stop:
			return
		case <-ticker.C:
		}
		now := time.Now()
		for _, p := range peers {
			p.tick(now)
		}
	}
}
