package client

import (
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	// connectWithin is how long media may take to connect before something is done.
	connectWithin = 8 * time.Second
	// restartEvery is how long an ICE restart is given.
	restartEvery = 4 * time.Second
	// maxRestarts is after how many the call is joined anew.
	maxRestarts = 3
	// maxBarren is how many joinings in a row may end without media ever connecting.
	maxBarren = 2
	// rejoinWait is the pause between attempts to join anew, doubled each time up to
	// rejoinMost.
	rejoinWait = 200 * time.Millisecond
	rejoinMost = 2 * time.Second
)

// warden is the state of serve, on run's goroutine.
type warden struct {
	*Call
	st       *stay
	online   bool      // signalling is up
	linked   bool      // media is connected
	worked   bool      // it was, since we joined
	deadline time.Time // when something is done about media that is not; zero: never
	restarts int       // since media was last connected
	barren   int       // joinings in a row without media
}

// serve handles what happens until the call ends, and returns why.
func (c *Call) serve(st *stay) error {
	s := &warden{Call: c, st: st, online: true, deadline: time.Now().Add(c.cfg.connectWithin)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(s.untilNext())
		var err error
		select {
		case <-c.ctx.Done():
			return c.ctx.Err()
		case e, ok := <-c.sess.Events():
			if !ok {
				return c.sess.Err()
			}
			err = s.event(e)
		case m := <-c.media:
			if m.peer == s.st.peer && !c.leaving.Load() {
				s.mediaChanged(m.state)
			}
		case r := <-s.st.replies:
			s.st.subscribed(r)
		case id := <-s.st.unknown:
			s.st.apply(s.st.keys.UnknownKID(id, time.Now()))
		case <-timer.C:
			err = s.tick(time.Now())
		}
		if err != nil {
			return err
		}
	}
}

// untilNext is how long nothing needs to be done by itself.
func (s *warden) untilNext() time.Duration {
	d := time.Hour
	for _, t := range []time.Time{s.st.nextTick, s.deadline} {
		if !t.IsZero() {
			d = min(d, time.Until(t))
		}
	}
	return max(d, 0)
}

// tick does what is due.
func (s *warden) tick(now time.Time) error {
	if t := s.st.nextTick; !t.IsZero() && !now.Before(t) {
		s.st.apply(s.st.keys.Tick(now))
	}
	if s.deadline.IsZero() || now.Before(s.deadline) {
		return nil
	}
	if !s.online {
		s.deadline = now.Add(restartEvery) // first the signalling must come back
		return nil
	}
	return s.mendMedia(now)
}

// mendMedia tries an ICE restart, and after some of them a new joining. What never
// worked is not mended by a restart.
func (s *warden) mendMedia(now time.Time) error {
	s.restarts++
	if s.worked && s.restarts <= maxRestarts {
		s.deadline = now.Add(restartEvery)
		s.cfg.log.Info("restarting ICE", "attempt", s.restarts)
		err := s.st.restartICE(s.ctx)
		if err == nil || CodeOf(err) == session.CodeUnreachable {
			return nil // or the signalling was lost meanwhile, and we shall be back
		}
		s.cfg.log.Warn("the ICE restart failed", "err", err)
	}
	return s.rejoin("media is not connected")
}

func (s *warden) mediaChanged(state webrtc.PeerConnectionState) {
	s.cfg.log.Debug("media connection", "state", state.String())
	switch state {
	case webrtc.PeerConnectionStateConnected:
		s.linked, s.worked, s.restarts, s.barren, s.deadline = true, true, 0, 0, time.Time{}
		for src, t := range s.tracks {
			t.connect(s.st.peer.sends[src])
		}
		s.show()
	case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
		if s.linked || state == webrtc.PeerConnectionStateFailed {
			s.deadline = time.Now() // at once
		}
		s.linked = false
		s.show()
	}
}

// show tells of the state that results.
func (s *warden) show() {
	switch {
	case s.linked && s.online:
		s.setState(StateConnected)
	case s.State() != StateConnecting:
		s.setState(StateReconnecting)
	}
}

// event handles one event of the signalling session. An error ends the call.
func (s *warden) event(e session.Event) error {
	if e.Epoch < s.st.epoch {
		return nil
	}
	switch {
	case e.Down != nil:
		s.online = false
		s.show()
	case e.Up != nil:
		if !s.online && !s.linked {
			s.deadline = time.Now() // what had to wait for the signalling
		}
		s.online = true
		if e.Epoch > s.st.epoch {
			return s.rejoin("the server has forgotten us")
		}
		s.show()
	case e.Message != nil:
		return s.message(e.Message.Body)
	}
	return nil
}

func (s *warden) message(body any) error {
	now := time.Now()
	switch m := body.(type) {
	case *protocol.ParticipantJoinedEvent:
		s.st.joined(m.Participant, now)
		s.st.subscribe()
		for _, t := range s.tracks {
			t.requestKey() // the newcomer needs one
		}
	case *protocol.ParticipantUpdatedEvent:
		s.st.updated(m.Participant)
		s.st.subscribe()
	case *protocol.ParticipantLeftEvent:
		s.st.left(m.Participant, now)
		s.st.subscribe()
	case *protocol.CallMessageEvent:
		if id, err := identity.ParseID(string(m.From)); err == nil {
			s.st.apply(s.st.keys.Message(id, m.Payload, now))
		}
	case *protocol.MediaBindingsEvent:
		s.st.bind(m.Bindings)
	case *protocol.MediaFailedEvent:
		return s.rejoin("the server gave up the media connection")
	case *protocol.ServerShutdownEvent:
		s.cfg.log.Info("the server is stopping")
	}
	return nil
}

// rejoin joins anew, with a new participant id and new keys, until it works or
// cannot work.
func (s *warden) rejoin(why string) error {
	s.cfg.log.Info("joining anew", "why", why)
	if !s.worked {
		if s.barren++; s.barren >= maxBarren {
			return session.Fail(session.CodeMedia, "the server's media port cannot be reached, neither over UDP nor TCP", nil)
		}
	}
	s.linked, s.worked = false, false
	s.setState(StateReconnecting)
	s.mu.Lock()
	old := s.stay
	s.stay = nil
	s.rejoins++
	s.mu.Unlock()
	if old != nil {
		old.close()
	}
	begin := time.Now()
	for wait := rejoinWait; ; wait = min(2*wait, rejoinMost) {
		epoch := s.sess.Epoch()
		st, err := s.join(s.ctx)
		if err == nil {
			s.st, s.online, s.restarts, s.deadline = st, true, 0, time.Now().Add(s.cfg.connectWithin)
			return nil
		}
		if s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		if ended := s.sess.Err(); ended != nil {
			return ended
		}
		if !mayPass(err) && s.sess.Epoch() == epoch || time.Since(begin) > s.giveUp() {
			return err
		}
		s.cfg.log.Info("joining anew failed", "err", err)
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	}
}

func (s *warden) giveUp() time.Duration {
	if s.cfg.GiveUp > 0 {
		return s.cfg.GiveUp
	}
	return 2 * time.Minute
}

// mayPass reports whether joining may succeed later.
func mayPass(err error) bool {
	switch CodeOf(err) {
	case session.CodeUnreachable, session.CodeTimeout, session.CodeSessionLost,
		Code(protocol.CodeRateLimited), Code(protocol.CodeShuttingDown), Code(protocol.CodeMediaUnavailable),
		Code(protocol.CodeInternal), Code(protocol.CodeNotReady), Code(protocol.CodeCallFull), Code(protocol.CodeTooManyCalls):
		return true
	}
	return false
}

// joined takes in a participant.
func (s *stay) joined(p protocol.Participant, now time.Time) {
	id, err := identity.ParseID(string(p.ID))
	if err != nil || p.ID == s.self {
		return
	}
	o := s.keys.Joined(id, now)
	if o.Refused == "" {
		s.others[p.ID] = p
		s.show(p)
	}
	s.apply(o)
}

// updated takes in what the server says of a participant.
func (s *stay) updated(p protocol.Participant) {
	if _, ok := s.others[p.ID]; !ok {
		return
	}
	s.others[p.ID] = p
	s.show(p)
}

func (s *stay) show(p protocol.Participant) {
	s.call.updateMembers(func(members map[protocol.ParticipantID]Member) {
		m := members[p.ID]
		m.Participant, m.Connected, m.Sources = p.ID, p.Connected, p.Sources
		members[p.ID] = m
	})
}

// left takes in that a participant is gone: their keys go, and ours change.
func (s *stay) left(p protocol.ParticipantID, now time.Time) {
	id, err := identity.ParseID(string(p))
	if err != nil {
		return
	}
	delete(s.others, p)
	s.call.updateMembers(func(members map[protocol.ParticipantID]Member) { delete(members, p) })
	s.apply(s.keys.Left(id, now))
}

// subscribed is how a subscription ended.
type subscribed struct {
	bindings []protocol.Binding
	err      error
}

// subscribe asks for what there is to receive, if that changed: of everybody, as far as
// the slots reach, microphone and camera even before they are live, so that the first
// frame finds its slot. One request at a time is under way; the newest wish follows it.
func (s *stay) subscribe() {
	if s.asking {
		return
	}
	wants := chooseWants(s.others, s.audio, s.video)
	text := fmt.Sprint(wants)
	if text == s.wanted {
		return
	}
	s.wanted, s.asking = text, true
	s.call.sess.Start(protocol.TypeSubscribe, protocol.SubscribeRequest{Wants: wants}, func(body any, err error) {
		r := subscribed{err: err}
		if reply, ok := body.(*protocol.SubscribeReply); ok {
			r.bindings = reply.Bindings
		}
		s.replies <- r // has room: one request, one reply
	})
}

// subscribed takes in the reply.
func (s *stay) subscribed(r subscribed) {
	s.asking = false
	if r.err != nil {
		s.wanted = "" // try again at the next change
		if !s.call.leaving.Load() {
			s.call.cfg.log.Warn("subscribing failed", "err", r.err)
		}
		return
	}
	s.bind(r.bindings)
	s.subscribe() // what has changed meanwhile
}
