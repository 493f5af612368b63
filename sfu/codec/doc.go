// Package codec reads what packetizers leave in the clear in front of an encrypted
// frame: the VP8 and VP9 payload descriptors, the AV1 aggregation header, and the
// dependency descriptor. From these it tells a forwarder where frames start and end
// and which are key frames.
//
// What it must never do: look past those bytes. What follows is SFrame ciphertext, and
// a forwarder that guesses from ciphertext is wrong in ways that differ every second.
// The one byte read past a descriptor is the synthetic VP8 byte, which senders put
// there for exactly this purpose and authenticate.
package codec
