package rtcpstat

import "time"

// NTP is a 64-bit NTP timestamp: 32.32 fixed-point seconds since 1900 (RFC 3550 §4).
type NTP uint64

// ntpUnix is the Unix epoch in seconds of the NTP era.
const ntpUnix = 2208988800

// ToNTP converts a time. It rolls over in 2036, as the format does.
func ToNTP(t time.Time) NTP {
	seconds := uint64(t.Unix() + ntpUnix)
	fraction := uint64(t.Nanosecond()) << 32 / uint64(time.Second)
	return NTP(seconds<<32 | fraction)
}

// Time converts back, rounded to nanoseconds, within the era that began in 1900.
func (n NTP) Time() time.Time {
	seconds := int64(n>>32) - ntpUnix
	nanos := (uint64(n&0xFFFFFFFF)*uint64(time.Second) + 1<<31) >> 32
	return time.Unix(seconds, int64(nanos))
}

// Middle is the middle 32 bits, the short form that reports carry as LSR.
func (n NTP) Middle() uint32 { return uint32(n >> 16) }

// RTT is the round trip measured by a reception report that came in at now (RFC 3550
// §6.4.1), false if it does not answer a sender report of ours. Clocks that disagree
// by a little may give a negative result, which is reported as zero.
func RTT(now time.Time, lastSR, delay uint32) (time.Duration, bool) {
	if lastSR == 0 {
		return 0, false
	}
	d := int32(ToNTP(now).Middle() - lastSR - delay)
	if d < 0 {
		return 0, true
	}
	return time.Duration(d) * time.Second >> 16, true
}

// ticks is a duration on a clock of the given rate in Hz. Seconds and the rest are
// multiplied apart, as their product would overflow after a day.
func ticks(d time.Duration, rate int64) int64 {
	return int64(d/time.Second)*rate + int64(d%time.Second)*rate/int64(time.Second)
}
