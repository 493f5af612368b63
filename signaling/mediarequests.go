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

// subscribeTries bounds how often a subscription is asked for again because
// the media plane changed the bindings meanwhile.
const subscribeTries = 8

// subscribe replaces the wants. The bindings in the reply and those in events
// may only reach the client in the order in which they came to be. Bindings
// that the media plane tells during the request could be older or newer than
// its result; so they are held back, and the media plane is asked again.
func subscribe(c *call) *protocol.Error {
	req := c.body.(*protocol.SubscribeRequest)
	st := c.seat
	if st.offer == nil {
		return protocol.Refuse(protocol.CodeNotReady, "make the offer first")
	}
	if refusal := checkWants(req.Wants, st.member.id); refusal != nil {
		return refusal
	}
	var wants []protocol.Want
	st.room.do(func(r *room) { wants = r.known(req.Wants) })

	defer st.release()
	for try := 1; ; try++ {
		st.hold()
		bound, err := st.peer.Subscribe(wants)
		if err != nil {
			return c.refusalOf(err, protocol.CodeMediaUnavailable, "subscribing")
		}
		if st.settle(func() { c.reply(protocol.SubscribeReply{Bindings: nonNil(bound)}) }, try == subscribeTries) {
			return nil
		}
	}
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
