package client

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Client is a device logged in to a server. Safe for concurrent use.
type Client struct {
	cfg  settled
	sess *session.Session

	mu   sync.Mutex
	call *Call
}

// Dial logs in. ctx bounds only that. With Config.URL it registers a new call.
// Errors are *Error; before any network use: link_damaged, bad_url, insecure_url.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	s, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	sess, err := session.Open(ctx, session.Config{
		Endpoint: s.endpoint, TLS: s.TLS, Device: s.device, Client: s.Program, GiveUp: s.GiveUp, Logger: s.log,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: s, sess: sess}
	if s.created {
		if err := c.register(ctx); err != nil {
			sess.Close()
			return nil, err
		}
	}
	return c, nil
}

// register makes the call known to the server. Doing it again is no error.
func (c *Client) register(ctx context.Context) error {
	admission := c.cfg.secret.AdmissionKey().Public().(ed25519.PublicKey)
	err := c.sess.Do(ctx, protocol.TypeCallCreate, protocol.CallCreateRequest{
		Call: protocol.CallID(c.cfg.secret.CallID().String()), AdmissionKey: protocol.Bytes(admission),
	}, nil)
	if err != nil {
		return fmt.Errorf("registering the call: %w", err)
	}
	return nil
}

// Invitation is the link to the call, for people and never for logs: who has it
// can join.
func (c *Client) Invitation() string {
	return call.Link{Secure: c.cfg.endpoint.Secure, Host: c.cfg.endpoint.Host, Secret: c.cfg.secret}.Reveal()
}

// CallID names the call; it gives nothing away.
func (c *Client) CallID() protocol.CallID { return protocol.CallID(c.cfg.secret.CallID().String()) }

// Server names the server's software, by its own word: at most 64 ASCII characters.
func (c *Client) Server() string { return c.sess.Hello().Server }

// Ping measures the way to the server and back through signalling.
func (c *Client) Ping(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	err := c.sess.Do(ctx, protocol.TypePing, protocol.PingRequest{}, nil)
	return time.Since(begin), err
}

// Join joins the call. It returns once the server has let us in and media is being
// connected; ctx bounds only that. One client joins once. Errors are *Error, e.g.
// no_such_call, call_full, timeout.
func (c *Client) Join(ctx context.Context) (*Call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.call != nil {
		return nil, session.Fail(session.Code(protocol.CodeAlreadyDone), "this client has joined already", nil)
	}
	call, err := newCall(ctx, c)
	if err != nil {
		return nil, err
	}
	c.call = call
	return call, nil
}

// Close ends everything at once, without telling the server. Call.Leave is kinder.
func (c *Client) Close() {
	c.mu.Lock()
	call := c.call
	c.mu.Unlock()
	c.sess.Close()
	if call != nil {
		<-call.Done()
		return
	}
	for range c.sess.Events() { // nobody else reads them
	}
}
