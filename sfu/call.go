package sfu

import (
	"slices"
	"sync"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Call is the participants that may receive from each other.
type Call struct {
	sfu *SFU
	id  protocol.CallID

	mu    sync.Mutex // guards peers, and for each of them: wants, slot.bound, source.state
	peers map[protocol.ParticipantID]*Peer
}

func (c *Call) add(p *Peer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peers[p.id] != nil {
		return &protocol.Error{Code: protocol.CodeAlreadyDone, Message: "this participant is in the call already"}
	}
	c.peers[p.id] = p
	// Somebody may have asked for this participant before it came.
	for _, other := range c.peers {
		if other != p && slices.ContainsFunc(other.wants, func(w protocol.Want) bool { return w.Participant == p.id }) {
			c.rebind(other)
		}
	}
	return nil
}

// remove takes a peer out and returns how many are left.
func (c *Call) remove(p *Peer) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.peers, p.id)
	for _, sl := range p.slots() {
		sl.bind(nil)
	}
	for _, other := range c.peers {
		// What was left out for want of slots may come in now.
		if slices.ContainsFunc(other.slots(), func(sl *slot) bool { return sl.bound != nil && sl.bound.peer == p }) {
			c.rebind(other)
		}
	}
	return len(c.peers)
}

// subscribe replaces what a peer wants.
func (c *Call) subscribe(p *Peer, wants []protocol.Want) []protocol.Binding {
	c.mu.Lock()
	defer c.mu.Unlock()
	p.wants = wants
	c.assign(p)
	return p.bindings()
}

// rebind looks at a peer's wants again and tells it of changes. c.mu is held.
func (c *Call) rebind(p *Peer) {
	if c.assign(p) {
		c.sfu.notifier.post(p, func(t *pending) { t.bindings = true })
	}
}

func (c *Call) bindings(p *Peer) []protocol.Binding {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.bindings()
}

// setState changes what a source is doing.
func (c *Call) setState(src *source, state protocol.SourceState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if src.state == state {
		return
	}
	src.state = state
	for _, sl := range src.subscribers() {
		sl.setLive(src.live())
	}
	if src.live() {
		src.wantKey(src.subscribers()...)
	}
}

// assign binds slots to a peer's wants, c.mu held, and reports whether anything
// changed. Bindings that are still wanted stay where they are; what exceeds the slots of
// its kind is left out.
func (c *Call) assign(p *Peer) bool {
	slots := p.slots()
	desired := c.desired(p, slots)
	changed := false
	for _, sl := range slots {
		if sl.bound != nil && !slices.Contains(desired, sl.bound) {
			sl.bind(nil)
			changed = true
		}
	}
	for _, src := range desired {
		if slices.ContainsFunc(slots, func(sl *slot) bool { return sl.bound == src }) {
			continue
		}
		if sl := choose(slots, src); sl != nil {
			sl.bind(src)
			changed = true
		}
	}
	return changed
}

// desired is the sources a peer's wants stand for, each once, no more of a kind than there are slots.
func (c *Call) desired(p *Peer, slots []*slot) []*source {
	room := map[protocol.MediaKind]int{}
	for _, sl := range slots {
		room[sl.spec.Kind]++
	}
	var desired []*source
	for _, w := range p.wants {
		other := c.peers[w.Participant]
		if other == nil || other == p {
			continue
		}
		src := other.source(w.Source)
		if src == nil || slices.Contains(desired, src) || room[src.kind()] == 0 {
			continue
		}
		room[src.kind()]--
		desired = append(desired, src)
	}
	return desired
}

// choose finds the best free slot for a source: the one that shares a media stream
// with its partner (the microphone belongs to the camera), so that lips match; else
// one whose counterpart is free too, for the partner to come; else any.
func choose(slots []*slot, src *source) *slot {
	var fallback, lonely *slot
	partner := src.peer.source(partners[src.name])
	for _, sl := range slots {
		if sl.bound != nil || sl.spec.Kind != src.kind() {
			continue
		}
		other := counterpart(slots, sl)
		switch {
		case other != nil && other.bound == partner:
			return sl
		case (other == nil || other.bound == nil) && lonely == nil:
			lonely = sl
		case fallback == nil:
			fallback = sl
		}
	}
	if lonely != nil {
		return lonely
	}
	return fallback
}

// partners belong together on one screen.
var partners = map[protocol.Source]protocol.Source{
	protocol.SourceMic:         protocol.SourceCamera,
	protocol.SourceCamera:      protocol.SourceMic,
	protocol.SourceScreen:      protocol.SourceScreenAudio,
	protocol.SourceScreenAudio: protocol.SourceScreen,
}

// counterpart is the slot of the other kind in the same media stream.
func counterpart(slots []*slot, sl *slot) *slot {
	for _, other := range slots {
		if other.spec.Index == sl.spec.Index && other.spec.Kind != sl.spec.Kind {
			return other
		}
	}
	return nil
}
