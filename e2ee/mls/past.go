package mls

import (
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
)

// pastEpoch is what is kept of an epoch to receive application messages that come late.
type pastEpoch struct {
	epoch      uint64
	ended      time.Time
	contextRaw []byte
	senderData []byte
	own        LeafIndex
	members    map[LeafIndex]pastMember
	messages   *secretTree
}

type pastMember struct {
	signatureKey []byte
	credential   Credential
}

func (p *pastEpoch) wipe() {
	clear(p.senderData)
	p.messages.wipe()
}

// retire returns the list of past epochs once the current one has ended.
func (g *Group) retire(now time.Time) []*pastEpoch {
	if g.cfg.PastEpochs == 0 {
		g.messages.wipe()
		return nil
	}
	p := &pastEpoch{
		epoch: g.context.epoch, ended: now, contextRaw: g.contextRaw, own: g.own,
		senderData: append([]byte(nil), g.secrets.senderData...),
		members:    make(map[LeafIndex]pastMember),
		messages:   g.messages,
	}
	_ = g.tree.leaves(func(i LeafIndex, l *LeafNode) error {
		p.members[i] = pastMember{l.SignatureKey, l.Credential}
		return nil
	})
	list := append(g.past, p)
	for len(list) > g.cfg.PastEpochs {
		list[0].wipe()
		list = list[1:]
	}
	return list
}

// Expire deletes the keys of past epochs that ended longer than PastEpochLifetime ago. Call it
// from time to time; receiving does the check too. It reports whether the state has changed.
func (g *Group) Expire(now time.Time) bool {
	n := 0
	for n < len(g.past) && g.past[n].expired(g.cfg, now) {
		g.past[n].wipe()
		n++
	}
	if n == 0 {
		return false
	}
	g.past = append([]*pastEpoch(nil), g.past[n:]...)
	g.changed()
	return true
}

func (p *pastEpoch) expired(cfg *Config, now time.Time) bool {
	return now.Sub(p.ended) > cfg.PastEpochLifetime
}

// processPast receives an application message of a past epoch.
func (g *Group) processPast(m *privateMessage, now time.Time) (*Received, error) {
	if m.epoch > g.context.epoch || m.contentType != ContentApplication {
		return nil, fmt.Errorf("%w: %d, we are at %d", ErrWrongEpoch, m.epoch, g.context.epoch)
	}
	for _, p := range g.past {
		if p.epoch != m.epoch || p.expired(g.cfg, now) {
			continue
		}
		return p.process(g.suite, m)
	}
	return nil, fmt.Errorf("%w: %d, we are at %d", ErrEpochExpired, m.epoch, g.context.epoch)
}

func (p *pastEpoch) process(s *suite.Suite, m *privateMessage) (*Received, error) {
	c, o, err := openPrivate(m, p.senderData, p.messages, p.own)
	if err != nil {
		return nil, err
	}
	member, ok := p.members[c.content.sender.Leaf]
	if !ok {
		return nil, fmt.Errorf("%w: leaf %d", ErrSender, c.content.sender.Leaf)
	}
	if err := c.verify(s, member.signatureKey, p.contextRaw); err != nil {
		return nil, err
	}
	o.take()
	return &Received{
		Type: ContentApplication, Epoch: p.epoch, Sender: c.content.sender,
		SignatureKey: member.signatureKey, Credential: member.credential,
		AuthenticatedData: c.content.authenticatedData, Application: c.content.application,
	}, nil
}
