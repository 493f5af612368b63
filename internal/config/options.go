package config

import (
	"net/netip"
	"time"
)

// Options are the settings of one server. The struct tags are the single
// source of the names, defaults, help texts and the comments of `sotto-sfu
// config`.
type Options struct {
	Listen         string         `group:"Network" default:":8443" placeholder:"HOST:PORT" help:"TCP address for the page, the WebSocket and media over TCP. An empty host means all interfaces."`
	PublicURL      string         `group:"Network" placeholder:"https://HOST" help:"Where people reach this server. Empty: the host each request names."`
	MediaPort      int            `group:"Network" name:"media-udp-port" default:"0" placeholder:"PORT" help:"UDP port for all media. 0: the same number as the TCP port."`
	MediaTCP       bool           `group:"Network" name:"media-tcp" default:"true" negatable:"" help:"Offer media over the TCP port to those whose network blocks UDP."`
	PublicIP       []netip.Addr   `group:"Network" placeholder:"IP" help:"Addresses announced for media instead of the machine's own, for a server behind NAT."`
	Origins        []string       `group:"Network" name:"allowed-origin" placeholder:"https://HOST" help:"Other web origins whose pages may open the WebSocket. The server's own is always allowed."`
	TrustedProxies []netip.Prefix `group:"Network" name:"trusted-proxy" placeholder:"CIDR" help:"Proxies in front of this server, whose X-Forwarded-For and X-Forwarded-Proto are believed."`

	TLS          string `group:"TLS" name:"tls" default:"auto" placeholder:"MODE" accept:"auto,files,self-signed,off" help:"auto (files if tls-cert is set, else self-signed), files, self-signed (development), or off (plain HTTP on loopback)."`
	TLSCert      string `group:"TLS" name:"tls-cert" placeholder:"FILE" help:"Certificate chain, PEM. Read again when it changes."`
	TLSKey       string `group:"TLS" name:"tls-key" placeholder:"FILE" help:"Private key of the certificate, PEM."`
	InsecureHTTP bool   `group:"TLS" name:"insecure-http" help:"With tls off: allow plain HTTP on addresses other than loopback. Only behind a proxy that speaks TLS."`

	DataDir    string        `group:"State" default:"data" placeholder:"DIR" help:"Folder for the database and the development certificate."`
	Store      string        `group:"State" placeholder:"URL" help:"Where calls are recorded: sqlite:FILE. Empty: sotto.db in the data folder."`
	CallExpiry time.Duration `group:"State" default:"720h" placeholder:"TIME" help:"How long a call that nobody joins is remembered."`

	MetricsListen   string        `group:"Operation" placeholder:"HOST:PORT" help:"Separate plain HTTP address for /metrics, /healthz and /readyz. Empty: /metrics is on the main port, for loopback peers only. off: no metrics."`
	LogLevel        string        `group:"Operation" default:"info" placeholder:"LEVEL" accept:"debug,info,warn,error" help:"debug, info, warn or error. Addresses of users appear at debug only."`
	LogFormat       string        `group:"Operation" default:"text" placeholder:"FORMAT" accept:"text,json" help:"text or json."`
	ShutdownDelay   time.Duration `group:"Operation" default:"0s" placeholder:"TIME" help:"On SIGTERM, how long /readyz fails before the server stops accepting."`
	ShutdownTimeout time.Duration `group:"Operation" default:"10s" placeholder:"TIME" help:"How long an orderly stop may take after that."`

	MaxConnections      int           `group:"Limits" default:"8192" placeholder:"N" help:"Open TCP connections."`
	MaxConnectionsPerIP int           `group:"Limits" name:"max-connections-per-ip" default:"256" placeholder:"N" help:"Open WebSockets from one IPv4 address or IPv6 /64; four times as many TCP connections."`
	MaxParticipants     int           `group:"Limits" default:"50" placeholder:"N" help:"Participants per call."`
	MaxCallsPerDevice   int           `group:"Limits" default:"8" placeholder:"N" help:"Calls one device may be in, and may hold open as creator."`
	MaxMessageBytes     int           `group:"Limits" default:"262144" placeholder:"BYTES" help:"Largest WebSocket message."`
	MessageRate         int           `group:"Limits" default:"50" placeholder:"N" help:"Requests per second and connection, sustained."`
	MessageBurst        int           `group:"Limits" default:"200" placeholder:"N" help:"Requests that may come at once."`
	AudioSlots          int           `group:"Limits" default:"16" placeholder:"N" help:"Audio receive slots a participant may offer."`
	VideoSlots          int           `group:"Limits" default:"16" placeholder:"N" help:"Video receive slots a participant may offer."`
	ResumeWindow        time.Duration `group:"Limits" default:"30s" placeholder:"TIME" help:"How long a participant whose WebSocket is lost keeps its place."`
}

// Default returns the options as they are when nothing is configured.
func Default() *Options {
	cfg, err := Parse(nil, Env(nil))
	if err != nil {
		panic("config: the defaults do not pass: " + err.Error())
	}
	return &cfg.Options
}
