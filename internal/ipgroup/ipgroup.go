// Package ipgroup says which addresses count as one when something is limited
// per address. It must never be used to tell people apart: behind one address
// may be a household, an office or a carrier's whole network.
package ipgroup

import "net/netip"

// Of is the group of an address: an IPv4 address by itself, or the IPv6 /64
// that one household or machine commonly has to itself. All invalid addresses
// are one group, the zero Prefix.
func Of(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
