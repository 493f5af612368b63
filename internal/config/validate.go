package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bound is the accepted range of a number.
type bound struct {
	option   string
	value    int
	min, max int
}

// durationBound is the accepted range of a time.
type durationBound struct {
	option   string
	value    time.Duration
	min, max time.Duration
}

func (c *Config) fail(option, format string, args ...any) error {
	return &Error{Option: option, Source: c.source(option), Reason: fmt.Sprintf(format, args...)}
}

func (c *Config) source(option string) string {
	switch s := c.Sources[option]; s {
	case "":
		return sourceDefault
	case sourceFlag:
		return "--" + option
	default:
		return s
	}
}

// maxSlots is how many receive sections of an offer the media plane reads.
const maxSlots = 128

// validate checks what the types alone do not say. The ranges are there to
// catch slips (a rate of 0, a port of 84430), not to second-guess operators.
func (c *Config) validate() error {
	if err := c.validateChoices(); err != nil {
		return err
	}
	for _, b := range []bound{
		{"media-udp-port", c.MediaPort, 0, 65535},
		{"max-connections", c.MaxConnections, 1, 1 << 20},
		{"max-connections-per-ip", c.MaxConnectionsPerIP, 1, 1 << 20},
		{"max-participants", c.MaxParticipants, 2, 1024},
		{"max-calls-per-device", c.MaxCallsPerDevice, 1, 10_000},
		// The offer of a full set of slots must fit in a message.
		{"max-message-bytes", c.MaxMessageBytes, 64 << 10, 16 << 20},
		{"message-rate", c.MessageRate, 1, 100_000},
		{"message-burst", c.MessageBurst, 1, 100_000},
		{"audio-slots", c.AudioSlots, 1, 100},
		{"video-slots", c.VideoSlots, 1, 100},
	} {
		if b.value < b.min || b.value > b.max {
			return c.fail(b.option, "%d is outside %d to %d", b.value, b.min, b.max)
		}
	}
	if sum := c.AudioSlots + c.VideoSlots; sum > maxSlots {
		return c.fail("video-slots", "%d with audio-slots makes %d: at most %d together", c.VideoSlots, sum, maxSlots)
	}
	for _, b := range []durationBound{
		{"shutdown-delay", c.ShutdownDelay, 0, time.Hour},
		{"shutdown-timeout", c.ShutdownTimeout, 100 * time.Millisecond, time.Hour},
		{"resume-window", c.ResumeWindow, time.Second, 10 * time.Minute},
		{"call-expiry", c.CallExpiry, time.Minute, 10 * 365 * 24 * time.Hour},
	} {
		if b.value < b.min || b.value > b.max {
			return c.fail(b.option, "%v is outside %v to %v", b.value, b.min, b.max)
		}
	}
	return c.validateNetwork()
}

// validateChoices checks every option that has an accept tag.
func (c *Config) validateChoices() error {
	t := reflect.TypeFor[Options]()
	for i := range t.NumField() {
		field := t.Field(i)
		accept := field.Tag.Get("accept")
		if accept == "" {
			continue
		}
		got := reflect.ValueOf(c.Options).Field(i).String()
		if !slices.Contains(strings.Split(accept, ","), got) {
			return c.fail(optionName(field), "%q is not one of %s", got, strings.ReplaceAll(accept, ",", ", "))
		}
	}
	return nil
}

func (c *Config) validateNetwork() error {
	host, err := checkAddress(c.Listen)
	if err != nil {
		return c.fail("listen", "%v", err)
	}
	if c.MetricsListen != "" && c.MetricsListen != "off" {
		if _, err := checkAddress(c.MetricsListen); err != nil {
			return c.fail("metrics-listen", "%v, or off", err)
		}
	}
	if c.PublicURL != "" {
		if err := checkOrigin(c.PublicURL); err != nil {
			return c.fail("public-url", "%v", err)
		}
	}
	if strings.HasPrefix(c.PublicURL, "http:") && c.TLSMode() != TLSOff {
		return c.fail("public-url", "%q is not what a server with TLS is reached by: want https", c.PublicURL)
	}
	for _, o := range c.Origins {
		if err := checkOrigin(o); err != nil {
			return c.fail("allowed-origin", "%v", err)
		}
	}
	for _, ip := range c.PublicIP {
		if ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "" {
			return c.fail("public-ip", "%s is not an address that others can reach", ip)
		}
	}
	if c.DataDir == "" {
		return c.fail("data-dir", "must name a folder")
	}
	if path, ok := strings.CutPrefix(c.Store, "sqlite:"); c.Store != "" && (!ok || path == "") {
		return c.fail("store", "%q is not of the form sqlite:FILE", c.Store)
	}
	return c.validateTLS(host)
}

func (c *Config) validateTLS(host string) error {
	if c.TLS == "auto" && c.TLSKey != "" && c.TLSCert == "" {
		return c.fail("tls-key", "needs tls-cert too")
	}
	switch c.TLSMode() {
	case TLSFiles:
		if c.TLSCert == "" {
			return c.fail("tls", "files needs tls-cert and tls-key")
		}
		if c.TLSKey == "" {
			return c.fail("tls-cert", "needs tls-key too")
		}
	case TLSSelfSigned, TLSOff:
		if c.TLSCert != "" {
			return c.fail("tls-cert", "cannot be used with tls %s; use tls auto or files", c.TLS)
		}
	}
	if c.TLSMode() != TLSOff {
		if c.InsecureHTTP {
			return c.fail("insecure-http", "has a meaning with tls off only")
		}
		return nil
	}
	if !c.InsecureHTTP && !isLoopback(host) {
		return c.fail("tls", "off is for loopback: set listen to 127.0.0.1:PORT, or give insecure-http if a proxy in front speaks TLS")
	}
	return nil
}

// TLSMode is how the server is reached.
type TLSMode string

// The modes that TLSMode returns.
const (
	TLSFiles      TLSMode = "files"
	TLSSelfSigned TLSMode = "self-signed"
	TLSOff        TLSMode = "off"
)

// TLSMode resolves auto.
func (o *Options) TLSMode() TLSMode {
	if o.TLS != "auto" {
		return TLSMode(o.TLS)
	}
	if o.TLSCert != "" {
		return TLSFiles
	}
	return TLSSelfSigned
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func checkAddress(addr string) (host string, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("%q is not of the form HOST:PORT or :PORT", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	return host, nil
}

// checkOrigin accepts scheme://host[:port] and nothing more (RFC 6454
// section 6.1).
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not of the form https://HOST or https://HOST:PORT", origin)
	}
	return nil
}
