// Package seqnum turns the 16-bit sequence numbers of RTP packets into full-width
// ones, so that the rest of the media plane compares numbers with < and never thinks
// about wrap-around.
//
// The rule it exists to keep: a 16-bit number is a wire format. It is widened once,
// where the packet comes in, and narrowed once, where it goes out. No package above
// this one may order two packets by their 16-bit numbers.
package seqnum
