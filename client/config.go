package client

import (
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// Error is an error with a stable code; every error of this package that a caller
// could branch on is one, possibly wrapped.
type Error = session.Error

// Code is a stable error code; see package session, and protocol.Code for those of the
// server.
type Code = session.Code

// CodeOf is the code of an error, empty for one without.
func CodeOf(err error) Code { return session.CodeOf(err) }

// DefaultSlots is how many sources of each kind a call receives at once if the
// configuration does not say.
const DefaultSlots = 16

// Config is what a client is made of. Exactly one of Link and URL is set.
type Config struct {
	// Link is an invitation to a call.
	Link string
	// URL is a server's address, for a new call; see Client.Invitation.
	URL string
	// Name is how others shall see us. Only they can read it.
	Name string
	// DeviceSeed is the device's secret, 32 bytes; nil draws a new one.
	DeviceSeed []byte
	// TLS replaces the system's trust. Nil is right for servers with a certificate
	// that browsers trust.
	TLS *tls.Config
	// Insecure accepts any certificate, and plain http. What is said in the call stays
	// encrypted end to end; who calls whom does not. On loopback any
	// certificate and plain http are accepted without it.
	Insecure bool
	// TCPOnly sends media over TCP even where UDP would work.
	TCPOnly bool
	// AudioSlots and VideoSlots bound how many sources are received at once;
	// 0: DefaultSlots, negative: none. The server's limit applies too.
	AudioSlots, VideoSlots int
	// GiveUp is how long to look for a lost server; 0: 2 minutes.
	GiveUp time.Duration
	// Program names software and version for the operator's logs, at most 64 ASCII
	// characters; empty: "sotto-go".
	Program string
	// Logger hears what happens. It never gets names, keys or links. Nil: nobody.
	Logger *slog.Logger

	// breakKey spoils our own send keys, in tests of what others do then.
	breakKey func([]byte) []byte
	// rewriteAnswer changes the server's answers, in tests that put a bad network in
	// between.
	rewriteAnswer func(string) string
	// connectWithin is how long media may take to connect; tests have less patience.
	connectWithin time.Duration
}

// settled is a configuration with everything filled in.
type settled struct {
	Config
	endpoint session.Endpoint
	secret   call.Secret
	created  bool // the secret is new: the call must be registered
	device   identity.Device
	log      *slog.Logger
}

func (c Config) settle() (settled, error) {
	s := settled{Config: c, log: c.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.Program == "" {
		s.Program = "sotto-go"
	}
	if s.connectWithin == 0 {
		s.connectWithin = connectWithin
	}
	s.AudioSlots, s.VideoSlots = slots(c.AudioSlots), slots(c.VideoSlots)
	if err := s.settleTarget(); err != nil {
		return settled{}, err
	}
	seed := c.DeviceSeed
	if seed == nil {
		var err error
		if seed, err = identity.NewSeed(rand.Reader); err != nil {
			return settled{}, err
		}
	}
	var err error
	if s.device, err = identity.DeviceFromSeed(seed); err != nil {
		return settled{}, err
	}
	return s, s.settleTransport()
}

// settleTarget reads the link, or the address and makes a new secret.
func (s *settled) settleTarget() error {
	if (s.Link == "") == (s.URL == "") {
		return session.Fail(session.CodeBadURL, "want either a link or a server's address", nil)
	}
	if s.Link != "" {
		link, err := call.ParseLink(s.Link)
		if err != nil {
			return session.Fail(session.CodeLinkDamaged, "the invitation cannot be used", err)
		}
		s.secret = link.Secret
		s.endpoint = session.Endpoint{Secure: link.Secure, Host: link.Host}
		return nil
	}
	var err error
	if s.endpoint, err = session.ParseEndpoint(s.URL); err != nil {
		return err
	}
	s.created = true
	s.secret, err = call.NewSecret(rand.Reader)
	return err
}

func (s *settled) settleTransport() error {
	relaxed := s.Insecure || s.endpoint.Loopback()
	if !s.endpoint.Secure && !relaxed {
		return session.Fail(session.CodeInsecureURL, "plain http shows everybody on the way who calls whom", nil)
	}
	if s.TLS == nil && relaxed {
		// Development servers sign their own certificates. On loopback there is nobody in
		// between; elsewhere the user has said so.
		s.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	}
	return nil
}

func slots(n int) int {
	switch {
	case n == 0:
		return DefaultSlots
	case n < 0:
		return 0
	}
	return min(n, 100)
}
