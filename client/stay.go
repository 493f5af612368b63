package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/e2ee/media"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// stay is one joining of the call: a participant id, its keys, its media connection.
// When the server forgets us, the stay is over and another begins.
type stay struct {
	call   *Call
	epoch  uint64 // of the session that joined
	self   protocol.ParticipantID
	keys   *call.Session // of run's goroutine
	opener *media.Opener
	peer   *peer
	others map[protocol.ParticipantID]protocol.Participant // of run's goroutine
	audio  int                                             // slots
	video  int
	// unknown are participants whose frames came without a key.
	unknown  chan identity.ID
	nextTick time.Time // of keys
	wanted   string    // the last subscription, to tell whether it changed
	asking   bool      // a subscription waits for its reply
	replies  chan subscribed

	mu       sync.Mutex
	bindings map[string]feed // by mid: what the server says the slots carry
}

// joinTimeout bounds one attempt to join.
const joinTimeout = 15 * time.Second

// join enters the call and begins to connect media.
func (c *Call) join(ctx context.Context) (*stay, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	epoch := c.sess.Epoch()
	reply, err := c.admit(ctx)
	if err == nil && c.sess.Epoch() != epoch {
		err = errSessionChanged
	}
	if err != nil {
		return nil, fmt.Errorf("joining the call: %w", err)
	}
	self, err := identity.ParseID(string(reply.Participant))
	if err != nil {
		return nil, session.Fail(session.CodeProtocol, "the server gave us an impossible id", err)
	}
	s := &stay{
		call: c, epoch: epoch, self: reply.Participant, opener: media.NewOpener(),
		others: make(map[protocol.ParticipantID]protocol.Participant), bindings: make(map[string]feed),
		unknown: make(chan identity.ID, 64), replies: make(chan subscribed, 1),
	}
	if s.keys, err = call.NewSession(call.Config{Secret: c.cfg.secret, Self: self, Name: c.cfg.Name, Rand: rand.Reader}); err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.stay, c.members = s, nil
	c.mu.Unlock()
	now := time.Now()
	s.apply(s.keys.Tick(now))
	for _, p := range reply.Participants {
		s.joined(p, now)
	}
	if err := s.connect(ctx); err != nil {
		c.mu.Lock()
		c.stay = nil
		c.mu.Unlock()
		s.close()
		return nil, fmt.Errorf("joining the call: %w", err)
	}
	for _, src := range protocol.Sources {
		if c.tracks[src].state() != protocol.StateOff {
			c.announce(src)
		}
	}
	s.subscribe()
	return s, nil
}

// admit proves that we hold the call's secret, without showing it.
func (c *Call) admit(ctx context.Context) (*protocol.CallJoinReply, error) {
	id := c.client.CallID()
	if c.triedIn == c.sess.Epoch() {
		// The server has, or may have, us in the call already, with media that is no longer
		// of use: only who leaves can offer media again.
		err := c.sess.Do(ctx, protocol.TypeCallLeave, protocol.CallLeaveRequest{}, nil)
		if err != nil && CodeOf(err) != Code(protocol.CodeNotReady) {
			return nil, err
		}
	}
	c.triedIn = c.sess.Epoch()
	reply, err := c.tryAdmit(ctx, id)
	if CodeOf(err) == Code(protocol.CodeNoSuchCall) && c.cfg.created {
		// We made this call, and the server has lost it.
		if err := c.client.register(ctx); err != nil {
			return nil, err
		}
		return c.tryAdmit(ctx, id)
	}
	return reply, err
}

func (c *Call) tryAdmit(ctx context.Context, id protocol.CallID) (*protocol.CallJoinReply, error) {
	var challenge protocol.CallChallengeReply
	if err := c.sess.Do(ctx, protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: id}, &challenge); err != nil {
		return nil, err
	}
	signature, err := identity.SignAdmission(c.cfg.secret.AdmissionKey(), challenge.Challenge, c.cfg.device.PublicKey())
	if err != nil {
		return nil, session.Fail(session.CodeProtocol, "the server's challenge cannot be signed", err)
	}
	var reply protocol.CallJoinReply
	err = c.sess.DoOnce(ctx, protocol.TypeCallJoin, protocol.CallJoinRequest{Call: id, Signature: signature}, &reply)
	if err != nil {
		return nil, err
	}
	return &reply, nil
}

// connect negotiates media.
func (s *stay) connect(ctx context.Context) error {
	limits := s.call.sess.Hello().Limits
	s.audio = min(s.call.cfg.AudioSlots, limits.AudioSlots)
	s.video = min(s.call.cfg.VideoSlots, limits.VideoSlots)
	p, offer, err := newPeer(s.call.api, s.audio, s.video, s)
	if err != nil {
		return err
	}
	s.call.mu.Lock()
	s.peer = p
	s.call.mu.Unlock()
	var answer protocol.MediaOfferReply
	err = s.call.sess.DoOnce(ctx, protocol.TypeMediaOffer, protocol.MediaOfferRequest{SDP: offer, Sections: p.sections}, &answer)
	if err != nil {
		return err
	}
	if err := p.answer(s.rewritten(answer.SDP)); err != nil {
		return session.Fail(session.CodeProtocol, "media cannot be negotiated", err)
	}
	return nil
}

var errSessionChanged = session.Fail(session.CodeSessionLost, "the server forgot the session while we joined", nil)

// restartICE looks for a new path for media, after the old one was lost.
func (s *stay) restartICE(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	offer, err := s.peer.restart()
	if err != nil {
		return err
	}
	var answer protocol.MediaRestartReply
	if err := s.call.sess.DoOnce(ctx, protocol.TypeMediaRestart, protocol.MediaRestartRequest{SDP: offer}, &answer); err != nil {
		return err
	}
	return s.peer.answer(s.rewritten(answer.SDP))
}

func (s *stay) rewritten(answer string) string {
	if f := s.call.cfg.rewriteAnswer; f != nil {
		return f(answer)
	}
	return answer
}

// close ends the stay and erases its receive keys.
func (s *stay) close() {
	for _, t := range s.call.tracks {
		t.connect(nil)
		t.setSealer(nil)
	}
	if s.peer != nil && !s.peer.close() {
		s.call.cfg.log.Warn("the media connection did not close in time")
	}
	s.keys.Close()
	s.opener.Close()
}

// mediaState implements peerEvents.
func (s *stay) mediaState(p *peer, state webrtc.PeerConnectionState) {
	select {
	case s.call.media <- mediaChange{p, state}:
	case <-s.call.ctx.Done():
	}
}

// keyFrameNeeded implements peerEvents.
func (s *stay) keyFrameNeeded(src protocol.Source) { s.call.tracks[src].requestKey() }

// claimed is what the server says a slot carries.
func (s *stay) claimed(mid string) (feed, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.bindings[mid]
	return f, ok
}

// bind takes in what the server says the slots carry, as far as it makes sense.
func (s *stay) bind(list []protocol.Binding) {
	bindings := make(map[string]feed)
	for _, b := range list {
		kind, ok := s.peer.receives[b.Mid]
		if !ok || b.Source.Video() != (kind == protocol.KindVideo) {
			continue
		}
		bindings[b.Mid] = feed{b.Participant, b.Source}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bindings = bindings
}

// apply does what the key agreement wants done.
func (s *stay) apply(o call.Output) {
	if err := o.Apply(keyring{s}); err != nil {
		s.call.cfg.log.Error("a key could not be applied", "err", err)
	}
	const batch = 64
	for len(o.Messages) > 0 {
		n := min(batch, len(o.Messages))
		var req protocol.CallSendRequest
		for _, m := range o.Messages[:n] {
			req.Messages = append(req.Messages, protocol.SealedMessage{To: protocol.ParticipantID(m.To.String()), Payload: m.Payload})
		}
		s.call.post(protocol.TypeCallSend, req)
		o.Messages = o.Messages[n:]
	}
	s.nextTick = o.NextTick
	if o.Refused != "" {
		s.call.cfg.log.Warn("key agreement refused something", "code", string(o.Refused))
	}
}

// keyring is the media side of the key agreement.
type keyring struct{ *stay }

// Install implements call.Keys.
func (k keyring) Install(kid uint64, baseKey []byte, owner identity.ID) error {
	return k.opener.Install(kid, baseKey, owner.String())
}

// Remove implements call.Keys.
func (k keyring) Remove(kid uint64) { k.opener.Remove(kid) }

// Send implements call.Keys.
func (k keyring) Send(ctx call.Context, kid uint64, baseKey []byte) error {
	if k.call.cfg.breakKey != nil {
		baseKey = k.call.cfg.breakKey(baseKey)
	}
	for src, c := range contexts {
		if c != ctx {
			continue
		}
		sealer, err := k.call.sends.Sealer(kid, baseKey)
		if err != nil {
			k.call.tracks[src].setSealer(nil) // better silent than under a key others do not expect
			return err
		}
		k.call.tracks[src].setSealer(sealer)
		return nil
	}
	return errors.New("client: a key for an encoder that does not exist")
}

// Roster implements call.Keys.
func (k keyring) Roster(list []call.Member) {
	k.call.updateMembers(func(members map[protocol.ParticipantID]Member) {
		for _, m := range list {
			id := protocol.ParticipantID(m.Participant.String())
			entry := members[id]
			entry.Participant, entry.Name, entry.HasKey = id, m.Name, m.HasKey
			members[id] = entry
		}
	})
}
