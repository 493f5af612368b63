package call

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

const (
	// MaxParticipants bounds the others in a call.
	MaxParticipants = 512
	// maxDeparted bounds the ids remembered so that none comes back; more people
	// than that pass through no honest call.
	maxDeparted = 1 << 16

	// switchDelay is how long a new key is under way to the others before frames
	// are sealed with it; the one who left can listen for so long.
	switchDelay = 200 * time.Millisecond
	// retireDelay is how long a replaced receive key serves late frames.
	retireDelay = 5 * time.Second
	// maxRetiring bounds the replaced generations kept per participant.
	maxRetiring = 3

	// gather is how long questions and answers wait for others to leave in one batch: who
	// joins a hundred people asks and answers a hundred times at once.
	gather = 10 * time.Millisecond
	// askEvery is the least time between two requests for a key to one participant.
	askEvery = time.Second
	// askAtMost is where the doubling of that time ends while no answer comes.
	askAtMost = 16 * time.Second
	// answerEvery is the least time between two answers to one participant's requests. It is
	// below askEvery, so that an honest request is always answered.
	answerEvery = 500 * time.Millisecond
)

// Config is what a session is made of.
type Config struct {
	Secret Secret
	Self   identity.ID // the participant id that the server drew for this joining
	Name   string      // how others shall see us; cleaned by CleanName
	Rand   io.Reader   // cryptographic; the session panics if it fails
}

// Session agrees on keys with the other participants, by the first form. It does no
// I/O: every method takes what happened and the present moment, and returns what to
// do. Not safe for concurrent use. One session serves one joining of a call;
// who joins again makes a new one.
type Session struct {
	secret Secret
	call   identity.ID
	self   identity.ID
	name   string
	rand   io.Reader
	closed bool

	id       sessionID
	prefix   uint32
	newest   sendKey   // given to the others
	inUse    uint64    // the generation we seal with
	started  bool      // inUse was announced
	switchAt time.Time // when newest comes into use; zero: it is in use
	answerAt time.Time // when those who are owed a key get it; zero: nobody is
	turn     uint64    // counts inputs

	peers    []*peer // as they joined
	byID     map[identity.ID]*peer
	departed map[identity.ID]struct{}
}

// sendKey is one generation of our own key.
type sendKey struct {
	gen  uint64
	base []byte
}

// ErrNoRand: Config.Rand is nil.
var ErrNoRand = errors.New("call: a session needs a random source")

// NewSession draws the session's first key. Its key events come with the first
// input, at best an immediate Tick.
func NewSession(cfg Config) (*Session, error) {
	if cfg.Rand == nil {
		return nil, ErrNoRand
	}
	s := &Session{
		secret: cfg.Secret, call: cfg.Secret.CallID(), self: cfg.Self, name: CleanName(cfg.Name), rand: cfg.Rand,
		byID: make(map[identity.ID]*peer), departed: make(map[identity.ID]struct{}),
	}
	mustRead(s.rand, s.id[:])
	var p [4]byte
	mustRead(s.rand, p[:])
	s.prefix = uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | uint32(p[3])
	s.newest = sendKey{base: s.drawKey()}
	return s, nil
}

// Joined takes in that a participant is in the call: a newcomer, or one found there when
// joining. Refusals: RefusedReused, RefusedTooMany, RefusedUnknown for our own id. Saying it twice
// is no error.
func (s *Session) Joined(id identity.ID, now time.Time) Output {
	return s.run(now, func(o *Output) {
		_, gone := s.departed[id]
		switch {
		case s.byID[id] != nil:
			return
		case id == s.self:
			o.Refused = RefusedUnknown
			return
		case gone:
			o.Refused = RefusedReused
			return
		case len(s.peers) >= MaxParticipants, len(s.departed) >= maxDeparted:
			o.Refused = RefusedTooMany
			return
		}
		p := newPeer(s.secret, s.call, s.self, id)
		s.byID[id] = p
		s.peers = append(s.peers, p)
		p.askAgain = now.Add(gather)
		o.Roster = s.roster()
	})
}

// Left takes in that a participant is gone: its keys go at once, and if it ever
// got ours, a new one goes to all who remain.
func (s *Session) Left(id identity.ID, now time.Time) Output {
	return s.run(now, func(o *Output) {
		p := s.byID[id]
		if p == nil {
			o.Refused = RefusedUnknown
			return
		}
		delete(s.byID, id)
		s.peers = slices.DeleteFunc(s.peers, func(q *peer) bool { return q == p })
		s.departed[id] = struct{}{}
		o.Keys = append(o.Keys, p.removeAll()...)
		o.Roster = s.roster()
		if p.answered {
			s.rotate(now, o)
		}
	})
}

// Message takes in a sealed payload that the server says is from a participant.
// A payload that is refused changes nothing, and says why in Refused.
func (s *Session) Message(from identity.ID, payload []byte, now time.Time) Output {
	return s.run(now, func(o *Output) {
		p := s.byID[from]
		if p == nil {
			o.Refused = RefusedUnknown
			return
		}
		plaintext, refused := p.rx.open(payload)
		if refused != "" {
			o.Refused = refused
			return
		}
		m, err := decodeMessage(plaintext)
		if err != nil {
			o.Refused = RefusedMalformed
			return
		}
		if m.N <= p.rxN {
			o.Refused = RefusedReplayed
			return
		}
		switch m.T {
		case typeNeedKey:
			o.Refused = s.onNeedKey(p, m, now)
		case typeKey:
			o.Refused = s.onKey(p, m, now, o)
		}
		if o.Refused == "" {
			p.rxN = m.N
		}
	})
}

// UnknownKID takes in that media bound to a participant carries a KID that no
// installed key has: a key message must have been lost, so ask again.
func (s *Session) UnknownKID(id identity.ID, now time.Time) Output {
	return s.run(now, func(o *Output) {
		p := s.byID[id]
		if p == nil {
			o.Refused = RefusedUnknown
			return
		}
		p.missing = true
		p.askAgain = earlier(p.askAgain, p.askedAt.Add(askEvery))
	})
}

// Tick lets due things happen. Early and needless calls do no harm.
func (s *Session) Tick(now time.Time) Output {
	return s.run(now, func(*Output) {})
}

// SetName changes how others see us, and tells them.
func (s *Session) SetName(name string, now time.Time) Output {
	return s.run(now, func(o *Output) {
		if name = CleanName(name); name == s.name {
			return
		}
		s.name = name
		s.giveAll(now, o)
	})
}

// Close overwrites the session's secrets. What was given out by Output stays with its
// takers. Every later input is refused with RefusedClosed.
func (s *Session) Close() {
	s.closed = true
	clear(s.secret.b[:])
	clear(s.newest.base)
	for _, p := range s.peers {
		p.forget()
	}
	s.peers = nil
	clear(s.byID)
}

// run wraps every input: it does what is due, then f, and says when to tick next.
func (s *Session) run(now time.Time, f func(*Output)) Output {
	var o Output
	if s.closed {
		o.Refused = RefusedClosed
		return o
	}
	if !s.started {
		s.started = true
		s.use(&o)
	}
	s.turn++
	f(&o)
	s.due(now, &o)
	o.NextTick = s.nextTick()
	return o
}

// due does what time has made ripe.
func (s *Session) due(now time.Time, o *Output) {
	if !s.switchAt.IsZero() && !now.Before(s.switchAt) {
		s.switchAt = time.Time{}
		s.use(o)
	}
	answer := !s.answerAt.IsZero() && !now.Before(s.answerAt)
	if answer {
		s.answerAt = time.Time{}
	}
	for _, p := range s.peers {
		o.Keys = append(o.Keys, p.retireDue(now)...)
		if answer && p.owed {
			s.give(p, now, o)
		}
		switch {
		case !p.wantsKey() || now.Before(p.askAgain):
		case p.turn == s.turn: // a batch has one message for each at most
			p.askAgain = now.Add(gather)
		default:
			s.ask(p, now, o)
		}
	}
}

// nextTick is when due has something to do; zero: never.
func (s *Session) nextTick() time.Time {
	next := earlier(s.switchAt, s.answerAt)
	for _, p := range s.peers {
		if p.wantsKey() {
			next = earlier(next, p.askAgain)
		}
		if len(p.retiring) > 0 {
			next = earlier(next, p.retiring[0].until)
		}
	}
	return next
}

// earlier is the earlier of two moments, of which the zero one means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// use announces the newest key as the one to seal with.
func (s *Session) use(o *Output) {
	s.inUse = s.newest.gen
	for ctx := range Context(numContexts) {
		o.Keys = append(o.Keys, KeyEvent{
			Op: OpSend, KID: KID(s.prefix, ctx, s.newest.gen), Context: ctx, BaseKey: bytes.Clone(s.newest.base),
		})
	}
}

// rotate draws the next generation and gives it to all. A switch that is pending
// already keeps its moment: leavers in a row must not keep the old key in use.
func (s *Session) rotate(now time.Time, o *Output) {
	clear(s.newest.base)
	s.newest = sendKey{gen: s.newest.gen + 1, base: s.drawKey()}
	s.giveAll(now, o)
	if s.switchAt.IsZero() {
		s.switchAt = now.Add(switchDelay)
	}
}

func (s *Session) drawKey() []byte {
	b := make([]byte, baseKeyLen)
	mustRead(s.rand, b)
	return b
}

// roster lists the others as they joined.
func (s *Session) roster() []Member {
	out := make([]Member, 0, len(s.peers))
	for _, p := range s.peers {
		out = append(out, Member{Participant: p.id, Name: p.name, HasKey: p.hasKey})
	}
	return out
}
