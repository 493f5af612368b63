package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/portmux"
	"github.com/sotto-sfu/sotto/internal/store"
	"github.com/sotto-sfu/sotto/sfu"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling"
	"github.com/sotto-sfu/sotto/signaling/protocol"
	"github.com/sotto-sfu/sotto/web"
)

// Deps are what a server takes from outside. The zero value is right for
// production.
type Deps struct {
	Logger *slog.Logger     // nil: nothing is logged
	Page   fs.FS            // nil: the page built into the binary
	Now    func() time.Time // nil: time.Now
	// Transport stands between the sockets and the media plane. Tests put a tap
	// there to see all that a server can see. Nil: nothing does.
	Transport func(transport.Factory) transport.Factory
}

// Server is a running server.
type Server struct {
	cfg    config.Options
	log    *slog.Logger
	tcp    net.Listener
	udp    net.PacketConn
	mux    *portmux.Mux
	secure bool // TLS is on
	built  bool

	store  store.Store
	media  *sfu.SFU // owns udp and the ICE listener
	signal *signaling.Server

	main, plain, operator *http.Server // plain and operator may be nil
	operatorTCP           net.Listener
	ready                 *readiness
	accepting             atomic.Bool

	failed   chan error
	serving  sync.WaitGroup
	stopOnce sync.Once
	stopErr  error
}

// Start opens everything and begins to serve. ctx bounds the starting only.
// Errors that an operator can mend are *PortError, *CertificateError and
// *DataError.
func Start(ctx context.Context, cfg *config.Options, deps Deps) (_ *Server, err error) {
	deps = deps.withDefaults()
	s := &Server{cfg: *cfg, log: deps.Logger, failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			_ = s.release() // err says more
		}
	}()

	if err := openDataDir(cfg.DataDir); err != nil {
		return nil, err
	}
	tlsConf, trusted, err := tlsConfig(cfg, deps.Now, deps.Logger)
	if err != nil {
		return nil, err
	}
	page, err := web.NewStatic(deps.Page)
	if err != nil {
		return nil, err
	}
	s.secure, s.built = tlsConf != nil, page.Built()

	if s.tcp, s.udp, err = openSockets(ctx, cfg); err != nil {
		return nil, err
	}
	if cfg.MetricsListen != "" && cfg.MetricsListen != "off" {
		if s.operatorTCP, err = listenTCP(ctx, "metrics-listen", cfg.MetricsListen); err != nil {
			return nil, err
		}
	}
	s.mux = portmux.New(s.tcp, s.portLimits())
	if err := s.openParts(ctx, deps); err != nil {
		return nil, err
	}
	s.ready = &readiness{now: deps.Now, checks: s.checks(deps.Now)}
	numbers, err := s.registry()
	if err != nil {
		return nil, err
	}

	r := routes{
		page: page, ready: s.ready, hsts: trusted,
		websocket: s.signal,
	}
	exposition := numbers.Handler(s.log)
	switch cfg.MetricsListen {
	case "":
		r.metrics = exposition
	case "off":
	default:
		s.operator = newHTTPServer(operatorHandler(s.ready, exposition), s.log)
	}
	s.main = newHTTPServer(r.handler(protocol.Path), s.log)
	s.main.TLSConfig = tlsConf
	if s.secure {
		s.plain = newHTTPServer(http.HandlerFunc(redirectToTLS), s.log)
	}
	s.serve()
	return s, nil
}

func (d Deps) withDefaults() Deps {
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Page == nil {
		d.Page = web.Dist
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Transport == nil {
		d.Transport = func(f transport.Factory) transport.Factory { return f }
	}
	return d
}

// serve starts the loops. Each that ends before Shutdown is a failure.
func (s *Server) serve() {
	s.accepting.Store(true)
	s.loop("accepting connections", func() error {
		defer s.accepting.Store(false)
		return s.mux.Serve()
	})
	if s.secure {
		s.loop("serving HTTPS", func() error { return s.main.ServeTLS(s.mux.Listener(portmux.TLS), "", "") })
		s.loop("redirecting HTTP", func() error { return s.plain.Serve(s.mux.Listener(portmux.HTTP)) })
	} else {
		_ = s.mux.Listener(portmux.TLS).Close() // speaks nothing here
		s.loop("serving HTTP", func() error { return s.main.Serve(s.mux.Listener(portmux.HTTP)) })
	}
	if s.operator != nil {
		s.loop("serving metrics", func() error { return s.operator.Serve(s.operatorTCP) })
	}
}

func (s *Server) loop(what string, run func() error) {
	s.serving.Go(func() {
		err := run()
		if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
			return
		}
		select {
		case s.failed <- fmt.Errorf("%s: %w", what, err):
		default: // the first failure is enough
		}
	})
}

// Failed delivers the error that stopped the server from serving, if one does.
func (s *Server) Failed() <-chan error { return s.failed }

// Addr is the TCP address in use.
func (s *Server) Addr() *net.TCPAddr { return s.tcp.Addr().(*net.TCPAddr) }

// PageBuilt reports whether there is a page to serve.
func (s *Server) PageBuilt() bool { return s.built }

// MetricsAddr is the separate address for metrics, or nil.
func (s *Server) MetricsAddr() net.Addr {
	if s.operatorTCP == nil {
		return nil
	}
	return s.operatorTCP.Addr()
}

// URL is where a person on this machine, or the public if that is configured,
// opens the page.
func (s *Server) URL() string {
	if s.cfg.PublicURL != "" {
		return s.cfg.PublicURL
	}
	scheme, port := "http", "80"
	if s.secure {
		scheme, port = "https", "443"
	}
	host := "localhost" // "localhost" is a secure context even without TLS
	if a := s.Addr(); !a.IP.IsUnspecified() && !a.IP.IsLoopback() {
		host = a.IP.String()
	}
	if p := strconv.Itoa(s.Addr().Port); p != port {
		return scheme + "://" + net.JoinHostPort(host, p)
	}
	return scheme + "://" + host
}
