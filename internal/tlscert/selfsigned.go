package tlscert

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// lifetime is long because each new certificate is a new warning to click
	// through. Browsers' 398-day limit is for public authorities only.
	lifetime = 365 * 24 * time.Hour
	// renewBefore leaves a month in which any restart renews.
	renewBefore = 30 * 24 * time.Hour

	selfSignedFile = "dev-tls.pem"
)

// SelfSigned is a development certificate.
type SelfSigned struct {
	dir   string
	names []string
	now   func() time.Time

	mu   sync.Mutex
	cert *tls.Certificate
}

// OpenSelfSigned takes the development certificate from dir, or makes one
// (ECDSA P-256) if there is none, or if it ends within a month or does not
// cover all of names (host names and IP addresses). A new one also covers
// localhost, the machine's name and the addresses of its interfaces; changes
// of those do not renew it, or every change of network would bring a new
// browser warning.
func OpenSelfSigned(dir string, names []string, now func() time.Time) (*SelfSigned, error) {
	s := &SelfSigned{dir: dir, names: names, now: now}
	if cert, err := s.read(); err == nil && s.good(cert) {
		s.cert = cert
		return s, nil
	}
	return s, s.renew()
}

// GetCertificate has the shape that tls.Config wants. A server that runs for
// a year renews by itself.
func (s *SelfSigned) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now().After(s.cert.Leaf.NotAfter.Add(-renewBefore)) {
		if err := s.renew(); err != nil && s.now().After(s.cert.Leaf.NotAfter) {
			return nil, err
		}
	}
	return s.cert, nil
}

func (s *SelfSigned) path() string { return filepath.Join(s.dir, selfSignedFile) }

func (s *SelfSigned) read() (*tls.Certificate, error) {
	data, err := os.ReadFile(s.path())
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, err
	}
	cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0])
	return &cert, err
}

func (s *SelfSigned) good(cert *tls.Certificate) bool {
	if now := s.now(); now.Before(cert.Leaf.NotBefore) || now.After(cert.Leaf.NotAfter.Add(-renewBefore)) {
		return false
	}
	for _, name := range s.names {
		if cert.Leaf.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// renew makes a certificate and puts it in place in one step, so that a crash
// leaves the old or the new one. The caller holds mu or is alone.
func (s *SelfSigned) renew() error {
	data, err := makeSelfSigned(s.now(), append(localNames(), s.names...))
	if err != nil {
		return fmt.Errorf("making the development certificate: %w", err)
	}
	tmp, err := os.CreateTemp(s.dir, selfSignedFile+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("keeping the development certificate: %w", err)
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), s.path())
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("keeping the development certificate: %w", err)
	}
	s.cert, err = s.read()
	return err
}

func makeSelfSigned(now time.Time, names []string) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Sotto development certificate"},
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, // not a CA: whoever takes it cannot issue others
	}
	seen := make(map[string]bool)
	for _, name := range names {
		if seen[name] || name == "" {
			continue
		}
		seen[name] = true
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return append(out, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})...), nil
}

// localNames lists what this machine is called from near by. What cannot be
// found out is left out.
func localNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil {
		names = append(names, host)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return names
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			names = append(names, n.IP.String())
		}
	}
	return names
}
