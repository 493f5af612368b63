package sfu

import "sync"

// notifier calls Events on a goroutine of its own, so that signalling may hold its locks while
// it calls us. What a peer has to be told is kept in the peer and told as it is then: a
// hundred changes of bindings may become one call, and the queue never grows beyond the number of peers.
type notifier struct {
	mu    sync.Mutex
	queue []*Peer
	wake  chan struct{}
}

// pending is what a peer has to be told. Guarded by notifier.mu.
type pending struct {
	queued   bool
	bindings bool
	failed   string
	closed   bool
	done     bool // closed was told: silence
}

func (n *notifier) post(p *Peer, change func(*pending)) {
	n.mu.Lock()
	change(&p.pending)
	if !p.pending.queued {
		p.pending.queued = true
		n.queue = append(n.queue, p)
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notifier) run(stop <-chan struct{}) {
	for {
		select {
		case <-n.wake:
			n.drain()
		case <-stop:
			n.drain()
			return
		}
	}
}

func (n *notifier) drain() {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.mu.Unlock()
			return
		}
		p := n.queue[0]
		n.queue[0] = nil
		n.queue = n.queue[1:]
		todo := p.pending
		p.pending = pending{done: todo.done || todo.closed}
		n.mu.Unlock()
		if todo.done || p.events == nil {
			continue
		}
		if todo.bindings && !todo.closed {
			p.events.Bindings(p.call.bindings(p))
		}
		if todo.failed != "" && !todo.closed {
			p.events.Failed(todo.failed)
		}
		if todo.closed {
			p.events.Closed()
		}
	}
}
