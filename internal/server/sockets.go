package server

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"

	"github.com/sotto-sfu/sotto/internal/config"
)

// portTries is how often a random port is drawn until it is free for TCP and
// UDP both.
const portTries = 20

// openSockets opens the TCP and the UDP port. Unless the media port is
// configured, both have the same number.
func openSockets(ctx context.Context, cfg *config.Options) (net.Listener, net.PacketConn, error) {
	for try := 1; ; try++ {
		tcp, err := listenTCP(ctx, "listen", cfg.Listen)
		if err != nil {
			return nil, nil, err
		}
		host, port, _ := net.SplitHostPort(cfg.Listen)
		udpPort := cfg.MediaPort
		if udpPort == 0 {
			udpPort = tcp.Addr().(*net.TCPAddr).Port
		}
		var lc net.ListenConfig
		udp, err := lc.ListenPacket(ctx, "udp", net.JoinHostPort(host, strconv.Itoa(udpPort)))
		if err == nil {
			return tcp, udp, nil
		}
		_ = tcp.Close()
		random := port == "0" && cfg.MediaPort == 0
		if !random || !errors.Is(err, syscall.EADDRINUSE) || try == portTries {
			return nil, nil, &PortError{Option: "media-udp-port", Network: "UDP", Port: udpPort, Err: err}
		}
	}
}

func listenTCP(ctx context.Context, option, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		_, port, _ := net.SplitHostPort(addr)
		n, _ := strconv.Atoi(port)
		return nil, &PortError{Option: option, Network: "TCP", Port: n, Err: err}
	}
	return l, nil
}
