package server

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/tlscert"
)

// tlsConfig prepares TLS, or returns nil if it is off. trusted says that the
// certificate comes from an authority, so that browsers can be told to insist
// on TLS (HSTS).
func tlsConfig(cfg *config.Options, now func() time.Time, log *slog.Logger) (conf *tls.Config, trusted bool, err error) {
	// Every browser that can transform encoded media speaks TLS 1.3.
	conf = &tls.Config{MinVersion: tls.VersionTLS13}
	switch cfg.TLSMode() {
	case config.TLSOff:
		return nil, false, nil
	case config.TLSFiles:
		files, err := tlscert.Load(cfg.TLSCert, cfg.TLSKey, now, func(err error) {
			log.Error("certificate not reloaded; the old one stays in use", "error", err)
		})
		if err != nil {
			return nil, false, &CertificateError{err}
		}
		conf.GetCertificate = files.GetCertificate
		return conf, !files.SelfIssued(), nil
	default:
		own, err := tlscert.OpenSelfSigned(cfg.DataDir, certificateNames(cfg), now)
		if err != nil {
			return nil, false, &DataError{Option: "data-dir", Path: cfg.DataDir, Err: err}
		}
		conf.GetCertificate = own.GetCertificate
		return conf, false, nil
	}
}

// certificateNames lists the names under which the configuration says that
// the server is reached.
func certificateNames(cfg *config.Options) []string {
	var names []string
	if u, err := url.Parse(cfg.PublicURL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	for _, ip := range cfg.PublicIP {
		names = append(names, ip.String())
	}
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && host != "" {
		if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
			names = append(names, host)
		}
	}
	return names
}
