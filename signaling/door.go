package signaling

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sotto-sfu/sotto/internal/ipgroup"
)

// maxFounders is from how many addresses on those are forgotten that have not
// created a call for long.
const maxFounders = 4096

// door counts connections, in all and by address, and calls created by address:
// a device key costs nothing, so a limit by device alone would let one machine
// fill the store.
type door struct {
	limit, limitPerIP int
	createRate        float64
	createBurst       int

	mu       sync.Mutex
	open     int
	byIP     map[netip.Prefix]int
	founders map[netip.Prefix]*bucket
	tidyAt   int // size of founders at which to look through it
}

func newDoor(l Limits) *door {
	return &door{
		limit: l.Connections, limitPerIP: l.ConnectionsPerIP,
		createRate: l.CreatesPerSecond, createBurst: l.CreateBurst,
		byIP: make(map[netip.Prefix]int), founders: make(map[netip.Prefix]*bucket), tidyAt: maxFounders,
	}
}

// create counts a call that somebody at ip wants to create; if there were too
// many, it says how long to wait.
func (d *door) create(ip netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := ipgroup.Of(ip)
	b := d.founders[key]
	if b == nil {
		if len(d.founders) >= d.tidyAt {
			for k, old := range d.founders {
				if old.full(now) {
					delete(d.founders, k)
				}
			}
			d.tidyAt = max(maxFounders, 2*len(d.founders)) // so that looking costs little on average
		}
		made := newBucket(d.createRate, d.createBurst, now)
		b = &made
		d.founders[key] = b
	}
	return b.take(1, now)
}

// enter lets a connection in if there is room; a true needs a leave.
func (d *door) enter(ip netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := ipgroup.Of(ip)
	if d.open >= d.limit || d.byIP[key] >= d.limitPerIP {
		return false
	}
	d.open++
	d.byIP[key]++
	return true
}

func (d *door) leave(ip netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := ipgroup.Of(ip)
	d.open--
	if d.byIP[key]--; d.byIP[key] == 0 {
		delete(d.byIP, key)
	}
}
