package signaling

import (
	"errors"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func createCall(c *call) *protocol.Error {
	req := c.body.(*protocol.CallCreateRequest)
	if identity.CallID([]byte(req.AdmissionKey)).String() != string(req.Call) {
		return protocol.Refuse(protocol.CodeCallMismatch, "the call id is not that of the admission key")
	}
	now := c.server.cfg.Now()
	if wait, ok := c.server.door.create(c.conn.ip, now); !ok {
		refusal := protocol.Refuse(protocol.CodeRateLimited, "too many calls were created from this address")
		refusal.RetryAfterMillis = int(wait/time.Millisecond) + 1
		return refusal
	}
	ctx, cancel := c.limited(c.server.cfg.Timing.Store)
	defer cancel()
	created, err := c.server.cfg.Store.CreateCall(ctx, store.Call{
		ID: req.Call, AdmissionKey: req.AdmissionKey, Creator: c.session.device, CreatedAt: now, LastUsed: now,
	}, c.server.cfg.Limits.CallsPerDevice)
	switch {
	case errors.Is(err, store.ErrTooManyCalls):
		return protocol.Refuse(protocol.CodeTooManyCalls, "this device holds as many calls as it may")
	case errors.Is(err, store.ErrConflict):
		return protocol.Refuse(protocol.CodeCallMismatch, "the call exists with another admission key")
	case err != nil:
		return c.refusalOf(err, protocol.CodeInternal, "recording the call")
	}
	c.reply(protocol.CallCreateReply{Created: created, ExpiresAt: now.Add(c.server.cfg.Timing.CallLife).UnixMilli()})
	return nil
}

func challengeForCall(c *call) *protocol.Error {
	req := c.body.(*protocol.CallChallengeRequest)
	if _, refusal := c.admissionKey(req.Call); refusal != nil {
		return refusal
	}
	c.reply(protocol.CallChallengeReply{Challenge: c.session.challenges.issue(req.Call, c.server.cfg.Now())})
	return nil
}

// admissionKey finds the public key that admits people to a call.
func (c *call) admissionKey(id protocol.CallID) ([]byte, *protocol.Error) {
	if key := c.server.hub.admissionKey(id); key != nil {
		return key, nil // in use: the store need not be asked, nor be there
	}
	ctx, cancel := c.limited(c.server.cfg.Timing.Store)
	defer cancel()
	record, err := c.server.cfg.Store.Call(ctx, id)
	switch {
	case errors.Is(err, store.ErrNoCall):
		return nil, protocol.Refuse(protocol.CodeNoSuchCall, "never created, or long unused")
	case err != nil:
		return nil, c.refusalOf(err, protocol.CodeInternal, "looking the call up")
	}
	return record.AdmissionKey, nil
}

func joinCall(c *call) *protocol.Error {
	req := c.body.(*protocol.CallJoinRequest)
	challenge, ok := c.session.challenges.spend(req.Call, c.server.cfg.Now())
	if !ok {
		return protocol.Refuse(protocol.CodeNotReady, "ask for a challenge first: each is good for one join within its time")
	}
	key, refusal := c.admissionKey(req.Call)
	if refusal != nil {
		return refusal
	}
	id, err := identity.ParseID(string(req.Call))
	if err != nil || identity.VerifyAdmission(id, key, challenge, []byte(c.session.key), req.Signature) != nil {
		return protocol.Refuse(protocol.CodeBadSignature, "the signature is not over this challenge by the call's admission key")
	}
	if st := c.session.currentSeat(); st != nil {
		if st.room.id != req.Call {
			return protocol.Refuse(protocol.CodeAlreadyDone, "in another call: leave it first, or log in a second time")
		}
		// A client that lost the reply asks again.
		st.room.do(func(r *room) {
			c.reply(protocol.CallJoinReply{Participant: st.member.id, Participants: r.others(st.member)})
		})
		return nil
	}
	return c.takeSeat(req.Call, key)
}

// takeSeat brings the session into a call: a place is reserved, the media
// plane makes room, and only then do the others hear of it.
func (c *call) takeSeat(id protocol.CallID, admissionKey []byte) *protocol.Error {
	s := c.server
	room := s.hub.enter(id, admissionKey, c.session.device, s.cfg.Limits)
	if room == nil {
		return protocol.Refuse(protocol.CodeTooManyCalls, "this device is in as many calls as it may be")
	}
	seated := false
	defer func() {
		if !seated {
			s.hub.leave(room, c.session.device)
		}
	}()
	if !room.reserve() {
		return protocol.Refuse(protocol.CodeCallFull, "the call has as many participants as it may")
	}
	defer room.unreserve()

	st := &seat{server: s, session: c.session, room: room}
	st.member = &member{
		id: protocol.ParticipantID(drawID()), key: c.session.key,
		sources: make(map[protocol.Source]protocol.SourceState), send: c.session.push,
	}
	peer, err := s.cfg.Media.Join(id, st.member.id, st)
	if err != nil {
		return c.refusalOf(err, protocol.CodeMediaUnavailable, "joining the media plane")
	}
	st.peer = peer
	if seated = c.sitDown(st); !seated {
		peer.Close()
		return protocol.Refuse(protocol.CodeNotReady, "the session is over")
	}
	s.metrics.joins.Add(1)
	return nil
}

// sitDown makes it known. The reply is queued before any event that comes
// after it, because both happen under the room's lock.
func (c *call) sitDown(st *seat) bool {
	st.room.mu.Lock()
	defer st.room.mu.Unlock()
	if !c.session.sit(st) {
		return false
	}
	st.member.connected = c.session.attached()
	present := st.room.room.add(st.member)
	c.reply(protocol.CallJoinReply{Participant: st.member.id, Participants: present})
	return true
}

func leaveCall(c *call) *protocol.Error {
	if st := c.session.rise(); st != nil {
		c.server.vacate(st, protocol.ReasonLeft)
	}
	c.reply(protocol.CallLeaveReply{})
	return nil
}

func sendSealed(c *call) *protocol.Error {
	req := c.body.(*protocol.CallSendRequest)
	seen := make(map[protocol.ParticipantID]bool, len(req.Messages))
	for _, m := range req.Messages {
		switch {
		case len(m.Payload) > c.server.cfg.Limits.PayloadBytes:
			return protocol.Refuse(protocol.CodeTooLarge, "a payload is over the limit")
		case m.To == c.seat.member.id:
			return protocol.Refuse(protocol.CodeBadRequest, "a message to oneself")
		case seen[m.To]:
			return protocol.Refuse(protocol.CodeBadRequest, "two messages to one participant")
		}
		seen[m.To] = true
	}
	var undelivered []protocol.ParticipantID
	c.seat.room.do(func(r *room) { undelivered = r.deliver(c.seat.member, req.Messages) })
	c.reply(protocol.CallSendReply{Undelivered: undelivered})
	return nil
}

func updateSource(c *call) *protocol.Error {
	req := c.body.(*protocol.SourceUpdateRequest)
	c.seat.peer.SetSource(req.Source, req.State)
	c.seat.room.do(func(r *room) { r.setSource(c.seat.member, req.Source, req.State) })
	c.reply(protocol.SourceUpdateReply{})
	return nil
}

// checkSections finds what is wrong with the description of an offer, as far
// as it can be told without the offer itself.
func checkSections(sections []protocol.Section, l Limits) *protocol.Error {
	mids := make(map[string]bool, len(sections))
	var published []protocol.Source
	receive := map[protocol.MediaKind]int{}
	for _, s := range sections {
		switch {
		case mids[s.Mid]:
			return protocol.Refuse(protocol.CodeBadRequest, "two sections of one mid")
		case (s.Publish == "") == (s.Receive == ""):
			return protocol.Refuse(protocol.CodeBadRequest, "a section either publishes or receives")
		case s.Publish != "" && slices.Contains(published, s.Publish):
			return protocol.Refuse(protocol.CodeBadRequest, "two sections publish one source")
		}
		mids[s.Mid] = true
		if s.Publish != "" {
			published = append(published, s.Publish)
		} else {
			receive[s.Receive]++
		}
	}
	if receive[protocol.KindAudio] > l.AudioSlots || receive[protocol.KindVideo] > l.VideoSlots {
		return protocol.Refuse(protocol.CodeTooLarge, "more receive sections than the server has slots")
	}
	return nil
}
