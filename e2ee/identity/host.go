package identity

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// CanonicalHost spells the host of a URL in the one way that goes into a login message:
// lower case, the port only if it is not the scheme's default, IPv6 addresses in
// brackets and shortest form. hostport is a URL's host part or an HTTP Host header; secure tells
// whether the default port is 443 or 80. Names must be ASCII (punycode), as
// browsers report them. Error: ErrInput.
func CanonicalHost(hostport string, secure bool) (string, error) {
	bad := fmt.Errorf("%w: host %q", ErrInput, hostport)
	if hostport == "" || len(hostport) > maxHostLen {
		return "", bad
	}
	host, port := hostport, ""
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.HasSuffix(hostport, "]") {
		host, port = hostport[:i], hostport[i+1:]
		if strings.IndexByte(host, ':') >= 0 && !strings.HasPrefix(host, "[") {
			return "", bad // an IPv6 address without brackets
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", bad
		}
	}
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !addr.Is6() || addr.Is4In6() || addr.Zone() != "" || !strings.HasSuffix(host, "]") {
			return "", bad
		}
		host = "[" + addr.String() + "]"
	} else if !isHostName(host) {
		return "", bad
	}
	host = strings.ToLower(host)
	if port == "" || secure && port == "443" || !secure && port == "80" {
		return host, nil
	}
	return host + ":" + port, nil
}

// isHostName accepts letters, digits, hyphens, underscores and dots.
func isHostName(s string) bool {
	for _, r := range []byte(s) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.', r == '_':
		default:
			return false
		}
	}
	return s != ""
}
