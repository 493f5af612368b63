package testkit

import (
	"sync"

	"github.com/sotto-sfu/sotto/sfu/transport"
)

// Tap is a transport.Factory that shows every decrypted packet which participants
// send, before the media plane sees it: all that an operator who patches the server
// could get hold of. The product has no such hook; a test wraps the factory instead.
type Tap struct {
	transport.Factory
	// RTP and RTCP are called with packets that are valid during the call only, for all
	// connections and possibly at once. Either may be nil.
	RTP, RTCP func(pkt []byte)
}

var _ transport.Factory = (*Tap)(nil)

// Connect implements transport.Factory.
func (t *Tap) Connect(h transport.Handler) (transport.Conn, error) {
	return t.Factory.Connect(&tapped{Handler: h, tap: t})
}

type tapped struct {
	transport.Handler
	tap *Tap
}

func (h *tapped) RTP(pkt []byte) {
	if h.tap.RTP != nil {
		h.tap.RTP(pkt)
	}
	h.Handler.RTP(pkt)
}

func (h *tapped) RTCP(pkt []byte) {
	if h.tap.RTCP != nil {
		h.tap.RTCP(pkt)
	}
	h.Handler.RTCP(pkt)
}

// Recording collects copies of packets, for use as Tap.RTP. The zero value is ready.
type Recording struct {
	mu      sync.Mutex
	packets [][]byte
}

// Add copies a packet.
func (r *Recording) Add(pkt []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets = append(r.packets, append([]byte(nil), pkt...))
}

// Packets returns what was collected so far.
func (r *Recording) Packets() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.packets...)
}
