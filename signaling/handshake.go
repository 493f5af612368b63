package signaling

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// admit checks a request before it is upgraded and answers those it refuses.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (host string, ok bool) {
	host, err := s.canonicalHost(r)
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writeHTTPError(w, http.StatusMethodNotAllowed, protocol.Refuse(protocol.CodeBadRequest, "a WebSocket is opened with GET"))
	case err != nil:
		writeHTTPError(w, http.StatusBadRequest, protocol.Refuse(protocol.CodeBadRequest, "the Host header is not usable"))
	case len(s.hosts) > 0 && !s.hosts[host]:
		writeHTTPError(w, http.StatusMisdirectedRequest, protocol.Refuse(protocol.CodeBadRequest, "this server is not reached by that host name"))
	case !websocket.IsWebSocketUpgrade(r):
		w.Header().Set("Upgrade", "websocket")
		writeHTTPError(w, http.StatusUpgradeRequired, protocol.Refuse(protocol.CodeBadRequest, "only WebSockets are served here"))
	case r.Header.Get("Sec-Websocket-Version") != "13":
		w.Header().Set("Sec-Websocket-Version", "13") // RFC 6455 section 4.4
		writeHTTPError(w, http.StatusUpgradeRequired, protocol.Refuse(protocol.CodeBadRequest, "the version of WebSocket here is 13"))
	case !s.originAllowed(r, host):
		writeHTTPError(w, http.StatusForbidden, protocol.Refuse(protocol.CodeBadRequest, "pages of that origin may not connect"))
	case !slices.Contains(websocket.Subprotocols(r), protocol.Subprotocol):
		writeHTTPError(w, http.StatusBadRequest, protocol.Refuse(protocol.CodeBadRequest, "the subprotocol must be "+protocol.Subprotocol))
	case s.stopping():
		refusal := protocol.Refuse(protocol.CodeShuttingDown, "stopping")
		w.Header().Set("Retry-After", strconv.Itoa(2))
		writeHTTPError(w, http.StatusServiceUnavailable, refusal)
	default:
		return host, true
	}
	return "", false
}

func (s *Server) stopping() bool {
	return s.running.Err() != nil
}

// originAllowed keeps pages of other sites from connecting with this
// browser's network position. Native apps send no Origin; a page cannot
// leave it out.
func (s *Server) originAllowed(r *http.Request, host string) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return true
	}
	if len(values) > 1 {
		return false
	}
	u, err := url.Parse(values[0])
	if err != nil {
		return false
	}
	if origin, err := canonicalOrigin(values[0]); err == nil && s.origins[origin] {
		return true
	}
	own, err := identity.CanonicalHost(u.Host, u.Scheme == "https")
	return err == nil && own == host && (u.Scheme == "https") == s.cfg.Secure(r)
}

// canonicalOrigin spells a web origin: scheme and host, nothing else.
func canonicalOrigin(origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("signaling: %q is no web origin: want https://HOST", origin)
	}
	host, err := identity.CanonicalHost(u.Host, u.Scheme == "https")
	if err != nil {
		return "", fmt.Errorf("signaling: %q is no web origin: %w", origin, err)
	}
	return u.Scheme + "://" + host, nil
}

// writeHTTPError answers a request that does not become a WebSocket.
func writeHTTPError(w http.ResponseWriter, status int, refusal *protocol.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(protocol.Envelope{Error: refusal})
}
