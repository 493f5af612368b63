package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sotto-sfu/sotto/internal/buildinfo"
	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/server"
)

// signalEcho is how long the same wish may arrive twice: wrappers such as
// timeout(1) signal the process and its group, microseconds apart.
const signalEcho = 200 * time.Millisecond

// serve runs until SIGTERM, SIGINT or SIGHUP (the terminal is gone), then stops in order. A second signal
// ends the process at once, as the shell expects.
func serve(cfg *config.Config) error {
	log := newLogger(os.Stderr, cfg.LogLevel, cfg.LogFormat)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}

	srv, err := server.Start(context.Background(), &cfg.Options, server.Deps{Logger: log})
	if err != nil {
		return err
	}
	greet(os.Stdout, srv, cfg)
	log.Info("serving", "version", buildinfo.Version(), "port", srv.Addr().Port, "tls", cfg.TLSMode())

	var failure error
	select {
	case sig := <-signals:
		log.Info("stopping; a second signal ends at once", "signal", sig.String())
	case failure = <-srv.Failed():
		log.Error("stopping", "error", failure)
	}
	go func(first time.Time) {
		for range signals {
			if time.Since(first) < signalEcho {
				continue
			}
			log.Warn("second signal: ending at once")
			os.Exit(exitFailure)
		}
	}(time.Now())

	ctx, cancel := context.WithTimeout(context.Background(), cfg.ShutdownDelay+cfg.ShutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil && failure == nil {
		return fmt.Errorf("shutdown-timeout: not everything ended within %v: %w", cfg.ShutdownTimeout, err)
	}
	if failure == nil {
		log.Info("stopped")
	}
	return failure
}

// greet tells the person at the terminal where to go. Logs go to stderr, so
// that scripts can read the address from the first line of stdout.
func greet(w io.Writer, srv *server.Server, cfg *config.Config) {
	_, _ = fmt.Fprintf(w, "Sotto is ready: %s\n", srv.URL())
	if cfg.TLSMode() == config.TLSSelfSigned {
		_, _ = fmt.Fprintln(w, "The certificate is self-signed, for development: the browser will ask once.")
	}
	if !srv.PageBuilt() {
		_, _ = fmt.Fprintln(w, "The page is not built into this binary: run make build.")
	}
}

func newLogger(w io.Writer, level, format string) *slog.Logger {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		l = slog.LevelInfo // config has checked it
	}
	opts := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
