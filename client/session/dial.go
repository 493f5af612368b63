package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	// dialTimeout bounds one attempt to connect, log-in not included.
	dialTimeout = 8 * time.Second
	// writeTimeout bounds the sending of one message.
	writeTimeout = 10 * time.Second
)

// Endpoint is the address of a server.
type Endpoint struct {
	Secure bool
	Host   string // as identity.CanonicalHost spells it
}

// ParseEndpoint reads the address of a server, as in a browser's address line; a
// path is ignored. Errors: CodeBadURL.
func ParseEndpoint(s string) (Endpoint, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return Endpoint{}, Fail(CodeBadURL, "want https://host or https://host:port", nil)
	}
	e := Endpoint{Secure: u.Scheme == "https"}
	if e.Host, err = identity.CanonicalHost(u.Host, e.Secure); err != nil {
		return Endpoint{}, Fail(CodeBadURL, "no valid host in the address", err)
	}
	return e, nil
}

// Loopback reports whether the server is on this machine.
func (e Endpoint) Loopback() bool {
	name := e.Host
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}

// URL is the address of the page.
func (e Endpoint) URL() string {
	if e.Secure {
		return "https://" + e.Host
	}
	return "http://" + e.Host
}

func (e Endpoint) webSocket() string {
	if e.Secure {
		return "wss://" + e.Host + protocol.Path
	}
	return "ws://" + e.Host + protocol.Path
}

// connect opens a WebSocket. The cause of a failure is told by its code.
func (e Endpoint) connect(ctx context.Context, conf *tls.Config) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		HandshakeTimeout: dialTimeout,
		TLSClientConfig:  conf,
		Subprotocols:     []string{protocol.Subprotocol},
	}
	ws, resp, err := d.DialContext(ctx, e.webSocket(), nil)
	if err != nil {
		return nil, e.explain(resp, err)
	}
	if ws.Subprotocol() != protocol.Subprotocol {
		ws.Close()
		return nil, Fail(CodeNotSotto, "the server does not speak "+protocol.Subprotocol, nil)
	}
	ws.SetReadLimit(protocol.MaxServerMessage)
	return ws, nil
}

func (e Endpoint) explain(resp *http.Response, err error) error {
	if resp != nil {
		switch resp.StatusCode {
		case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusTooManyRequests:
			return Fail(CodeUnreachable, "the server is not ready: "+resp.Status, nil)
		}
		return Fail(CodeNotSotto, fmt.Sprintf("%s answers %s where Sotto's signalling should be", e.URL(), resp.Status), nil)
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	if errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) || errors.As(err, &verify) {
		return Fail(CodeTLSUntrusted, "the server's certificate is not trusted", err)
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return Fail(CodeNotSotto, "the server does not speak TLS there: try http://", err)
	}
	return Fail(CodeUnreachable, "cannot connect to "+e.Host, err)
}
