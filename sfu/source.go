package sfu

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// source is one thing a peer can send. It exists as long as the peer, so that it can
// be subscribed to before anything was sent.
type source struct {
	peer  *Peer
	name  protocol.Source
	state protocol.SourceState // guarded by Call.mu

	// subs is an immutable list, replaced under Call.mu, of the slots bound to the source.
	subs atomic.Pointer[[]*slot]
	// layer is the stream that carries the source now, nil before the first packet.
	// Replaced on the publisher's reading goroutine, when the publisher starts another stream.
	// With simulcast there will be one for each rid.
	layer atomic.Pointer[layer]
}

func (s *source) kind() protocol.MediaKind {
	if s.name.Video() {
		return protocol.KindVideo
	}
	return protocol.KindAudio
}

// live reports whether media is to be forwarded. Call.mu is held.
func (s *source) live() bool { return s.state == protocol.StateLive }

func (s *source) subscribers() []*slot {
	if list := s.subs.Load(); list != nil {
		return *list
	}
	return nil
}

// subscribe and unsubscribe replace the list of subscribers. Call.mu is held.
func (s *source) subscribe(sl *slot) {
	list := append(slices.Clone(s.subscribers()), sl)
	s.subs.Store(&list)
}

func (s *source) unsubscribe(sl *slot) {
	list := slices.DeleteFunc(slices.Clone(s.subscribers()), func(other *slot) bool { return other == sl })
	s.subs.Store(&list)
	if l := s.layer.Load(); l != nil && s.name.Video() {
		s.peer.in.mu.Lock()
		l.keys.Cancel(sl)
		s.peer.in.mu.Unlock()
	}
}

// wantKey asks the publisher for a key frame on behalf of slots, at once if it was not asked
// a moment ago. Without a layer there is nothing to ask yet: the first packet will do it.
func (s *source) wantKey(slots ...*slot) {
	l := s.layer.Load()
	if l == nil || !s.name.Video() || len(slots) == 0 {
		return
	}
	p := s.peer
	p.in.mu.Lock()
	for _, sl := range slots {
		l.keys.Want(sl)
	}
	var out []rtcp.Packet
	out = p.in.keyRequest(out, l, time.Now())
	p.in.mu.Unlock()
	p.sendRTCP(out)
}
