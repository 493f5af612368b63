package server

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// HTTP bounds. Requests are small and come at once; the largest answer is the
// WASM core of about a megabyte, which a slow phone link needs time for.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 5 * time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
	maxTargetBytes    = 2 << 10
)

// newHTTPServer makes a server with every bound set. WebSockets are hijacked
// from it and have deadlines of their own.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          quietLog(log),
	}
}

// quietLog passes net/http's complaints on at debug level, because they name
// peers' addresses and anybody can cause them; all but panics, which are ours.
func quietLog(to *slog.Logger) *log.Logger {
	return log.New(writerFunc(func(p []byte) (int, error) {
		level, text := slog.LevelDebug, strings.TrimSpace(string(p))
		if strings.HasPrefix(text, "http: panic") {
			level = slog.LevelError
			_, text, _ = strings.Cut(text, ": ")               // "http: "
			text = "panic in a request: " + afterAddress(text) // "panic serving ADDR: "
		}
		to.Log(context.Background(), level, "http", "message", text)
		return len(p), nil
	}), "", 0)
}

// afterAddress drops "panic serving ADDRESS: " from the front.
func afterAddress(text string) string {
	if _, rest, ok := strings.Cut(text, ": "); ok {
		return rest
	}
	return text
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// routes are the handlers of the main port.
type routes struct {
	page      http.Handler
	websocket http.Handler
	ready     http.Handler
	metrics   http.Handler // nil: not on the main port
	hsts      bool
}

func (r routes) handler(wsPath string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", alive)
	mux.Handle("GET /readyz", r.ready)
	if r.metrics != nil {
		mux.Handle("GET /metrics", loopbackOnly(r.metrics))
	}
	mux.Handle(wsPath, r.websocket)
	mux.Handle("/", r.page)
	return withSecurityHeaders(boundTarget(mux), r.hsts)
}

// operatorHandler serves the separate address for the operator's tools.
func operatorHandler(ready, metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", alive)
	mux.Handle("GET /readyz", ready)
	mux.Handle("GET /metrics", metrics)
	return mux
}

// boundTarget refuses absurd request targets before anything parses them.
func boundTarget(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.RequestURI) > maxTargetBytes {
			plainText(w, http.StatusRequestURITooLong, "the address is too long")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackOnly hides a handler from everybody but direct loopback peers. A
// proxy on the same machine is one, but says so in a header; what it forwards
// comes from strangers.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopbackPeer(r.RemoteAddr) || isForwarded(r.Header) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopbackPeer(remote string) bool {
	ap, err := netip.ParseAddrPort(remote)
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

func isForwarded(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

// redirectToTLS answers plain HTTP on a TLS port: the person typed the address
// without https.
func redirectToTLS(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	if (r.Method != http.MethodGet && r.Method != http.MethodHead) || !validHost(r.Host) {
		plainText(w, http.StatusBadRequest, "this port speaks HTTPS")
		return
	}
	http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusTemporaryRedirect)
}

// validHost accepts a host name or IP address with or without a port.
func validHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.')
	})
}
