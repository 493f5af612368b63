package signaling

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestHandshakeRefusals(t *testing.T) {
	b := startServer(t, func(c *Config) {
		c.Hosts = []string{"call.example.org", "localhost:8443"}
		c.Origins = []string{"https://other.example.org"}
	})
	for _, tc := range []struct {
		name   string
		method string
		change func(*http.Request)
		want   int
	}{
		{"post", http.MethodPost, nil, http.StatusMethodNotAllowed},
		{"no host", "", func(r *http.Request) { r.Host = "" }, http.StatusBadRequest},
		{"another host", "", func(r *http.Request) { r.Host = "evil.example" }, http.StatusMisdirectedRequest},
		{"no upgrade", "", func(r *http.Request) { r.Header.Del("Upgrade") }, http.StatusUpgradeRequired},
		{"another version", "", func(r *http.Request) { r.Header.Set("Sec-Websocket-Version", "8") }, http.StatusUpgradeRequired},
		{"no subprotocol", "", func(r *http.Request) { r.Header.Del("Sec-Websocket-Protocol") }, http.StatusBadRequest},
		{"another subprotocol", "", func(r *http.Request) { r.Header.Set("Sec-Websocket-Protocol", "sotto.v2") }, http.StatusBadRequest},
		{"origin of another site", "", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
		{"origin of another port", "", func(r *http.Request) { r.Header.Set("Origin", "http://call.example.org:81") }, http.StatusForbidden},
		{"origin of another scheme", "", func(r *http.Request) { r.Header.Set("Origin", "https://call.example.org") }, http.StatusForbidden},
		{"opaque origin", "", func(r *http.Request) { r.Header.Set("Origin", "null") }, http.StatusForbidden},
		{"two origins", "", func(r *http.Request) {
			r.Header["Origin"] = []string{"http://call.example.org", "http://evil.example"}
		}, http.StatusForbidden},
		{"no key", "", func(r *http.Request) { r.Header.Del("Sec-Websocket-Key") }, http.StatusBadRequest},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://call.example.org"+protocol.Path, nil)
		if tc.method != "" {
			r.Method = tc.method
		}
		for k, v := range map[string]string{
			"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13",
			"Sec-Websocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-Websocket-Protocol": protocol.Subprotocol,
		} {
			r.Header.Set(k, v)
		}
		if tc.change != nil {
			tc.change(r)
		}
		w := httptest.NewRecorder()
		b.ServeHTTP(w, r)
		var body protocol.Envelope
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error == nil || body.Error.Code == "" {
			t.Errorf("%s: the answer %q carries no error", tc.name, w.Body)
		}
		if w.Code != tc.want {
			t.Errorf("%s: status %d (%s), want %d", tc.name, w.Code, w.Body, tc.want)
		}
	}
}

func TestHandshakeAccepts(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Origins = []string{"https://other.example.org"} })
	for _, origin := range []string{"", b.http.URL, "https://other.example.org", "https://OTHER.example.org:443"} {
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		d := websocket.Dialer{Subprotocols: []string{"something", protocol.Subprotocol}, EnableCompression: true}
		ws, resp, err := d.Dial(b.url, header)
		if err != nil {
			t.Errorf("origin %q: %v", origin, err)
			continue
		}
		if got := ws.Subprotocol(); got != protocol.Subprotocol {
			t.Errorf("subprotocol %q", got)
		}
		if ext := resp.Header.Get("Sec-Websocket-Extensions"); ext != "" {
			t.Errorf("extensions %q: compression leaks the length of secrets", ext)
		}
		_ = ws.Close()
	}
}

func TestLoginRefusals(t *testing.T) {
	b := startServer(t)
	for name, change := range map[string]func(*client, *protocol.LoginRequest){
		"changed signature": func(_ *client, r *protocol.LoginRequest) { r.Signature[0] ^= 1 },
		"another key":       func(c *client, r *protocol.LoginRequest) { r.DeviceKey = protocol.Bytes(newDevice(t).PublicKey()) },
		"another host": func(c *client, r *protocol.LoginRequest) {
			sig, err := c.device.SignLogin(make([]byte, 32), "evil.example")
			if err != nil {
				t.Fatal(err)
			}
			r.Signature = sig
		},
		"another connection's challenge": func(c *client, r *protocol.LoginRequest) {
			other := newClient(t, b.url)
			other.device = c.device
			other.dial()
			*r = other.loginRequest(other.hello().Challenge)
		},
	} {
		c := b.client()
		c.dial()
		req := c.loginRequest(c.hello().Challenge)
		change(c, &req)
		t.Log(name)
		c.refused(protocol.CodeBadSignature, protocol.TypeLogin, req)
		c.expectClose(protocol.CloseUnauthorized)
	}
	if n := b.Metrics().Sessions; n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestLoginTimeout(t *testing.T) {
	b := startServer(t)
	silent, greeted, in := b.client(), b.client(), b.client().login()
	silent.dial()
	greeted.dial()
	greeted.hello()
	eventually(t, "all are connected", func() bool { return b.Metrics().Connections == 3 })
	b.clock.advance(10 * time.Second)
	silent.expectClose(protocol.CloseLoginTimeout)
	greeted.expectClose(protocol.CloseLoginTimeout)
	must[protocol.PingReply](in, protocol.TypePing, protocol.PingRequest{})
}

func TestConnectionLimits(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Limits.ConnectionsPerIP = 2 })
	one, two, three := b.client(), b.client(), b.client()
	one.dial()
	two.dial()
	three.dial()
	three.expectClose(protocol.CloseTooManyPerKey)
	one.drop()
	eventually(t, "the place is free", func() bool { return b.Metrics().Connections == 1 })
	eventually(t, "the door is open", func() bool {
		c := b.client()
		c.dial()
		select {
		case <-c.ended:
			return false
		case <-time.After(50 * time.Millisecond):
			c.hello()
			return true
		}
	})
	if m := b.Metrics(); m.ConnectionsRefused == 0 || m.Closes[protocol.CloseTooManyPerKey] == 0 {
		t.Errorf("not counted: %+v", m)
	}
}

// The log of a server at its most talkative names nobody.
func TestLogsArePrivate(t *testing.T) {
	b := startServer(t)
	alice, bob, a := b.pair()
	alice.offer()
	alice.refused(protocol.CodeAlreadyDone, protocol.TypeMediaOffer, anOffer("again"))
	bob.refused(protocol.CodeMediaUnavailable, protocol.TypeMediaOffer, anOffer("fail"))
	must[protocol.CallSendReply](alice, protocol.TypeCallSend, protocol.CallSendRequest{Messages: []protocol.SealedMessage{{To: bob.self, Payload: []byte("sealed")}}})
	bob.expectMessage("sealed")
	bob.drop()
	alice.expectConnected(bob, false)
	bob.resume()
	alice.closeWith(1000)
	next[protocol.ParticipantLeftEvent](bob)
	logs := b.logs.String()
	if !strings.Contains(logs, "client connected") {
		t.Fatal("nothing was logged at all")
	}
	if found := containsAny(logs, string(a.id), string(alice.self), string(bob.self), string(alice.session), string(bob.session), alice.device.ID().String(), "127.0.0.1"); found != "" {
		t.Errorf("the log tells %q:\n%s", found, logs)
	}
}

func TestHello(t *testing.T) {
	b := startServer(t, func(c *Config) { c.Software = "sotto-sfu/9" })
	c := b.client()
	c.dial()
	h := c.hello()
	if h.Server != "sotto-sfu/9" || len(h.Challenge) != 32 || h.PingMillis != 10_000 || h.ResumeMillis != 30_000 || h.Limits.MessageBytes != 256<<10 {
		t.Errorf("%+v", h)
	}
	d := b.client()
	d.dial()
	if string(d.hello().Challenge) == string(h.Challenge) {
		t.Error("one challenge for two connections")
	}
}

func TestHTTPErrorsAreNotCached(t *testing.T) {
	b := startServer(t)
	resp, err := http.Get(b.http.URL + protocol.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(string(body), `"code":"bad_request"`) {
		t.Errorf("%d %v %s", resp.StatusCode, resp.Header, body)
	}
}
