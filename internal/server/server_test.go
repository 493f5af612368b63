package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

func options(t *testing.T, args ...string) *config.Options {
	t.Helper()
	cfg, err := config.Parse(append([]string{"--listen=127.0.0.1:0", "--data-dir=" + t.TempDir()}, args...), config.Env(nil))
	if err != nil {
		t.Fatal(err)
	}
	return &cfg.Options
}

// start runs a server until the test ends.
func start(t *testing.T, args ...string) *Server {
	t.Helper()
	return startWith(t, options(t, args...), Deps{Page: fstest.MapFS{"index.html": {Data: []byte("<html>page")}}})
}

func startWith(t *testing.T, cfg *config.Options, deps Deps) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := Start(ctx, cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		select {
		case err := <-s.Failed():
			t.Errorf("failed while serving: %v", err)
		default:
		}
	})
	return s
}

var insecure = &tls.Config{InsecureSkipVerify: true} // the certificate is the test's own

func browser() *http.Client {
	return &http.Client{
		Timeout:       patience,
		Transport:     &http.Transport{TLSClientConfig: insecure, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := browser().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestRoutes(t *testing.T) {
	s := start(t)
	for _, tc := range []struct {
		path   string
		status int
		body   string
	}{
		{"/", 200, "<html>page"},
		{"/c/AAAAAAAAAAAAAAAAAAAAAA", 200, "<html>page"},
		{"/healthz", 200, "ok\n"},
		{"/readyz", 200, "ready\n"},
		{"/metrics", 200, "sotto_participants 0"},
		{"/nothing", 404, "404"},
		{protocol.Path, http.StatusUpgradeRequired, "WebSocket"},
		{"/" + strings.Repeat("a", 3000), http.StatusRequestURITooLong, "too long"},
	} {
		resp, body := get(t, s.URL()+tc.path)
		if resp.StatusCode != tc.status || !strings.Contains(body, tc.body) {
			t.Errorf("%.30s: %d %.100q, want %d %q", tc.path, resp.StatusCode, body, tc.status, tc.body)
		}
		for name := range securityHeaders {
			if resp.Header.Get(name) == "" {
				t.Errorf("%.30s: no %s", tc.path, name)
			}
		}
		if hsts := resp.Header.Get("Strict-Transport-Security"); hsts != "" {
			t.Errorf("%s with a self-signed certificate would lock people out", hsts)
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	policy := securityHeaders["Content-Security-Policy"]
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in %s", want, policy)
		}
	}
	for _, never := range []string{"unsafe-inline", "'unsafe-eval'", "http:", "https:", "ws:", "*"} {
		if strings.Contains(policy, never) {
			t.Errorf("%s in %s", never, policy)
		}
	}
}

func TestTLSVersions(t *testing.T) {
	s := start(t)
	for version, want := range map[uint16]bool{tls.VersionTLS12: false, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		if err == nil {
			_ = c.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
	}
}

func TestPlainHTTPIsRedirected(t *testing.T) {
	s := start(t)
	plain := strings.Replace(s.URL(), "https:", "http:", 1)
	resp, _ := get(t, plain+"/c/abc?codec=vp9")
	if want := s.URL() + "/c/abc?codec=vp9"; resp.StatusCode != http.StatusTemporaryRedirect || resp.Header.Get("Location") != want {
		t.Errorf("%d to %s, want %s", resp.StatusCode, resp.Header.Get("Location"), want)
	}
	posted, err := browser().Post(plain+"/", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = posted.Body.Close()
	if posted.StatusCode != http.StatusBadRequest {
		t.Errorf("a POST in the clear: %d", posted.StatusCode)
	}
}

func TestValidHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8443": true, "a-b.example.org": true, "127.0.0.1:1": true, "[::1]:8443": true, "[::1]": true,
		"": false, "a b": false, "a/b": false, "a\"b": false, "a@b": false, "a\\b:1": false, strings.Repeat("a", 300): false,
	} {
		if got := validHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// TestMetricsAreForLoopback: the tests are loopback peers, so a proxy's header
// is what shows the refusal.
func TestMetricsAreForLoopback(t *testing.T) {
	s := start(t)
	for _, header := range []string{"X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"} {
		if resp, _ := get(t, s.URL()+"/metrics", header, "192.0.2.1"); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", header, resp.StatusCode)
		}
	}
	for remote, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true,
		"192.168.1.2:1": false, "10.0.0.1:1": false, "[2001:db8::1]:1": false, "": false,
	} {
		if got := isLoopbackPeer(remote); got != want {
			t.Errorf("%q: %v", remote, got)
		}
	}
}

func TestMetricsElsewhere(t *testing.T) {
	s := start(t, "--metrics-listen=127.0.0.1:0")
	if resp, _ := get(t, s.URL()+"/metrics"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("still on the main port: %d", resp.StatusCode)
	}
	operator := "http://" + s.MetricsAddr().String()
	for path, want := range map[string]string{"/metrics": "go_goroutines", "/healthz": "ok", "/readyz": "ready"} {
		if resp, body := get(t, operator+path); resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.100q", path, resp.StatusCode, body)
		}
	}
	off := start(t, "--metrics-listen=off")
	if resp, _ := get(t, off.URL()+"/metrics"); resp.StatusCode != http.StatusNotFound {
		t.Errorf("off: %d", resp.StatusCode)
	}
}

// TestMetricsNameNobody holds the exposition to labels with a fixed set of
// values: nothing that a client sends may turn up in it.
func TestMetricsNameNobody(t *testing.T) {
	s := start(t)
	_, body := get(t, s.URL()+"/metrics")
	allowed := map[string]bool{
		"version": true, "protocol": true, "type": true, "code": true, "reason": true, // ours
		"le": true, "quantile": true, // Prometheus's own
	}
	for line := range strings.SplitSeq(body, "\n") {
		if _, labels, ok := strings.Cut(line, "{"); ok && !strings.HasPrefix(line, "#") {
			name, _, _ := strings.Cut(labels, "=")
			if !allowed[name] {
				t.Errorf("label %s in %s", name, line)
			}
		}
	}
}

func TestHSTSWithARealCertificate(t *testing.T) {
	handler := withSecurityHeaders(http.HandlerFunc(alive), true)
	for name, r := range map[string]*http.Request{
		"tls":   {TLS: &tls.ConnectionState{}},
		"plain": {},
	} {
		w := recorder{header: http.Header{}}
		handler.ServeHTTP(&w, r)
		if got := w.header.Get("Strict-Transport-Security") != ""; got != (name == "tls") {
			t.Errorf("%s: %v", name, w.header)
		}
	}
}

type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }
func (r *recorder) WriteHeader(int)             {}

func TestReadiness(t *testing.T) {
	now := time.Unix(1000, 0)
	var failure error
	runs := 0
	r := &readiness{now: func() time.Time { return now }, checks: []check{{"disk", func(context.Context) error {
		runs++
		return failure
	}}}}
	ask := func() string { return r.failing(context.Background()) }
	if got := ask(); got != "" {
		t.Errorf("ready, but says %q", got)
	}
	failure = errors.New("full")
	if got := ask(); got != "" || runs != 1 {
		t.Errorf("within a second it must not look again: %q after %d runs", got, runs)
	}
	now = now.Add(readyCache)
	if got := ask(); got != "disk" {
		t.Errorf("says %q, want the failing check", got)
	}
	failure = nil
	now = now.Add(readyCache)
	if got := ask(); got != "" {
		t.Errorf("does not recover: %q", got)
	}
	r.stop()
	if got := ask(); got != "shutting down" {
		t.Errorf("says %q", got)
	}
}

// TestReadyNoticesALostFolder removes the data folder under a running server.
func TestReadyNoticesALostFolder(t *testing.T) {
	cfg := options(t)
	s := startWith(t, cfg, Deps{Now: steppingClock(2 * readyCache)})
	if resp, body := get(t, s.URL()+"/readyz"); resp.StatusCode != 200 {
		t.Fatalf("%d %q", resp.StatusCode, body)
	}
	moved := cfg.DataDir + ".moved"
	if err := os.Rename(cfg.DataDir, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.DataDir, nil, 0o600); err != nil { // not a folder any more
		t.Fatal(err)
	}
	resp, body := get(t, s.URL()+"/readyz")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "data folder") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if strings.Contains(body, cfg.DataDir) {
		t.Error("a path is told to strangers")
	}
	if err := os.Remove(cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(moved, cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	if resp, body := get(t, s.URL()+"/readyz"); resp.StatusCode != 200 {
		t.Errorf("does not recover: %d %q", resp.StatusCode, body)
	}
}

// steppingClock moves on by step each time it is read.
func steppingClock(step time.Duration) func() time.Time {
	ticks := make(chan time.Time, 1)
	ticks <- time.Now()
	return func() time.Time {
		now := (<-ticks).Add(step)
		ticks <- now
		return now
	}
}

func TestStartErrors(t *testing.T) {
	taken := start(t)
	port := fmt.Sprint(taken.Addr().Port)
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var port1 *PortError
	_, err := Start(t.Context(), options(t, "--listen=127.0.0.1:"+port), Deps{})
	if !errors.As(err, &port1) || port1.Option != "listen" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("TCP port taken: %v", err)
	}
	_, err = Start(t.Context(), options(t, "--media-udp-port="+port), Deps{})
	if !errors.As(err, &port1) || port1.Option != "media-udp-port" || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("UDP port taken: %v", err)
	}
	var cert *CertificateError
	if _, err = Start(t.Context(), options(t, "--tls-cert="+file, "--tls-key="+file), Deps{}); !errors.As(err, &cert) {
		t.Errorf("bad certificate: %v", err)
	}
	var data *DataError
	if _, err = Start(t.Context(), options(t, "--data-dir="+file), Deps{}); !errors.As(err, &data) || data.Option != "data-dir" {
		t.Errorf("data folder is a file: %v", err)
	}
	if _, err = Start(t.Context(), options(t, "--store=sqlite:"+folder), Deps{}); !errors.As(err, &data) || data.Option != "store" {
		t.Errorf("store is a folder: %v", err)
	}
}

// TestEveryAcceptedLimitStarts: what passes the configuration's ranges must
// not be refused by the parts.
func TestEveryAcceptedLimitStarts(t *testing.T) {
	start(t, "--max-connections=1", "--max-connections-per-ip=1", "--max-participants=2", "--max-calls-per-device=1",
		"--max-message-bytes=65536", "--message-rate=1", "--message-burst=1", "--audio-slots=1", "--video-slots=1", "--resume-window=1s")
	start(t, "--max-connections=1048576", "--max-connections-per-ip=1048576", "--max-participants=1024", "--max-calls-per-device=10000",
		"--max-message-bytes=16777216", "--message-rate=100000", "--message-burst=100000", "--audio-slots=28", "--video-slots=100", "--resume-window=10m")
}

func TestURL(t *testing.T) {
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--public-url=https://sotto.example"}, "https://sotto.example"},
		{nil, "https://localhost:PORT"},
		{[]string{"--listen=:0"}, "https://localhost:PORT"},
		{[]string{"--tls=off"}, "http://localhost:PORT"},
	} {
		s := start(t, tc.args...)
		if want := strings.ReplaceAll(tc.want, "PORT", fmt.Sprint(s.Addr().Port)); s.URL() != want {
			t.Errorf("%v: %s, want %s", tc.args, s.URL(), want)
		}
	}
}
