// Package rtcpstat keeps the numbers behind RTCP reports (RFC 3550 §6.4): what a
// publisher is told about its packets, and what a subscriber is told about the clock
// of a slot.
//
// [Receiver] makes reception reports, [Sender] makes sender reports for a slot, and
// [Clock] maps a publisher's wall clock to ours, so that the audio and video of one
// person stay in step after they passed through slots.
//
// What it must never do: read a clock (every call is given the time), or count a
// retransmission as a packet that arrived.
package rtcpstat
