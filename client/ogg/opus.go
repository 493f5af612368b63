package ogg

// maxPacketSamples is the longest duration of one packet: 120 ms (RFC 6716 §3.2.5).
const maxPacketSamples = 5760

// Samples is how many samples of 48 kHz an Opus packet lasts (RFC 6716 §3.1), 0 if
// it is none.
func Samples(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	frames := 1
	switch packet[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(packet) < 2 {
			return 0
		}
		frames = int(packet[1] & 0x3f)
	}
	n := frames * frameSamples(packet[0]>>3)
	if n > maxPacketSamples {
		return 0
	}
	return n
}

// frameSamples is the frame length of a configuration (RFC 6716 §3.1, table 2).
func frameSamples(config byte) int {
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		return [...]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		return [...]int{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		return 120 << (config & 3)
	}
}
