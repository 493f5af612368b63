package packetcache_test

import (
	"bytes"
	"encoding/binary"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/sfu/packetcache"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
)

func TestStore(t *testing.T) {
	c := packetcache.New(64, 100)
	steps := []struct {
		name string
		seq  seqnum.Full
		size int
		want packetcache.Result
	}{
		{"first", 1000, 10, packetcache.Stored},
		{"again", 1000, 10, packetcache.Repeat},
		{"next", 1001, 100, packetcache.Stored},
		{"reordered from before the first", 999, 10, packetcache.Stored},
		{"too big to keep is still news", 1002, 101, packetcache.Oversized},
		{"once", 1002, 101, packetcache.Repeat},
		{"oldest of the window", 939, 10, packetcache.Stored},
		{"older than the window", 938, 10, packetcache.TooOld},
		{"far ahead", 5000, 10, packetcache.Stored},
		{"overwritten by nobody, but out of the window", 1003, 10, packetcache.TooOld},
		{"repeat from before the jump", 1001, 10, packetcache.TooOld},
		{"inside the new window", 4990, 10, packetcache.Stored},
		{"zero is no number", 0, 10, packetcache.TooOld},
		{"nor are negative ones", -5, 10, packetcache.TooOld},
	}
	for _, s := range steps {
		got := c.Store(s.seq, make([]byte, s.size))
		if got != s.want {
			t.Errorf("%s: Store(%d) = %d, want %d", s.name, s.seq, got, s.want)
		}
		if fresh := s.want == packetcache.Stored || s.want == packetcache.Oversized; got.Fresh() != fresh {
			t.Errorf("%s: Fresh() = %v", s.name, !fresh)
		}
	}
}

func TestGet(t *testing.T) {
	c := packetcache.New(64, 100)
	want := []byte("a packet")
	c.Store(70000, want)
	c.Store(70001, make([]byte, 101))
	dst := make([]byte, 100)
	if n, ok := c.Get(70000, dst); !ok || !bytes.Equal(dst[:n], want) {
		t.Errorf("Get = %q, %v", dst[:n], ok)
	}
	for name, seq := range map[string]seqnum.Full{"absent": 70002, "oversized": 70001, "same slot": 70064, "zero": 0, "negative": -64} {
		if _, ok := c.Get(seq, dst); ok {
			t.Errorf("%s: Get(%d) succeeded", name, seq)
		}
	}
	if _, ok := c.Get(70000, dst[:len(want)-1]); ok {
		t.Error("Get into a short buffer succeeded")
	}
	if !c.Seen(70000) || !c.Seen(70001) || c.Seen(70002) || c.Seen(0) {
		t.Error("Seen is wrong")
	}
}

func TestSlotsAreRoundedUp(t *testing.T) {
	for slots, want := range map[int]int{0: 64, 64: 64, 65: 128, 1000: 1024} {
		if got := packetcache.New(slots, 10).Slots(); got != want {
			t.Errorf("New(%d) has %d slots, want %d", slots, got, want)
		}
	}
}

// The cache against a map that forgets nothing: what it returns is right, and what is
// in the window is there.
func TestCacheAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const slots = 64
		c := packetcache.New(slots, 16)
		model := map[seqnum.Full][]byte{}
		highest := seqnum.Full(rapid.IntRange(1, 200000).Draw(t, "first"))
		model[highest] = []byte("first")
		if got := c.Store(highest, model[highest]); got != packetcache.Stored {
			t.Fatalf("Store(%d) = %d", highest, got)
		}
		for i := range rapid.IntRange(1, 300).Draw(t, "packets") {
			seq := highest + seqnum.Full(rapid.IntRange(-slots-5, 20).Draw(t, "step"))
			if seq <= 0 {
				continue
			}
			pkt := binary.BigEndian.AppendUint32(nil, uint32(i))
			got := c.Store(seq, pkt)
			_, known := model[seq]
			switch {
			case seq <= highest-slots:
				if got != packetcache.TooOld {
					t.Fatalf("Store(%d) with highest %d = %d", seq, highest, got)
				}
			case known:
				if got != packetcache.Repeat {
					t.Fatalf("Store(%d) again = %d", seq, got)
				}
			case got == packetcache.Stored:
				model[seq] = pkt
				highest = max(highest, seq)
			default:
				t.Fatalf("Store(%d) with highest %d = %d", seq, highest, got)
			}
		}
		dst := make([]byte, 16)
		for seq, want := range model {
			n, ok := c.Get(seq, dst)
			if ok && !bytes.Equal(dst[:n], want) {
				t.Fatalf("Get(%d) = %x, want %x", seq, dst[:n], want)
			}
			if !ok && seq > highest-slots {
				t.Fatalf("Get(%d) with highest %d found nothing", seq, highest)
			}
		}
	})
}

// One writer, many readers: under the race detector, and no torn packet is ever read.
func TestConcurrentReaders(t *testing.T) {
	const packets, size, readers = 20000, 200, 4
	c := packetcache.New(128, size)
	newest := make(chan seqnum.Full, 1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	var found [readers]int
	for r := range readers {
		wg.Go(func() {
			dst := make([]byte, size)
			seq := seqnum.Full(1)
			for last := false; !last; {
				select {
				case <-done: // look once more, where something is sure to be
					last, seq = true, packets
				case seq = <-newest:
				default:
				}
				for back := range seqnum.Full(128) {
					n, ok := c.Get(seq-back, dst)
					if !ok {
						continue
					}
					found[r]++
					for _, b := range dst[:n] {
						if b != byte(seq-back) {
							t.Errorf("packet %d holds %#x", seq-back, b)
							return
						}
					}
				}
			}
		})
	}
	pkt := make([]byte, size)
	for seq := seqnum.Full(1); seq <= packets; seq++ {
		for i := range pkt {
			pkt[i] = byte(seq)
		}
		if got := c.Store(seq, pkt); got != packetcache.Stored {
			t.Fatalf("Store(%d) = %d", seq, got)
		}
		select {
		case newest <- seq:
		default:
		}
	}
	close(done)
	wg.Wait()
	total := 0
	for _, n := range found {
		total += n
	}
	if total == 0 {
		t.Error("no reader ever found a packet: the test tests nothing")
	}
}

func TestNoAllocations(t *testing.T) {
	c := packetcache.New(packetcache.VideoSlots, packetcache.VideoSlotSize)
	pkt, dst := make([]byte, 1200), make([]byte, 1500)
	seq := seqnum.Full(1)
	for range packetcache.VideoSlots { // the memory comes with first use
		c.Store(seq, pkt)
		seq++
	}
	if n := testing.AllocsPerRun(1000, func() {
		c.Store(seq, pkt)
		c.Get(seq-10, dst)
		c.Seen(seq)
		seq++
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkStore(b *testing.B) {
	c := packetcache.New(packetcache.VideoSlots, packetcache.VideoSlotSize)
	pkt := make([]byte, 1200)
	seq := seqnum.Full(1)
	b.ReportAllocs()
	for b.Loop() {
		c.Store(seq, pkt)
		seq++
	}
}

func BenchmarkGet(b *testing.B) {
	c := packetcache.New(packetcache.VideoSlots, packetcache.VideoSlotSize)
	c.Store(1, make([]byte, 1200))
	dst := make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(1, dst); !ok {
			b.Fatal("not there")
		}
	}
}
