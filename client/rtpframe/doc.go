// Package rtpframe turns sealed frames into RTP payloads and RTP packets back
// into sealed frames.
//
// Usual packetizers look into the frame: for its type, its references, its
// partitions. Here the frame is ciphertext, so a [Packetizer] is told the type and
// writes the payload descriptor from that alone, and an [Assembler] joins fragments
// by the descriptor and never reads what they hold. RFC 7741 (VP8), RFC 9628 (VP9), the AV1
// RTP payload format 1.0 and RFC 7587 (Opus) name the fields.
//
// Both are pure: no sockets, no goroutines, time is passed in. An assembler must
// bound what it keeps whatever packets come, and must never join fragments across a
// gap: such a frame would not verify anyway, but the gap would go uncounted.
package rtpframe
