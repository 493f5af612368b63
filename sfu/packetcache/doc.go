// Package packetcache keeps the newest packets of one incoming layer, so that any
// subscriber's NACK can be answered from one copy, and tells repeats from news.
//
// One cache per layer, shared by all of its subscribers: one goroutine writes, any
// number read. What it must never do: allocate per packet, hold a lock across the
// fan-out, or hand out memory that the writer may overwrite.
package packetcache
