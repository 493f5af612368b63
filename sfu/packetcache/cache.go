package packetcache

import (
	"sync"

	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

// Sizes that fit the usual layers. A video layer of 2.5 Mbit/s makes about 250 packets
// a second: 1024 slots are 4 s, more than any receiver waits. Audio makes 50.
const (
	VideoSlots = 1024
	AudioSlots = 128
	// VideoSlotSize holds any packet that fits an Ethernet frame.
	VideoSlotSize = 1500
	// AudioSlotSize holds 120 ms of Opus at its usual rates, sealed.
	AudioSlotSize = 512
)

const (
	// chunkSlots is how many slots are allocated at once, the first time one of them
	// is needed: a layer that never sends costs nothing.
	chunkSlots = 64
	// shards is how many locks the slots share: enough that a reader seldom meets the
	// writer, few enough to stay in a cache line or two.
	shards = 8
)

// Result says what Store made of a packet.
type Result uint8

// The results of Store. Only a Stored or an Oversized packet is news.
const (
	Stored    Result = iota
	Repeat           // the packet was stored before
	TooOld           // older than everything cached: news or not, nobody can tell
	Oversized        // news, remembered as seen, but too long to be kept
)

// Fresh reports whether the packet should be forwarded.
func (r Result) Fresh() bool { return r == Stored || r == Oversized }

type slot struct {
	seq  seqnum.Full // zero when empty
	size int32       // bytes stored, zero if the packet was oversized
}

// Cache is a ring of packets keyed by full sequence number.
type Cache struct {
	slotSize int
	mask     seqnum.Full
	slots    []slot
	chunks   [][]byte
	locks    [shards]sync.Mutex // lock k guards the slots and bytes of slot index ≡ k
	highest  seqnum.Full        // writer only
}

// New returns a cache with at least the given number of slots (rounded up to a power
// of two, at least 64) of slotSize bytes each.
func New(slots, slotSize int) *Cache {
	n := chunkSlots
	for n < slots {
		n *= 2
	}
	return &Cache{
		slotSize: slotSize,
		mask:     seqnum.Full(n - 1),
		slots:    make([]slot, n),
		chunks:   make([][]byte, n/chunkSlots),
	}
}

// Slots is how many packets fit.
func (c *Cache) Slots() int { return len(c.slots) }

// Store copies a packet in, unless it was there before or is too old to tell. To be
// called by one goroutine only. seq must be positive, as those of a seqnum.Unwrapper are.
func (c *Cache) Store(seq seqnum.Full, pkt []byte) Result {
	if seq <= 0 || seq <= c.highest-seqnum.Full(len(c.slots)) {
		return TooOld
	}
	i := int(seq & c.mask)
	lock := &c.locks[i%shards]
	lock.Lock()
	defer lock.Unlock()
	s := &c.slots[i]
	if s.seq == seq {
		return Repeat
	}
	// Anything else in the slot is older by a multiple of the ring, as seq is in the window.
	s.seq = seq
	c.highest = max(c.highest, seq)
	if len(pkt) > c.slotSize {
		s.size = 0
		return Oversized
	}
	s.size = int32(copy(c.bytes(i), pkt))
	return Stored
}

// Seen reports whether a packet with this number was stored and not yet overwritten.
func (c *Cache) Seen(seq seqnum.Full) bool {
	i := int(seq & c.mask)
	lock := &c.locks[i%shards]
	lock.Lock()
	defer lock.Unlock()
	return seq > 0 && c.slots[i].seq == seq
}

// Get copies a packet out and returns its length. It returns false if the packet is
// not (or no longer) there, or does not fit dst. Safe for any goroutine.
func (c *Cache) Get(seq seqnum.Full, dst []byte) (int, bool) {
	if seq <= 0 {
		return 0, false
	}
	i := int(seq & c.mask)
	lock := &c.locks[i%shards]
	lock.Lock()
	defer lock.Unlock()
	s := &c.slots[i]
	size := int(s.size)
	if s.seq != seq || size == 0 || size > len(dst) {
		return 0, false
	}
	return copy(dst, c.bytes(i)[:size]), true
}

// bytes is the memory of slot i. The caller holds the slot's lock. A chunk is made once, by
// the writer, before the first of its slots is filled; readers come here only for
// filled slots, so the slot's lock also orders them after the making of the chunk.
func (c *Cache) bytes(i int) []byte {
	chunk := &c.chunks[i/chunkSlots]
	if *chunk == nil {
		*chunk = make([]byte, chunkSlots*c.slotSize)
	}
	at := i % chunkSlots * c.slotSize
	return (*chunk)[at : at+c.slotSize : at+c.slotSize]
}
