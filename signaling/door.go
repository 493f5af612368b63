package signaling

import (
	"net/netip"
	"sync"
)

// door counts connections, in all and by address.
type door struct {
	limit, limitPerIP int

	mu   sync.Mutex
	open int
	byIP map[netip.Prefix]int
}

func newDoor(l Limits) *door {
	return &door{limit: l.Connections, limitPerIP: l.ConnectionsPerIP, byIP: make(map[netip.Prefix]int)}
}

// origin is what counts as one address: an IPv4 address, or the IPv6 /64 that
// one household or machine commonly has to itself.
func origin(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil { // the zero address: all unknown ones count as one
		return netip.Prefix{}
	}
	return p
}

// enter lets a connection in if there is room; a true needs a leave.
func (d *door) enter(ip netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := origin(ip)
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
	key := origin(ip)
	d.open--
	if d.byIP[key]--; d.byIP[key] == 0 {
		delete(d.byIP, key)
	}
}
