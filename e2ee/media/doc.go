// Package media seals and opens whole codec frames for the road through a relay
// and the packetizers of unpatched browsers. docs/frames.md is the format in prose with
// worked examples, testdata/media/vectors.json the same for machines.
//
// The plaintext of the SFrame ciphertext is the frame's true type, one byte, and
// the frame as the encoder made it. Around the ciphertext goes the least that a
// codec's packetizer needs to be content: nothing for Opus and VP9, one byte for
// VP8, a fake OBU for AV1.
//
// A [Sealer] belongs to one encoder and owns its counter. An [Opener] holds the
// receive keys of a whole call: the KID of a frame, and nothing the server says,
// names the key and thereby the sender.
//
// What this package must never do:
//   - pass a frame on unsealed, or give out one that did not verify; the only
//     exception are zero-length frames, which carry nothing (Opus DTX);
//   - try a second key on a frame;
//   - believe the clear marker of a frame over the type inside it.
package media
