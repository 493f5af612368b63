package server

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"testing"

	"github.com/sotto-sfu/sotto/internal/config"
)

func TestProxies(t *testing.T) {
	p := proxies{trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}}
	for _, tc := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "192.0.2.1:5", nil, "192.0.2.1"},
		{"direct, with a claim", "192.0.2.1:5", []string{"198.51.100.9"}, "192.0.2.1"},
		{"behind one proxy", "127.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{"behind two proxies", "127.0.0.1:5", []string{"192.0.2.1, 10.1.2.3"}, "192.0.2.1"},
		{"two headers", "127.0.0.1:5", []string{"192.0.2.1", "10.1.2.3"}, "192.0.2.1"},
		{"claim before the proxy's entry", "127.0.0.1:5", []string{"198.51.100.9, 192.0.2.1"}, "192.0.2.1"},
		{"IPv6", "127.0.0.1:5", []string{"2001:db8::1"}, "2001:db8::1"},
		{"mapped", "[::ffff:127.0.0.1]:5", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"proxy without header", "127.0.0.1:5", nil, "127.0.0.1"},
		{"garbage", "127.0.0.1:5", []string{"unknown"}, "127.0.0.1"},
		{"all are proxies", "127.0.0.1:5", []string{"10.0.0.1"}, "10.0.0.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tc.remote, Header: http.Header{}}
			for _, v := range tc.forwarded {
				r.Header.Add("X-Forwarded-For", v)
			}
			if got := p.clientIP(r); got.String() != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestSecure(t *testing.T) {
	trusted := proxies{trusted: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	for _, tc := range []struct {
		name   string
		p      proxies
		remote string
		tls    bool
		proto  string
		want   bool
	}{
		{"tls", proxies{}, "192.0.2.1:5", true, "", true},
		{"plain", proxies{}, "192.0.2.1:5", false, "", false},
		{"claimed", proxies{}, "192.0.2.1:5", false, "https", false},
		{"told by a proxy", trusted, "127.0.0.1:5", false, "https", true},
		{"denied by a proxy", trusted, "127.0.0.1:5", false, "http", false},
		{"claimed past the proxy", trusted, "192.0.2.1:5", false, "https", false},
		{"public URL", newProxies(&config.Options{TLS: "off", PublicURL: "https://a.example"}), "192.0.2.1:5", false, "", true},
		{"public URL without TLS", newProxies(&config.Options{TLS: "off", PublicURL: "http://a.example"}), "192.0.2.1:5", false, "", false},
	} {
		r := &http.Request{RemoteAddr: tc.remote, Header: http.Header{"X-Forwarded-Proto": {tc.proto}}}
		if tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if got := tc.p.secure(r); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
