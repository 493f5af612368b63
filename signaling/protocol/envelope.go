package protocol

import "encoding/json"

// Subprotocol is the WebSocket subprotocol both sides must agree on. It names
// the protocol's major version: a server that does not speak it refuses the
// handshake instead of guessing.
const Subprotocol = "sotto.v1"

// Path is where the server accepts signalling WebSockets.
const Path = "/v1/ws"

// Envelope frames every message. Exactly one of ID, Re and Seq is non-zero,
// except in an error about a message that has no usable id, or one that is
// taken: there all three are zero.
type Envelope struct {
	// ID numbers a client's request. The client chooses it, 1 to 2^53-1,
	// and it must differ from that of any request still unanswered.
	ID uint64 `json:"id,omitempty" wire:"min=1"`
	// Re names the request that this reply answers.
	Re uint64 `json:"re,omitempty" wire:"min=1"`
	// Seq numbers the server's events within a session, from 1 without gaps.
	Seq uint64 `json:"seq,omitempty" wire:"min=1"`
	// Type names the message: a request's name, repeated in its reply, or an
	// event's. Empty only in an error about a message that could not be read.
	Type string `json:"type,omitempty" wire:"ascii,max=32"`
	// Body is the message itself, shaped by Type. Absent means empty.
	Body json.RawMessage `json:"body,omitempty"`
	// Error is set, and Body absent, when a request was refused.
	Error *Error `json:"error,omitempty"`
}
