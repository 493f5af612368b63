// Package protocol holds the wire types of the sotto.v1 signalling protocol:
// what a client and a server say to each other over one WebSocket.
//
// Every message is one JSON text frame holding an [Envelope]. A client sends
// requests (Envelope.ID set), the server answers each with a reply
// (Envelope.Re set) and sends events (Envelope.Seq set) of its own accord.
// Opaque bytes are base64url without padding ([Bytes]). docs/PROTOCOL.md is the
// prose form of this package; the TypeScript types of the page are generated
// from it, and the golden files in testdata/protocol keep all three in step.
//
// The package must never do I/O, and must never learn to open a sealed
// payload: to it, what participants tell each other is bytes.
//
//go:generate go run ./gen -root ../..
package protocol
