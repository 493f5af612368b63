package signaling

import (
	"sync"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// outbox is what waits to be sent on one connection. Putting never blocks:
// an outbox that is full closes the connection instead, since a client that
// reads too slowly must not hold up its call, nor fill our memory.
type outbox struct {
	maxMessages, maxBytes int

	mu      sync.Mutex
	waiting [][]byte
	bytes   int
	closing *closing
	wake    chan struct{} // holds one token while there is something to do
}

// closing is the last thing said on a connection.
type closing struct {
	code   int
	reason string
}

func newOutbox(l Limits) *outbox {
	return &outbox{maxMessages: l.QueueMessages, maxBytes: l.QueueBytes, wake: make(chan struct{}, 1)}
}

// put appends a message. After closing was begun it does nothing. It reports
// false when this very message was too much.
func (o *outbox) put(message []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != nil {
		return true
	}
	defer o.signal()
	if len(o.waiting) >= o.maxMessages || o.bytes+len(message) > o.maxBytes {
		o.waiting, o.bytes = nil, 0
		o.closing = &closing{protocol.CloseSlow, "reads too slowly"}
		return false
	}
	o.waiting = append(o.waiting, message)
	o.bytes += len(message)
	return true
}

// close has the connection closed once what waits is sent. The first reason
// given stays; it reports whether this was it.
func (o *outbox) close(code int, reason string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != nil {
		return false
	}
	o.closing = &closing{code, reason}
	o.signal()
	return true
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// next takes the message that goes out next. With none left it gives the
// closing, if one was asked for.
func (o *outbox) next() (message []byte, end *closing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		return nil, o.closing
	}
	message = o.waiting[0]
	o.waiting[0] = nil
	o.waiting = o.waiting[1:]
	o.bytes -= len(message)
	return message, nil
}

// ending reports whether the connection is being closed.
func (o *outbox) ending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closing != nil
}
