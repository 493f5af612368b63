// Package rtpext reads and writes RTP packets the way a forwarder needs them: the
// header and the negotiated extensions are parsed once, into a reused [Packet], and
// every subscriber's copy is built straight into the caller's buffer.
//
// The publisher and each subscriber negotiated their own extension ids, so a [Packet]
// is keyed by meaning (mid, audio level, dependency descriptor), and [IDs] translates
// between meaning and number on each leg.
//
// What it must never do: allocate on the path of a packet, look into the payload
// (that is ciphertext; package codec reads the few bytes in front of it), or trust a
// length that came from the network.
package rtpext
