// Package forward decides, for one slot of one subscriber, which packets go out and
// under which numbers.
//
// A slot is one outgoing RTP stream that shows different sources over its life. The
// receiver must see a single well-formed stream: sequence numbers without
// gaps that loss did not make, timestamps that never run backwards, frame numbers that
// continue, and, for video, nothing before a key frame. [Forwarder] is the state
// machine that keeps these promises; the packet itself is never touched here.
//
// Loss upstream stays visible: a number is kept free for a packet that has not come,
// so that the subscriber asks for it, and [Forwarder.Origin] says which packet of
// which source a number stands for. Only padding leaves no gap.
//
// What it must never do: order packets by 16-bit numbers, read a clock, allocate, or
// know about sockets, codecs and keys. Layer selection by bandwidth will sit in front of it and
// call [Forwarder.Move].
package forward
