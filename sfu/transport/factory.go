package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// Config says how to make a [Factory].
type Config struct {
	// UDP carries the media of all participants. Required; closed by Factory.Close. A
	// socket bound to a wildcard address is offered under the address of each interface.
	UDP net.PacketConn
	// TCP accepts ICE-TCP connections (RFC 6544, passive) of participants whose network lets no
	// UDP through. Optional; closed by Factory.Close.
	TCP net.Listener
	// PublicIPs are told to participants instead of the addresses of the interfaces,
	// for a server behind a one-to-one NAT.
	PublicIPs []netip.Addr
	// Loopback also offers loopback addresses, for tests and a demo on one machine.
	Loopback bool
	Logger   *slog.Logger // nil: no log
}

const (
	// socketBuffer is asked of the kernel for the one UDP socket: at 1 Gbit/s it holds 32 ms.
	socketBuffer = 4 << 20
	// replayWindow is how far behind the newest a packet may come, in packets (RFC 3711
	// §3.3.2). RTX and reordering reach further back than Pion's default of 64.
	replayWindow = 1024
	// certificateLife is how long one DTLS certificate is used. Pion's expire after a month.
	certificateLife = 7 * 24 * time.Hour

	disconnectedAfter = 5 * time.Second
	// failedAfter is as long as a signalling session waits for its client to come back.
	failedAfter = 30 * time.Second
	keepalive   = 2 * time.Second

	tcpReadBuffer  = 64      // packets
	tcpWriteBuffer = 1 << 20 // bytes; what does not fit is dropped, as UDP would
)

type factory struct {
	cfg    Config
	log    *slog.Logger
	udpMux ice.UDPMux
	tcpMux ice.TCPMux

	mu          sync.Mutex
	certificate *webrtc.Certificate
	made        time.Time
	closed      bool
}

// New makes a Factory on Pion's PeerConnection.
func New(cfg Config) (Factory, error) {
	if cfg.UDP == nil {
		return nil, errors.New("transport: no UDP socket given")
	}
	for _, ip := range cfg.PublicIPs {
		if !ip.IsValid() || ip.IsUnspecified() {
			return nil, fmt.Errorf("transport: %q is not an address that a participant could reach", ip)
		}
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// Best effort: the kernel caps the size (net.core.rmem_max).
	if s, ok := cfg.UDP.(interface{ SetReadBuffer(int) error }); ok {
		_ = s.SetReadBuffer(socketBuffer)
	}
	if s, ok := cfg.UDP.(interface{ SetWriteBuffer(int) error }); ok {
		_ = s.SetWriteBuffer(socketBuffer)
	}
	f := &factory{cfg: cfg, log: log}
	loggers := logFactory{log}
	f.udpMux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: cfg.UDP, Logger: loggers.NewLogger("udp")})
	if cfg.TCP != nil {
		f.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener: cfg.TCP, Logger: loggers.NewLogger("tcp"),
			ReadBufferSize: tcpReadBuffer, WriteBufferSize: tcpWriteBuffer,
			FirstStunBindTimeout: 10 * time.Second,
		})
	}
	return f, nil
}

// Connect implements Factory.
func (f *factory) Connect(h Handler) (Conn, error) {
	certificate, err := f.current()
	if err != nil {
		return nil, err
	}
	c := &conn{handler: h, log: f.log}
	engine, err := f.settings(c)
	if err != nil {
		return nil, err
	}
	media, err := engineMedia()
	if err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(
		webrtc.WithMediaEngine(media),
		webrtc.WithSettingEngine(engine),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}), // none: see doc.go of sfu
	)
	if err := c.open(api, *certificate); err != nil {
		return nil, err
	}
	return c, nil
}

// settings is made for each connection, as the buffer factory must know its own.
func (f *factory) settings(c *conn) (webrtc.SettingEngine, error) {
	s := webrtc.SettingEngine{LoggerFactory: logFactory{f.log}}
	s.SetLite(true)
	s.SetICEUDPMux(f.udpMux)
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if f.tcpMux != nil {
		s.SetICETCPMux(f.tcpMux)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(networks)
	s.DisableActiveTCP(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetIncludeLoopbackCandidate(f.cfg.Loopback)
	s.SetICETimeouts(disconnectedAfter, failedAfter, keepalive)
	if len(f.cfg.PublicIPs) > 0 {
		rule := webrtc.ICEAddressRewriteRule{AsCandidateType: webrtc.ICECandidateTypeHost}
		for _, ip := range f.cfg.PublicIPs {
			rule.External = append(rule.External, ip.Unmap().String())
		}
		if f.cfg.Loopback {
			rule.Mode = webrtc.ICEAddressRewriteAppend
		}
		if err := s.SetICEAddressRewriteRules(rule); err != nil {
			return s, fmt.Errorf("public addresses: %w", err)
		}
	}
	s.SetSRTPProtectionProfiles(
		dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	// The DTLS server picks the profile: Chromium would pick the slow one. That a
	// participant is where its packets come from, ICE has proven already, so the
	// handshake does not ask again.
	if err := s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return s, fmt.Errorf("DTLS role: %w", err)
	}
	s.SetDTLSInsecureSkipHelloVerify(true)
	s.SetSRTPReplayProtectionWindow(replayWindow)
	s.SetSRTCPReplayProtectionWindow(replayWindow)
	s.BufferFactory = (&inlet{handler: c.handler, flooded: c.flooded}).buffer
	return s, nil
}

// current is the DTLS certificate, made anew from time to time. All connections share it.
func (f *factory) current() (*webrtc.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, net.ErrClosed
	}
	if f.certificate != nil && time.Since(f.made) < certificateLife {
		return f.certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a DTLS key: %w", err)
	}
	certificate, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, fmt.Errorf("making a DTLS certificate: %w", err)
	}
	f.certificate, f.made = certificate, time.Now()
	return certificate, nil
}

// Close implements Factory.
func (f *factory) Close() error {
	f.mu.Lock()
	already := f.closed
	f.closed = true
	f.mu.Unlock()
	if already {
		return nil
	}
	err := f.udpMux.Close()
	if f.tcpMux != nil {
		err = errors.Join(err, f.tcpMux.Close())
	}
	return err
}
