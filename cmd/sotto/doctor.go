package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sotto-sfu/sotto/client"
	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/internal/buildinfo"
)

// doctorCmd is "sotto doctor".
type doctorCmd struct {
	URL      string `arg:"" help:"Address of the server, e.g. https://call.example.org."`
	Insecure bool   `help:"Accept any certificate, and plain http."`
}

// mediaTimeout is how long media may take to connect over each transport.
const mediaTimeout = 8 * time.Second

// verdict is how a check ended.
type verdict string

const (
	good verdict = "ok"
	poor verdict = "warn" // calls work, but not as they should
	bad  verdict = "FAIL"
)

// report prints one line for each check.
type report struct {
	out io.Writer
	bad bool
}

func (r *report) say(v verdict, what, format string, args ...any) {
	r.bad = r.bad || v == bad
	fmt.Fprintf(r.out, "%-4s  %-11s  %s\n", v, what, printable(fmt.Sprintf(format, args...)))
}

// Run checks certificate, signalling, and media over UDP and TCP, by making a call of its
// own and joining it alone.
func (d *doctorCmd) Run(ctx context.Context, term terminal) error {
	endpoint, err := session.ParseEndpoint(d.URL)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	r := &report{out: term.out}
	d.certificate(ctx, r, endpoint)
	cl, err := d.dial(ctx, client.Config{URL: d.URL})
	if err != nil {
		r.say(bad, "signalling", "%v", err)
		return &exitError{exitRefused, errors.New("the server cannot be used from here")}
	}
	if rtt, err := cl.Ping(ctx); err != nil {
		r.say(bad, "signalling", "%v", err)
	} else {
		r.say(good, "signalling", "%s answers in %v", cl.Server(), rtt.Round(100*time.Microsecond))
	}
	link := cl.Invitation()
	udp := d.media(ctx, cl)
	switch udp.transport {
	case "udp":
		r.say(good, "media UDP", "connected in %v", udp.took.Round(time.Millisecond))
	case "tcp":
		r.say(poor, "media UDP", "blocked: calls fall back to TCP and stutter more")
	default:
		r.say(bad, "media UDP", "%v", udp.err)
	}
	if cl, err = d.dial(ctx, client.Config{Link: link, TCPOnly: true}); err != nil {
		r.say(bad, "media TCP", "%v", err)
	} else if tcp := d.media(ctx, cl); tcp.err != nil && udp.err == nil {
		r.say(poor, "media TCP", "blocked: whoever cannot use UDP cannot use this server (%v)", tcp.err)
	} else if tcp.err != nil {
		r.say(bad, "media TCP", "%v", tcp.err)
	} else {
		r.say(good, "media TCP", "connected in %v", tcp.took.Round(time.Millisecond))
	}
	if r.bad {
		return &exitError{exitRefused, errors.New("the server cannot be used from here")}
	}
	return nil
}

func (d *doctorCmd) dial(ctx context.Context, cfg client.Config) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	cfg.Insecure, cfg.Program = d.Insecure, "sotto-doctor/"+buildinfo.Version()
	return client.Dial(ctx, cfg)
}

// certificate looks at the server's certificate as a browser does.
func (d *doctorCmd) certificate(ctx context.Context, r *report, e session.Endpoint) {
	if !e.Secure {
		r.say(poor, "certificate", "none: plain http gives browsers no camera, except on this machine")
		return
	}
	address := e.Host
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "443")
	}
	ctx, cancel := context.WithTimeout(ctx, mediaTimeout)
	defer cancel()
	conn, err := (&tls.Dialer{}).DialContext(ctx, "tcp", address)
	untrusted := err
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok && (d.Insecure || e.Loopback()) {
		conn, err = (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", address)
	}
	if err != nil {
		r.say(bad, "certificate", "%v", err)
		return
	}
	defer conn.Close()
	leaf := conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	until := leaf.NotAfter.Format(time.DateOnly)
	switch left := time.Until(leaf.NotAfter); {
	case untrusted != nil:
		r.say(poor, "certificate", "not trusted, accepted here only; until %s", until)
	case left < 14*24*time.Hour:
		r.say(poor, "certificate", "trusted, but only until %s", until)
	default:
		r.say(good, "certificate", "trusted until %s", until)
	}
}

// path is how a try to connect media ended.
type path struct {
	transport string
	took      time.Duration
	err       error
}

// media joins the call, waits until media is connected and leaves.
func (d *doctorCmd) media(ctx context.Context, cl *client.Client) path {
	ctx, cancel := context.WithTimeout(ctx, mediaTimeout)
	defer cancel()
	begin := time.Now()
	call, err := cl.Join(ctx)
	if err != nil {
		cl.Close()
		return path{err: err}
	}
	defer func() { _ = leave(call) }()
	connected := make(chan struct{}, 1)
	call.OnState(func(s client.State) {
		if s == client.StateConnected {
			select {
			case connected <- struct{}{}:
			default:
			}
		}
	})
	select {
	case <-connected:
		return path{transport: call.Transport(), took: time.Since(begin)}
	case <-call.Done():
		return path{err: call.Err()}
	case <-ctx.Done():
		return path{err: fmt.Errorf("no connection within %v", mediaTimeout)}
	}
}
