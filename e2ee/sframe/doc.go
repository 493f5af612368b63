// Package sframe implements Secure Frame (SFrame, RFC 9605): authenticated
// encryption of whole media frames, so that a relay forwards what it cannot read.
//
// A frame on the wire is
//
//	SFrame header (KID, CTR) ‖ ciphertext ‖ tag
//
// The key id (KID) names the key, the counter (CTR) makes the nonce. The header
// and any metadata the application names are authenticated but not hidden.
//
// [SendKey] holds one base key for sending and hands out at most one [Sender]
// per KID; the Sender owns that KID's counter. [Receiver] opens frames of one
// KID and remembers what it has seen. Which KID belongs to whom is the business
// of the layer above (packages media and call).
//
// What this package must never do:
//   - let a caller choose a counter for sealing, or seal twice under one
//     (base key, KID, CTR): AES-GCM does not survive a repeated nonce;
//   - return one byte of plaintext before its tag has been verified;
//   - try several keys on one frame: a KID names exactly one key;
//   - read a clock, a socket or a random source: it is a pure function of its
//     inputs and the counters it keeps.
//
// Sealing and opening append to a caller's buffer, which may be the input's own
// memory, and allocate nothing with the GCM suites once the buffer is large enough.
package sframe
