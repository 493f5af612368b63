package call

import (
	"bytes"
	"time"
)

// ask sends a request for p's key and plans the next one.
func (s *Session) ask(p *peer, now time.Time, o *Output) {
	o.Messages = append(o.Messages, s.sealFor(p, message{T: typeNeedKey, Session: s.id[:]}))
	p.askedAt = now
	p.askWait = min(max(2*p.askWait, askEvery), askAtMost)
	p.askAgain = now.Add(p.askWait)
}

// give sends our newest key to p, which has told us its session.
func (s *Session) give(p *peer, now time.Time, o *Output) {
	p.owed, p.answered, p.answeredAt = false, true, now
	o.Messages = append(o.Messages, s.sealFor(p, message{
		T: typeKey, For: p.session[:], Gen: s.newest.gen, BaseKey: s.newest.base, KIDPrefix: s.prefix, Name: s.name,
	}))
}

// giveAll sends our newest key to everyone who has asked. The others will.
func (s *Session) giveAll(now time.Time, o *Output) {
	for _, p := range s.peers {
		if p.answered {
			s.give(p, now, o)
		}
	}
}

func (s *Session) sealFor(p *peer, m message) Message {
	p.txN++
	p.turn = s.turn
	m.N = p.txN
	plaintext := m.encode()
	defer clear(plaintext)
	return Message{To: p.id, Payload: p.tx.seal(s.rand, plaintext)}
}

// onNeedKey plans the answer to a request. Requests that come faster than honest
// ones are taken note of but not answered.
func (s *Session) onNeedKey(p *peer, m message, now time.Time) Refusal {
	if len(m.Session) != sessionIDLen {
		return RefusedMalformed
	}
	again := p.answered && bytes.Equal(p.session[:], m.Session)
	copy(p.session[:], m.Session)
	if !again || now.Sub(p.answeredAt) >= answerEvery {
		p.owed = true
		s.answerAt = earlier(s.answerAt, now.Add(gather))
	}
	return ""
}

// onKey takes p's key in, or its new name if the key is here already.
func (s *Session) onKey(p *peer, m message, now time.Time, o *Output) Refusal {
	switch {
	case len(m.For) != sessionIDLen || len(m.BaseKey) != baseKeyLen:
		return RefusedMalformed
	case !bytes.Equal(m.For, s.id[:]):
		return RefusedReplayed
	case p.hasKey && m.Gen < p.gen:
		return RefusedOldKey
	case p.hasKey && (m.KIDPrefix != p.prefix || m.Gen == p.gen && !bytes.Equal(m.BaseKey, p.base)):
		return RefusedKeyConflict
	case s.prefixTaken(p, m.KIDPrefix):
		return RefusedKIDTaken
	}
	name := CleanName(m.Name)
	news := !p.hasKey || name != p.name
	p.name = name
	if !p.hasKey || m.Gen > p.gen {
		o.Keys = append(o.Keys, p.install(m, now)...)
	}
	p.missing, p.askWait, p.askAgain = false, 0, time.Time{}
	if news {
		o.Roster = s.roster()
	}
	return ""
}

// prefixTaken reports whether a prefix is ours or another participant's.
func (s *Session) prefixTaken(p *peer, prefix uint32) bool {
	if prefix == s.prefix {
		return true
	}
	for _, q := range s.peers {
		if q != p && q.hasKey && q.prefix == prefix {
			return true
		}
	}
	return false
}
