package signaling

import (
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func offerMedia(c *call) *protocol.Error {
	req := c.body.(*protocol.MediaOfferRequest)
	if done := c.seat.offer; done != nil {
		if done.offer == req.SDP { // a client that lost the reply asks again
			c.reply(protocol.MediaOfferReply{SDP: done.answer})
			return nil
		}
		return protocol.Refuse(protocol.CodeAlreadyDone, "there is one offer a call; leave and join to make another")
	}
	if refusal := checkSections(req.Sections, c.server.cfg.Limits); refusal != nil {
		return refusal
	}
	ctx, cancel := c.limited(c.server.cfg.Timing.Media)
	defer cancel()
	answer, err := c.seat.peer.Offer(ctx, req.SDP, req.Sections)
	if err != nil {
		return c.refusalOf(err, protocol.CodeMediaUnavailable, "answering the offer")
	}
	c.seat.offer = &answered{req.SDP, answer}
	c.reply(protocol.MediaOfferReply{SDP: answer})
	return nil
}

func restartMedia(c *call) *protocol.Error {
	req := c.body.(*protocol.MediaRestartRequest)
	if c.seat.offer == nil {
		return protocol.Refuse(protocol.CodeNotReady, "make the offer first")
	}
	if done := c.seat.restart; done != nil && done.offer == req.SDP {
		c.reply(protocol.MediaRestartReply{SDP: done.answer})
		return nil
	}
	ctx, cancel := c.limited(c.server.cfg.Timing.Media)
	defer cancel()
	answer, err := c.seat.peer.Restart(ctx, req.SDP)
	if err != nil {
		return c.refusalOf(err, protocol.CodeMediaUnavailable, "restarting ICE")
	}
	c.seat.restart = &answered{req.SDP, answer}
	c.reply(protocol.MediaRestartReply{SDP: answer})
	return nil
}

// subscribe replaces the wants.
func subscribe(c *call) *protocol.Error {
	req := c.body.(*protocol.SubscribeRequest)
	st := c.seat
	if st.offer == nil {
		return protocol.Refuse(protocol.CodeNotReady, "make the offer first")
	}
	if refusal := checkWants(req.Wants, st.member.id); refusal != nil {
		return refusal
	}
	bound, err := st.bind(req.Wants)
	if err != nil {
		return c.refusalOf(err, protocol.CodeMediaUnavailable, "subscribing")
	}
	st.wants = req.Wants
	c.reply(protocol.SubscribeReply{Bindings: bound})
	return nil
}

// bind asks the media plane; session.work is held.
func (st *seat) bind(wants []protocol.Want) ([]protocol.Binding, error) {
	var known []protocol.Want
	st.room.do(func(r *room) { known = r.known(wants) })
	bound, err := st.peer.Subscribe(known)
	return nonNil(bound), err
}

// Bindings implements [MediaEvents]. What it is told may be older by now than
// the reply to a subscription that is on its way, and a client must get
// bindings in the order in which they came to be. So it is taken as a hint
// only, and the same wants are subscribed again in turn with the requests.
func (st *seat) Bindings([]protocol.Binding) {
	if st.asking.Swap(true) {
		return
	}
	st.server.background(func() {
		st.session.work.Lock()
		defer st.session.work.Unlock()
		st.asking.Store(false)
		if st.session.currentSeat() != st || st.offer == nil {
			return
		}
		bound, err := st.bind(st.wants)
		if err != nil {
			st.server.log.Warn("asking for bindings", "error", err)
			return
		}
		st.session.push(protocol.TypeMediaBindings, encode(protocol.MediaBindingsEvent{Bindings: bound}))
	})
}

func checkWants(wants []protocol.Want, self protocol.ParticipantID) *protocol.Error {
	type want struct {
		participant protocol.ParticipantID
		source      protocol.Source
	}
	seen := make(map[want]bool, len(wants))
	for _, w := range wants {
		key := want{w.Participant, w.Source}
		switch {
		case w.Participant == self:
			return protocol.Refuse(protocol.CodeBadRequest, "a want of one's own source")
		case seen[key]:
			return protocol.Refuse(protocol.CodeBadRequest, "one source wanted twice")
		}
		seen[key] = true
	}
	return nil
}
