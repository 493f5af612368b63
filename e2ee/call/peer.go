package call

import (
	"bytes"
	"slices"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// peer is what a session knows of one other participant.
type peer struct {
	id     identity.ID
	tx, rx channel
	turn   uint64 // the input after which it was last sent a message
	txN    uint64 // number of the last message to it
	rxN    uint64 // number of the last message taken from it

	// What it has of us.
	session    sessionID // its session, once it has asked
	owed       bool      // it asked and is to get our key at Session.answerAt
	answered   bool      // it has had a key of ours
	answeredAt time.Time

	// What we have of it.
	name     string
	hasKey   bool
	gen      uint64
	prefix   uint32
	base     []byte
	retiring []retiringKey // oldest first

	// Asking it for a key.
	missing  bool // frames came that no key of ours opens
	askedAt  time.Time
	askWait  time.Duration
	askAgain time.Time
}

// retiringKey is a replaced generation that still serves late frames.
type retiringKey struct {
	gen   uint64
	until time.Time
}

func newPeer(secret Secret, call, self, id identity.ID) *peer {
	return &peer{id: id, tx: newChannel(secret, call, self, id), rx: newChannel(secret, call, id, self)}
}

// wantsKey reports whether p should be asked for a key.
func (p *peer) wantsKey() bool { return !p.hasKey || p.missing }

// install makes m's key the current one and retires the one before.
func (p *peer) install(m message, now time.Time) []KeyEvent {
	var events []KeyEvent
	if p.hasKey {
		p.retiring = append(p.retiring, retiringKey{gen: p.gen, until: now.Add(retireDelay)})
		// A KID repeats after 256 generations: what is about to be reused must go, and
		// so must the oldest ones of somebody who rotates without end.
		for len(p.retiring) > maxRetiring || len(p.retiring) > 0 && m.Gen-p.retiring[0].gen > 0xff {
			events = append(events, p.remove(p.retiring[0].gen)...)
			p.retiring = slices.Delete(p.retiring, 0, 1)
		}
	}
	clear(p.base)
	p.hasKey, p.gen, p.prefix, p.base = true, m.Gen, m.KIDPrefix, bytes.Clone(m.BaseKey)
	for ctx := range Context(numContexts) {
		events = append(events, KeyEvent{
			Op: OpInstall, KID: KID(p.prefix, ctx, p.gen), Context: ctx, BaseKey: bytes.Clone(p.base), Participant: p.id,
		})
	}
	return events
}

// retireDue removes the replaced keys whose time is over.
func (p *peer) retireDue(now time.Time) []KeyEvent {
	var events []KeyEvent
	for len(p.retiring) > 0 && !now.Before(p.retiring[0].until) {
		events = append(events, p.remove(p.retiring[0].gen)...)
		p.retiring = slices.Delete(p.retiring, 0, 1)
	}
	return events
}

// removeAll removes every key of p, which has left.
func (p *peer) removeAll() []KeyEvent {
	var events []KeyEvent
	for _, r := range p.retiring {
		events = append(events, p.remove(r.gen)...)
	}
	if p.hasKey {
		events = append(events, p.remove(p.gen)...)
	}
	p.forget()
	return events
}

func (p *peer) remove(gen uint64) []KeyEvent {
	events := make([]KeyEvent, 0, numContexts)
	for ctx := range Context(numContexts) {
		events = append(events, KeyEvent{Op: OpRemove, KID: KID(p.prefix, ctx, gen), Context: ctx, Participant: p.id})
	}
	return events
}

// forget overwrites p's key.
func (p *peer) forget() {
	clear(p.base)
	p.hasKey, p.base, p.retiring = false, nil, nil
}
