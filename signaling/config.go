package signaling

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Config is what a server needs. Store and Media are required; every zero
// value in Limits and Timing means its default.
type Config struct {
	Store  CallStore
	Media  MediaPlane
	Logger *slog.Logger // nil: nothing is logged

	// Software names the server and version in the hello reply, ASCII.
	Software string
	// Hosts are the names under which the server is reached, as
	// identity.CanonicalHost spells them. With any given, a request for
	// another host is refused: a login is bound to its host, and a server that
	// believed any Host header would accept logins made out to somebody else.
	// Empty accepts every host: for development only.
	Hosts []string
	// Origins are web origins ("https://example.org") that may connect besides
	// the server's own.
	Origins []string
	// Secure tells whether the request came over TLS, directly or by a trusted
	// proxy. Nil: r.TLS != nil.
	Secure func(*http.Request) bool
	// ClientIP tells where a request comes from, for the limit per address.
	// Nil: r.RemoteAddr.
	ClientIP func(*http.Request) netip.Addr

	Limits Limits
	Timing Timing
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// CallStore is the part of internal/store that signalling uses.
type CallStore interface {
	CreateCall(ctx context.Context, c store.Call, maxPerCreator int) (created bool, err error)
	Call(ctx context.Context, id protocol.CallID) (store.Call, error)
	Touch(ctx context.Context, ids []protocol.CallID, at time.Time) error
	DeleteUnused(ctx context.Context, before time.Time) (int, error)
}

// Limits bound what clients can make the server do.
type Limits struct {
	Connections      int // open WebSockets in all
	ConnectionsPerIP int // and per IPv4 address or IPv6 /64

	MessageBytes      int     // one WebSocket message
	MessagesPerSecond float64 // sustained, per connection
	MessageBurst      int     // at once
	BytesPerSecond    float64 // sustained, per connection
	ByteBurst         int     // at once; at least MessageBytes
	Overruns          int     // messages over the rate that are still answered before 4429
	Strikes           int     // malformed messages that are still answered before 4400
	InFlight          int     // requests of one connection that wait for their reply

	CreatesPerSecond float64 // calls that one address may create, sustained
	CreateBurst      int     // and at once

	CallsPerDevice int // calls a device may be in, and may hold open as creator
	Participants   int // per call, at most 1024
	AudioSlots     int // receive sections of a media offer, of each kind
	VideoSlots     int
	PayloadBytes   int // one sealed payload, decoded, at most 128 KiB
	Challenges     int // calls that a session may hold an admission challenge for

	QueueMessages int // waiting to be sent on one connection before 4413
	QueueBytes    int
	ReplayEvents  int // kept of each session for its resumption
	ReplayBytes   int
}

// Timing are the durations of the protocol.
type Timing struct {
	Login     time.Duration // from connecting to being logged in
	Ping      time.Duration // between pings, both ways; three without a sign of life end a connection
	Resume    time.Duration // a session survives its WebSocket by this
	Challenge time.Duration // an admission challenge is valid for this
	Write     time.Duration // one message may take this to be written
	Media     time.Duration // the media plane may take this for an offer
	Store     time.Duration // the store may take this
	Sweep     time.Duration // between checks for what has expired
	CallLife  time.Duration // an unused call is remembered for this
}

func orDefault[T int | float64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// payloadFitting is the largest payload that a message has room for: what is in
// hello's limits must not end with a connection closed for the other limit.
func payloadFitting(messageBytes int) int {
	const around = 256 // envelope, receiver, and some air
	return (messageBytes - around) / 4 * 3
}

func (l *Limits) setDefaults() {
	orDefault(&l.Connections, 8192)
	orDefault(&l.ConnectionsPerIP, 256) // an office behind one address
	orDefault(&l.MessageBytes, 256<<10)
	orDefault(&l.MessagesPerSecond, 50)
	orDefault(&l.MessageBurst, 200)
	orDefault(&l.BytesPerSecond, 1<<20)
	orDefault(&l.ByteBurst, max(4<<20, l.MessageBytes))
	orDefault(&l.Overruns, 100)
	orDefault(&l.Strikes, 20)
	orDefault(&l.InFlight, 64)
	orDefault(&l.CreatesPerSecond, 0.2)
	orDefault(&l.CreateBurst, 256)
	orDefault(&l.CallsPerDevice, 8)
	orDefault(&l.Participants, 50)
	orDefault(&l.AudioSlots, 16)
	orDefault(&l.VideoSlots, 16)
	orDefault(&l.PayloadBytes, min(64<<10, max(1, payloadFitting(l.MessageBytes))))
	orDefault(&l.Challenges, 4)
	orDefault(&l.QueueMessages, 2048)
	orDefault(&l.QueueBytes, 4<<20)
	orDefault(&l.ReplayEvents, 1024)
	orDefault(&l.ReplayBytes, 1<<20)
}

func (t *Timing) setDefaults() {
	orDefault(&t.Login, 10*time.Second)
	orDefault(&t.Ping, 10*time.Second)
	orDefault(&t.Resume, 30*time.Second)
	orDefault(&t.Challenge, 60*time.Second)
	orDefault(&t.Write, 10*time.Second)
	orDefault(&t.Media, 10*time.Second)
	orDefault(&t.Store, 5*time.Second)
	orDefault(&t.Sweep, 250*time.Millisecond)
	orDefault(&t.CallLife, 30*24*time.Hour)
}

// check finds settings that contradict each other or the protocol.
func (l *Limits) check() error {
	for name, v := range map[string]int{
		"Connections": l.Connections, "ConnectionsPerIP": l.ConnectionsPerIP, "MessageBytes": l.MessageBytes,
		"MessageBurst": l.MessageBurst, "Overruns": l.Overruns, "Strikes": l.Strikes, "InFlight": l.InFlight,
		"CreateBurst": l.CreateBurst, "CallsPerDevice": l.CallsPerDevice, "Participants": l.Participants, "AudioSlots": l.AudioSlots,
		"VideoSlots": l.VideoSlots, "PayloadBytes": l.PayloadBytes, "Challenges": l.Challenges,
		"ReplayEvents": l.ReplayEvents, "ReplayBytes": l.ReplayBytes,
	} {
		if v < 0 || v > 1<<24 {
			return fmt.Errorf("signaling: limit %s is %d: want 1 to %d", name, v, 1<<24)
		}
	}
	switch {
	case l.Participants > maxParticipants:
		return fmt.Errorf("signaling: %d participants: at most %d", l.Participants, maxParticipants)
	case l.PayloadBytes > maxPayload:
		return fmt.Errorf("signaling: payloads of %d bytes: at most %d", l.PayloadBytes, maxPayload)
	case l.MessagesPerSecond < 0 || l.BytesPerSecond < 0 || l.CreatesPerSecond < 0:
		return errors.New("signaling: rates must be positive")
	case l.ByteBurst < l.MessageBytes:
		return errors.New("signaling: ByteBurst is less than one message")
	case l.QueueMessages <= l.ReplayEvents || l.QueueBytes <= l.ReplayBytes:
		return errors.New("signaling: the send queue must hold more than a full replay")
	}
	return nil
}

// The bounds that the protocol's schema sets for clients: a server must not
// go beyond what they accept.
const (
	maxParticipants = 1024
	maxPayload      = 128 << 10
)

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Software == "" {
		c.Software = "sotto-sfu"
	}
	if c.Secure == nil {
		c.Secure = func(r *http.Request) bool { return r.TLS != nil }
	}
	if c.ClientIP == nil {
		c.ClientIP = remoteIP
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Limits.setDefaults()
	c.Timing.setDefaults()
}

func (c *Config) check() error {
	if c.Store == nil || c.Media == nil {
		return errors.New("signaling: a store and a media plane are required")
	}
	if c.Timing.Ping < time.Second {
		return errors.New("signaling: a ping interval under a second is not in the protocol")
	}
	return c.Limits.check()
}

func remoteIP(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
