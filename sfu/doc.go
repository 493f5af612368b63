// Package sfu is the media plane: it takes what each participant of a call sends and
// forwards it, still encrypted, to those who asked for it.
//
// An [SFU] has calls, a call has [Peer]s, a peer has sources (microphone, camera,
// screen, screen audio: what it sends) and slots (what it receives, see docs/media-plane.md).
// Everything that decides is in the pure packages below: forward, packetcache, nack,
// keyframe, rtcpstat, codec, rtpext. This package wires them to the packets that
// package transport delivers.
//
// Goroutines: packets are handled on the goroutine of the connection that brought
// them, all periodic work on one goroutine of the SFU, and what signalling is told on
// another. None belongs to a peer, a track or a slot. Locks, in the order in which they are
// taken: Call.mu (who is bound to what) before the two that the path of a packet
// takes, inbound.mu (one a publisher) and slot.mu (one a slot). The latter two are
// never held together, and none is held across the fan-out.
//
// What this package must never do: look into a payload, forward what nobody asked for,
// start a goroutine per track, block on a participant, or log who talks to whom.
package sfu
