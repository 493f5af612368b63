package testkit

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Relay is a UDP relay in front of a server, whose Drop decides what gets lost.
type Relay struct {
	listen *net.UDPConn
	server netip.AddrPort
	// Drop is called for every packet, on several goroutines. toServer tells the direction.
	Drop func(pkt []byte, toServer bool) bool

	mu    sync.Mutex
	flows map[netip.AddrPort]*net.UDPConn
	done  sync.WaitGroup
}

// NewRelay starts a relay on loopback, closed at the end of the test.
func NewRelay(t testing.TB, server netip.AddrPort, drop func(pkt []byte, toServer bool) bool) *Relay {
	t.Helper()
	listen, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listen: listen, server: server, Drop: drop, flows: map[netip.AddrPort]*net.UDPConn{}}
	r.done.Go(r.run)
	t.Cleanup(r.close)
	return r
}

// Addr is where clients send to.
func (r *Relay) Addr() netip.AddrPort { return r.listen.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *Relay) run() {
	buf := make([]byte, 2048)
	for {
		n, from, err := r.listen.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		up := r.flow(from)
		if up == nil || r.Drop != nil && r.Drop(buf[:n], true) {
			continue
		}
		_, _ = up.WriteToUDPAddrPort(buf[:n], r.server)
	}
}

// flow is the socket that stands for one client.
func (r *Relay) flow(client netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if up := r.flows[client]; up != nil {
		return up
	}
	up, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil
	}
	r.flows[client] = up
	r.done.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, _, err := up.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if r.Drop == nil || !r.Drop(buf[:n], false) {
				_, _ = r.listen.WriteToUDPAddrPort(buf[:n], client)
			}
		}
	})
	return up
}

func (r *Relay) close() {
	_ = r.listen.Close()
	r.mu.Lock()
	for _, up := range r.flows {
		_ = up.Close()
	}
	r.mu.Unlock()
	r.done.Wait()
}

// IsMedia tells SRTP from STUN, DTLS and SRTCP (RFC 7983, RFC 5761 §4).
func IsMedia(pkt []byte) bool {
	return len(pkt) > 12 && pkt[0]>>6 == 2 && (pkt[1]&0x7F < 64 || pkt[1]&0x7F > 95)
}
