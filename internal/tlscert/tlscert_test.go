package tlscert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var day = 24 * time.Hour

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func open(t *testing.T, dir string, names []string, now time.Time) *tls.Certificate {
	t.Helper()
	s, err := OpenSelfSigned(dir, names, at(now))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func same(a, b *tls.Certificate) bool { return a.Leaf.Equal(b.Leaf) }

func TestSelfSigned(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	cert := open(t, dir, []string{"sotto.example", "192.0.2.7"}, now)
	for _, name := range []string{"localhost", "127.0.0.1", "::1", "sotto.example", "192.0.2.7"} {
		if err := cert.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	key, ok := cert.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is a %T, want ECDSA P-256", cert.PrivateKey)
	}
	if cert.Leaf.IsCA {
		t.Error("the certificate must not be able to issue others")
	}
	info, err := os.Stat(filepath.Join(dir, selfSignedFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}

	if !same(cert, open(t, dir, nil, now)) {
		t.Error("not kept over a restart")
	}
	if !same(cert, open(t, dir, nil, now.Add(300*day))) {
		t.Error("renewed too early")
	}
	if same(cert, open(t, dir, nil, now.Add(340*day))) {
		t.Error("not renewed before its end")
	}
}

func TestSelfSignedRenewal(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		names []string
		later time.Duration
	}{
		{name: "a name is not covered", names: []string{"other.example"}},
		{name: "expired", later: 400 * day},
		{name: "the clock was ahead", later: -2 * day},
		{name: "damaged", spoil: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("-----BEGIN"), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, now := t.TempDir(), time.Now()
			first := open(t, dir, nil, now)
			if tc.spoil != nil {
				tc.spoil(t, filepath.Join(dir, selfSignedFile))
			}
			second := open(t, dir, tc.names, now.Add(tc.later))
			if same(first, second) {
				t.Error("not renewed")
			}
			if !same(second, open(t, dir, tc.names, now.Add(tc.later))) {
				t.Error("the new one was not kept")
			}
			left, err := filepath.Glob(filepath.Join(dir, "*"))
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestSelfSignedRenewsWhileRunning(t *testing.T) {
	now := time.Now()
	s, err := OpenSelfSigned(t.TempDir(), nil, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	first, _ := s.GetCertificate(nil)
	now = now.Add(340 * day)
	second, err := s.GetCertificate(nil)
	if err != nil || same(first, second) {
		t.Errorf("not renewed: %v", err)
	}
}

func TestSelfSignedUnwritable(t *testing.T) {
	if _, err := OpenSelfSigned(filepath.Join(t.TempDir(), "missing"), nil, time.Now); err == nil {
		t.Error("no error for a missing folder")
	}
}

// writePair makes a certificate in two files, as ACME clients do.
func writePair(t *testing.T, dir string, now time.Time) (certFile, keyFile string) {
	t.Helper()
	both, err := makeSelfSigned(now, []string{"sotto.example"})
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.Index(string(both), "-----BEGIN PRIVATE")
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, data := range map[string][]byte{certFile: both[:cut], keyFile: both[cut:]} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestFilesErrors(t *testing.T) {
	now := time.Now()
	certFile, keyFile := writePair(t, t.TempDir(), now)
	otherCert, _ := writePair(t, t.TempDir(), now)
	garbage := filepath.Join(t.TempDir(), "garbage.pem")
	if err := os.WriteFile(garbage, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name      string
		cert, key string
		now       time.Time
		want      string
	}{
		{"good", certFile, keyFile, now, ""},
		{"missing certificate", "/nonexistent/cert", keyFile, now, "/nonexistent/cert"},
		{"missing key", certFile, "/nonexistent/key", now, "/nonexistent/key"},
		{"not PEM", garbage, keyFile, now, "garbage.pem"},
		{"key is not PEM", certFile, garbage, now, "garbage.pem"},
		{"key of another certificate", otherCert, keyFile, now, "private key does not match"},
		{"swapped", keyFile, certFile, now, "PEM"},
		{"expired", certFile, keyFile, now.Add(400 * day), "expired on"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(tc.cert, tc.key, at(tc.now), nil)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %v, want one line with %q", err, tc.want)
			}
		})
	}
}

func TestFilesReload(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	certFile, keyFile := writePair(t, dir, now)
	var failure error
	f, err := Load(certFile, keyFile, func() time.Time { return now }, func(err error) { failure = err })
	if err != nil {
		t.Fatal(err)
	}
	get := func() *tls.Certificate {
		cert, err := f.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return cert
	}
	touch := func() { // file systems keep coarse times
		now = now.Add(2 * checkEvery)
		for _, name := range []string{certFile, keyFile} {
			if err := os.Chtimes(name, now, now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !f.SelfIssued() {
		t.Error("the test certificate is self-signed")
	}

	first := get()
	writePair(t, dir, now)
	if !same(first, get()) {
		t.Error("looked at the files again too soon")
	}
	touch()
	second := get()
	if same(first, second) {
		t.Error("the new certificate was not taken")
	}

	if err := os.WriteFile(keyFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch()
	if !same(second, get()) || failure == nil {
		t.Errorf("a broken pair must leave the old one in use and be told; told %v", failure)
	}
	writePair(t, dir, now)
	touch()
	if same(second, get()) {
		t.Error("not taken once the pair was whole again")
	}
}

// TestHandshake uses the certificate for a real TLS connection.
func TestHandshake(t *testing.T) {
	s, err := OpenSelfSigned(t.TempDir(), nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.cert.Leaf)
	server, client := net.Pipe()
	defer client.Close()
	done := make(chan error, 1)
	go func() {
		defer server.Close()
		done <- tls.Server(server, &tls.Config{GetCertificate: s.GetCertificate}).Handshake()
	}()
	if err := tls.Client(client, &tls.Config{RootCAs: roots, ServerName: "localhost"}).Handshake(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
