package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/portmux"
)

// proxies believes the proxies that the operator named, and nobody else.
type proxies struct {
	trusted []netip.Prefix
	// secureByURL says that the public URL is https while this server speaks
	// plain HTTP: whatever is in front of it speaks TLS.
	secureByURL bool
}

func newProxies(cfg *config.Options) proxies {
	return proxies{
		trusted:     cfg.TrustedProxies,
		secureByURL: cfg.TLSMode() == config.TLSOff && strings.HasPrefix(cfg.PublicURL, "https://"),
	}
}

func (p proxies) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// secure tells whether the person's end of the connection is TLS.
func (p proxies) secure(r *http.Request) bool {
	if r.TLS != nil || p.secureByURL {
		return true
	}
	return p.trusts(peerIP(r)) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// clientIP is the peer's address, or behind trusted proxies the last address
// in X-Forwarded-For that is not one of them. What stands before that is the
// client's own claim.
func (p proxies) clientIP(r *http.Request) netip.Addr {
	ip := peerIP(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && p.trusts(ip); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = next.Unmap().WithZone("")
	}
	return ip
}

func peerIP(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// socketsPerClient is how many TCP connections a person's client may have
// beside each WebSocket: pages load over a few, media may need one.
const socketsPerClient = 4

// portLimits bounds the TCP port. Loopback and trusted proxies, behind which
// everybody may be, have no limit of their own there.
func (s *Server) portLimits() portmux.Config {
	p := newProxies(&s.cfg)
	return portmux.Config{
		MaxOpen:      s.cfg.MaxConnections,
		MaxOpenPerIP: socketsPerClient * s.cfg.MaxConnectionsPerIP,
		Exempt:       func(ip netip.Addr) bool { return ip.IsLoopback() || p.trusts(ip) },
	}
}
