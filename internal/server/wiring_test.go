package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/internal/portmux"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// dialSignaling opens a WebSocket as the page does.
func dialSignaling(t *testing.T, s *Server, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := websocket.Dialer{TLSClientConfig: insecure, Subprotocols: []string{protocol.Subprotocol}, HandshakeTimeout: patience}
	ws, resp, err := d.Dial(strings.Replace(s.URL(), "http", "ws", 1)+protocol.Path, header)
	if err == nil {
		t.Cleanup(func() { _ = ws.Close() })
		_ = ws.SetReadDeadline(time.Now().Add(patience))
	}
	return ws, resp, err
}

func request(t *testing.T, ws *websocket.Conn, id uint64, name string, body any) protocol.Envelope {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteJSON(protocol.Envelope{ID: id, Type: name, Body: raw}); err != nil {
		t.Fatal(err)
	}
	var reply protocol.Envelope
	if err := ws.ReadJSON(&reply); err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestSignalingIsWired(t *testing.T) {
	s := start(t, "--max-participants=7", "--resume-window=45s")
	ws, _, err := dialSignaling(t, s, http.Header{"Origin": {s.URL()}})
	if err != nil {
		t.Fatal(err)
	}
	reply := request(t, ws, 1, protocol.TypeHello, protocol.HelloRequest{Client: "test/1"})
	var hello protocol.HelloReply
	if err := json.Unmarshal(reply.Body, &hello); err != nil || reply.Error != nil {
		t.Fatalf("%+v, %v", reply, err)
	}
	if hello.Limits.Participants != 7 || hello.ResumeMillis != 45_000 || !strings.HasPrefix(hello.Server, "sotto-sfu/") {
		t.Errorf("the options did not arrive: %+v", hello)
	}
	// A login that proves nothing is refused by the real check.
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	reply = request(t, ws, 2, protocol.TypeLogin, protocol.LoginRequest{DeviceKey: protocol.Bytes(key), Signature: make([]byte, 64)})
	if reply.Error == nil || reply.Error.Code != protocol.CodeBadSignature {
		t.Errorf("login without proof: %+v", reply)
	}
	var ce *websocket.CloseError
	for err == nil {
		_, _, err = ws.ReadMessage()
	}
	if !errors.As(err, &ce) || ce.Code != protocol.CloseUnauthorized {
		t.Errorf("login without proof: %v", err)
	}
}

func TestOrigins(t *testing.T) {
	s := start(t, "--allowed-origin=https://app.example/")
	for origin, want := range map[string]bool{
		"": true, s.URL(): true, "https://app.example": true,
		"https://evil.example": false, "http://app.example": false, "null": false,
	} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		_, resp, err := dialSignaling(t, s, header)
		if (err == nil) != want {
			t.Errorf("origin %q: %v, %v", origin, resp, err)
		}
	}
}

func TestPublicHostOnly(t *testing.T) {
	s := start(t, "--public-url=https://sotto.example")
	dial := func(host string) bool {
		d := websocket.Dialer{
			TLSClientConfig: insecure, Subprotocols: []string{protocol.Subprotocol},
			NetDial: func(string, string) (net.Conn, error) { return net.Dial("tcp", s.Addr().String()) },
		}
		ws, _, err := d.Dial("wss://"+host+protocol.Path, nil)
		if err == nil {
			_ = ws.Close()
		}
		return err == nil
	}
	for host, want := range map[string]bool{
		"sotto.example": true, "sotto.example:443": true, fmt.Sprintf("localhost:%d", s.Addr().Port): true,
		"other.example": false, "sotto.example:8443": false, "localhost:1": false,
	} {
		if got := dial(host); got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}

// TestMediaOverTCPReachesICE sends a STUN binding request to the TCP port, as
// ICE-TCP does. Nobody's credentials are in it, so the answer is a closed
// connection; what counts is where the port sent it.
func TestMediaOverTCPReachesICE(t *testing.T) {
	s := start(t)
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stun := make([]byte, 20)
	stun[1] = 1                                       // binding request
	binary.BigEndian.PutUint32(stun[4:], 0x2112_a442) // magic cookie
	if _, err := c.Write(append([]byte{0, 20}, stun...)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the connection to be sorted", func() bool {
		_, body := get(t, s.URL()+"/metrics")
		return strings.Contains(body, `sotto_tcp_accepted_total{protocol="ice"} 1`)
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// TestShutdownTellsClients: an open WebSocket hears of the stop and is closed,
// a slow request finishes, and the ports are free again.
func TestShutdownTellsClients(t *testing.T) {
	s := start(t)
	ws, _, err := dialSignaling(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	request(t, ws, 1, protocol.TypeHello, protocol.HelloRequest{Client: "test/1"})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	var ce *websocket.CloseError
	for err == nil {
		_, _, err = ws.ReadMessage()
	}
	if !errors.As(err, &ce) || ce.Code != websocket.CloseGoingAway {
		t.Errorf("closed with %v, want 1001", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", s.Addr().String())
	if err != nil {
		t.Fatalf("the TCP port is not free: %v", err)
	}
	_ = l.Close()
	u, err := net.ListenPacket("udp", s.Addr().String())
	if err != nil {
		t.Fatalf("the UDP port is not free: %v", err)
	}
	_ = u.Close()
}

// TestShutdownDeadline: a request that never ends does not keep the server.
func TestShutdownDeadline(t *testing.T) {
	cfg := options(t)
	s, err := Start(t.Context(), cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", s.Addr().String(), insecure)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n"); err != nil { // and never the rest
		t.Fatal(err)
	}
	waitFor(t, "the connection to be accepted", func() bool { return s.mux.Stats().Accepted[portmux.TLS] == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to be told that it was cut short", err)
	}
	if took := time.Since(began); took > readHeaderTimeout/2 {
		t.Errorf("took %v", took)
	}
}

func TestPanicsAreLoggedWithoutAddresses(t *testing.T) {
	var out bytes.Buffer
	l := quietLog(slog.New(slog.NewTextHandler(&out, nil)))
	l.Printf("http: TLS handshake error from 192.0.2.1:5: EOF")
	if out.Len() > 0 {
		t.Errorf("an address at level info: %s", out.String())
	}
	l.Printf("http: panic serving 192.0.2.1:5: boom\ngoroutine 1 [running]:")
	if text := out.String(); !strings.Contains(text, "boom") || !strings.Contains(text, "goroutine 1") || strings.Contains(text, "192.0.2.1") {
		t.Errorf("got %s", text)
	}
}
