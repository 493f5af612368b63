package transport

import (
	"context"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Factory makes connections that share its sockets.
type Factory interface {
	// Connect prepares a connection. Nothing is sent or received before its Offer.
	Connect(h Handler) (Conn, error)
	// Close closes the sockets. Connections should be closed before.
	Close() error
}

// Conn is the connection to one participant. WriteRTP and WriteRTCP may be called
// from any number of goroutines at once, and never block on the network.
type Conn interface {
	// Offer answers the one offer of a call. The error is a *protocol.Error with
	// protocol.CodeBadSDP if the offer is to blame, and another if it is not.
	Offer(ctx context.Context, sdp string, sections []protocol.Section) (answer string, s *Session, err error)
	// Restart answers an offer with new ICE credentials (RFC 8445 §2.4). What was negotiated
	// stays as it is, and media goes on over the new path.
	Restart(ctx context.Context, sdp string) (answer string, err error)
	// WriteRTP encrypts and sends a whole packet, which it neither changes nor keeps.
	// Before the connection is up the error is ErrNotConnected.
	WriteRTP(pkt []byte) error
	// WriteRTCP encrypts and sends one RTCP packet or a compound (RFC 3550 §6.1).
	WriteRTCP(pkt []byte) error
	// Close ends the connection and returns within [CloseTimeout]. Closing twice is fine.
	// The handler may still be called until Close returns.
	Close()
}

// Handler receives what a participant sends. RTP and RTCP run on goroutines of the
// connection: they must not block, and own the bytes only until they return. RTP
// is called from one goroutine at a time, and so is RTCP; but both may run at once.
type Handler interface {
	// RTP takes one decrypted packet, which the handler may overwrite.
	RTP(pkt []byte)
	// RTCP takes one decrypted packet or a compound.
	RTCP(pkt []byte)
	// State tells a change of the connection.
	State(s State)
}

// State says how a connection is doing.
type State uint8

// The states of a connection. Failed and Closed are final, except that an ICE restart
// may revive a Failed one.
const (
	Connecting   State = iota
	Connected          // ICE and DTLS are up: media flows
	Disconnected       // nothing heard for a while; may recover by itself
	Failed             // nothing heard for long, or DTLS failed
	Closed             // by the participant, or for breaking the rules; not told after Conn.Close
)

// String names the state for logs.
func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Disconnected:
		return "disconnected"
	case Failed:
		return "failed"
	case Closed:
		return "closed"
	}
	return "unknown"
}
