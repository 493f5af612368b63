// Package signaling is the WebSocket server of sotto.v1: login by device key,
// calls and who is in them, sealed messages from one participant to another,
// and the control of the media plane.
//
// It is built in two layers. Inside, without sockets, goroutines or a clock of
// their own: [stream] (one session's numbered events and their replay), [room]
// (who is in a call), the token buckets, the challenges. Around them the edge:
// a [conn] is one WebSocket, a [session] outlives its conn by the resume
// window, the [Server] owns the tables.
//
// Locks are taken in this order and never held while a socket is written to or
// the media plane is called: hub, room, session, outbox.
//
// The package must never decrypt, never import what can, and never log who
// talks to whom.
package signaling
