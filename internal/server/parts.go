package server

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/internal/buildinfo"
	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/portmux"
	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/sfu"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// openParts opens the store, the media plane and signalling, in the order in
// which they need each other. The sockets are open already.
func (s *Server) openParts(ctx context.Context, deps Deps) (err error) {
	if s.store, err = openStore(ctx, &s.cfg); err != nil {
		return err
	}
	if s.media, err = s.openMedia(deps.Transport); err != nil {
		return fmt.Errorf("starting the media plane: %w", err)
	}
	if s.signal, err = s.openSignaling(deps.Now); err != nil {
		return fmt.Errorf("starting signalling: %w", err)
	}
	return nil
}

func openStore(ctx context.Context, cfg *config.Options) (store.Store, error) {
	where := cfg.Store
	if where == "" {
		where = "sqlite:" + filepath.Join(cfg.DataDir, "sotto.db")
	}
	st, err := store.Open(ctx, where)
	if err != nil {
		return nil, &DataError{Option: "store", Err: err}
	}
	return st, nil
}

func (s *Server) openMedia(wrap func(transport.Factory) transport.Factory) (*sfu.SFU, error) {
	var ice net.Listener
	if s.cfg.MediaTCP {
		ice = s.mux.Listener(portmux.ICE)
	} else {
		_ = s.mux.Listener(portmux.ICE).Close()
	}
	tr, err := transport.New(transport.Config{
		UDP: s.udp, TCP: ice,
		PublicIPs: s.cfg.PublicIP,
		Loopback:  s.offersLoopback(),
		Logger:    s.log,
	})
	if err != nil {
		return nil, err
	}
	media, err := sfu.New(sfu.Config{
		Transport: wrap(tr), Logger: s.log,
		MaxAudioSlots: s.cfg.AudioSlots, MaxVideoSlots: s.cfg.VideoSlots,
	})
	if err != nil {
		_ = tr.Close()
		return nil, err
	}
	return media, nil
}

// offersLoopback tells whether media may flow over the loopback interface: on
// a server for one machine, which may have no other interface. A public server
// must not offer it.
func (s *Server) offersLoopback() bool {
	return len(s.cfg.PublicIP) == 0 && s.cfg.PublicURL == "" &&
		(s.cfg.TLSMode() == config.TLSSelfSigned || s.Addr().IP.IsLoopback())
}

func (s *Server) openSignaling(now func() time.Time) (*signaling.Server, error) {
	hosts, err := s.hosts()
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 && s.cfg.TLSMode() != config.TLSSelfSigned {
		s.log.Warn("public-url is not set: logins are accepted under any host name that reaches this server")
	}
	front := newProxies(&s.cfg)
	return signaling.New(signaling.Config{
		Store: s.store, Media: mediaPlane{s.media}, Logger: s.log,
		Software: config.Program + "/" + buildinfo.Version(),
		Hosts:    hosts, Origins: trimSlashes(s.cfg.Origins),
		Secure: front.secure, ClientIP: front.clientIP,
		Limits: signaling.Limits{
			Connections:       s.cfg.MaxConnections,
			ConnectionsPerIP:  s.cfg.MaxConnectionsPerIP,
			MessageBytes:      s.cfg.MaxMessageBytes,
			MessagesPerSecond: float64(s.cfg.MessageRate),
			MessageBurst:      s.cfg.MessageBurst,
			CallsPerDevice:    s.cfg.MaxCallsPerDevice,
			Participants:      s.cfg.MaxParticipants,
			AudioSlots:        s.cfg.AudioSlots,
			VideoSlots:        s.cfg.VideoSlots,
		},
		Timing: signaling.Timing{Resume: s.cfg.ResumeWindow, CallLife: s.cfg.CallExpiry},
		Now:    now,
	})
}

// hosts lists the names under which clients may log in, as their URLs spell
// them: the public one, and those of this machine's own loopback, which no
// other server can lure anybody to. With no public URL it is empty: any.
func (s *Server) hosts() ([]string, error) {
	if s.cfg.PublicURL == "" {
		return nil, nil
	}
	u, err := url.Parse(s.cfg.PublicURL)
	if err != nil {
		return nil, err // config has checked it
	}
	public, err := identity.CanonicalHost(u.Host, u.Scheme == "https")
	if err != nil {
		return nil, fmt.Errorf("public-url %s: %w", s.cfg.PublicURL, err)
	}
	hosts := []string{public}
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		local, err := identity.CanonicalHost(net.JoinHostPort(name, strconv.Itoa(s.Addr().Port)), s.secure)
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, local)
	}
	return hosts, nil
}

func trimSlashes(origins []string) []string {
	out := make([]string, 0, len(origins))
	for _, o := range origins {
		out = append(out, strings.TrimSuffix(o, "/"))
	}
	return out
}

// mediaPlane gives signalling the SFU through the interface it declared.
type mediaPlane struct{ sfu *sfu.SFU }

func (m mediaPlane) Join(call protocol.CallID, p protocol.ParticipantID, ev signaling.MediaEvents) (signaling.MediaPeer, error) {
	peer, err := m.sfu.Join(call, p, ev)
	if err != nil {
		return nil, err // not the nil *sfu.Peer, which would be a non-nil interface
	}
	return peer, nil
}
