// Package nack decides which lost packets to ask a publisher for, and when.
//
// One [Generator] per incoming layer hears of every packet, however it came: on the
// stream itself or recovered over RTX. A generator that does not hear of recovery asks
// for the same packets without end.
//
// What it must never do: read a clock, start a timer, or ask for ever. What cannot be
// had in time is given up, and the caller is told, so that it can ask for a key frame.
package nack
