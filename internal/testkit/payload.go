package testkit

import "github.com/sotto-sfu/sotto/sfu/codec"

// Payload wraps opaque bytes as the only packet of a frame, the way the packetizer
// of a browser does for a sealed frame of the codec: what a forwarder may read, and then
// ciphertext. opaque must be shorter than 128 bytes.
func Payload(c codec.Codec, key bool, opaque []byte) []byte {
	var head []byte
	switch c {
	case codec.VP8:
		// Descriptor: start of partition 0 (RFC 7741 §4.2); then the synthetic byte.
		head = []byte{0x10, 0x01}
		if key {
			head[1] = 0x00
		}
	case codec.VP9:
		// Descriptor: begin and end of frame; P unless key (RFC 9628 §4.2).
		head = []byte{0x4C}
		if key {
			head[0] = 0x0C
		}
	case codec.AV1:
		// Aggregation header: one element, new sequence on key; then the fake OBU.
		head = []byte{0x10, 6<<3 | 2, byte(len(opaque))}
		if key {
			head[0], head[1] = 0x18, 1<<3|2
		}
	}
	return append(head, opaque...)
}

// Opaque is what Payload wrapped, nil if the payload is not of that shape.
func Opaque(c codec.Codec, payload []byte) []byte {
	n := map[codec.Codec]int{codec.VP8: 2, codec.VP9: 1, codec.AV1: 3}[c]
	if len(payload) < n {
		return nil
	}
	return payload[n:]
}
