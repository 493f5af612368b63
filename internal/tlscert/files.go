package tlscert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// checkEvery is how often the files' times are looked at: certificates are
// renewed days before they end, so a minute is soon enough.
const checkEvery = time.Minute

// Files is a certificate kept by others, such as an ACME client.
type Files struct {
	certFile, keyFile string
	now               func() time.Time

	mu      sync.Mutex
	cert    *tls.Certificate
	stamp   [2]fileStamp
	checked time.Time
	failed  func(error)
}

type fileStamp struct {
	modified time.Time
	size     int64
}

// Load reads and checks a PEM certificate chain and its key. The error says in
// one line which file is wrong and how. failed, if not nil, is told when a
// later reload does not succeed; the old certificate then stays in use.
func Load(certFile, keyFile string, now func() time.Time, failed func(error)) (*Files, error) {
	f := &Files{certFile: certFile, keyFile: keyFile, now: now, failed: failed}
	stamp, err := f.stamps()
	if err != nil {
		return nil, err
	}
	cert, err := readPair(certFile, keyFile, now())
	if err != nil {
		return nil, err
	}
	f.cert, f.stamp, f.checked = cert, stamp, now()
	return f, nil
}

// GetCertificate has the shape that tls.Config wants.
func (f *Files) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); now.Sub(f.checked) >= checkEvery {
		f.checked = now
		if err := f.reload(now); err != nil && f.failed != nil {
			f.failed(err)
		}
	}
	return f.cert, nil
}

func (f *Files) reload(now time.Time) error {
	stamp, err := f.stamps()
	if err != nil || stamp == f.stamp {
		return err
	}
	cert, err := readPair(f.certFile, f.keyFile, now)
	if err != nil {
		return err // tried again at the next check: one file may be newer than the other for a moment
	}
	f.cert, f.stamp = cert, stamp
	return nil
}

func (f *Files) stamps() (out [2]fileStamp, err error) {
	for i, name := range []string{f.certFile, f.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return out, err
		}
		out[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return out, nil
}

// SelfIssued reports whether the certificate vouches for itself, so that
// browsers do not trust it by themselves.
func (f *Files) SelfIssued() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Equal(f.cert.Leaf.RawIssuer, f.cert.Leaf.RawSubject)
}

func readPair(certFile, keyFile string, now time.Time) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
			return nil, err // names the file itself
		}
		return nil, fmt.Errorf("%s and %s: %w", certFile, keyFile, err)
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, fmt.Errorf("%s: %w", certFile, err)
		}
	}
	if now.After(cert.Leaf.NotAfter) {
		return nil, fmt.Errorf("%s: the certificate expired on %s", certFile, cert.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return &cert, nil
}
