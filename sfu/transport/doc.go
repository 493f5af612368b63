// Package transport connects the media plane to one participant: ICE (lite), DTLS-SRTP
// and SDP, behind three small interfaces. It is the only package below sfu/ that
// imports pion/webrtc.
//
// A [Factory] owns the sockets and makes a [Conn] for each participant; what arrives
// is handed to a [Handler] as decrypted RTP and RTCP, synchronously, on the
// connection's own reading goroutine. Leaving is one function call per packet.
//
// The negotiation is ours: an offer is checked ([ParseOffer]), matched against what the
// SFU can forward and answered without help of Pion, whose PeerConnection only ever
// sees a two-section description made here, and is used as an engine for ICE, DTLS and
// SRTP. So no SDP from outside reaches it, a hundred slots cost no more
// goroutines than one, and a leaner engine can take its place behind [Conn].
//
// What this package must never do: start a goroutine per track, look into a payload,
// keep a packet after the Handler returned, or log an address or an SDP.
package transport
