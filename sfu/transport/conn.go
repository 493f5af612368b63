package transport

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// CloseTimeout bounds Conn.Close. Pion's may hang on a socket that does not drain.
const CloseTimeout = 2 * time.Second

// ErrNotConnected says that a packet was not sent because the connection is not up yet.
var ErrNotConnected = errors.New("transport: not connected yet")

// errOrder is a caller's mistake, not a participant's: signalling checks the order.
var errOrder = errors.New("transport: offer given twice, or restart before it")

type conn struct {
	handler Handler
	log     *slog.Logger
	pc      *webrtc.PeerConnection
	out     atomic.Pointer[webrtc.TrackLocalWriter]
	closing atomic.Bool
	done    chan struct{} // closed when Close has finished

	stateMu sync.Mutex
	told    webrtc.PeerConnectionState

	mu      sync.Mutex // one negotiation at a time
	offer   *Offer
	session *Session
	id      uint64
	version int
}

func (c *conn) open(api *webrtc.API, certificate webrtc.Certificate) error {
	c.done = make(chan struct{})
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
	if err != nil {
		return fmt.Errorf("making a connection: %w", err)
	}
	c.pc = pc
	var id [8]byte
	rand.Read(id[:])
	c.id = binary.BigEndian.Uint64(id[:]) >> 2 // RFC 8829 §5.2.1 wants 62 bits
	_, err = pc.AddTrack(&outlet{bound: func(w webrtc.TrackLocalWriter) { c.out.Store(&w) }})
	if err != nil {
		_ = pc.Close()
		return fmt.Errorf("making a connection: %w", err)
	}
	pc.OnConnectionStateChange(c.state)
	return nil
}

// state is called by Pion on goroutines of their own, so that the newest state may be
// told first: what is passed on is always the state as it is now, each change once.
func (c *conn) state(webrtc.PeerConnectionState) {
	c.stateMu.Lock()
	defer c.stateMu.Unlock()
	now := c.pc.ConnectionState()
	if now == c.told {
		return
	}
	c.told = now
	switch now {
	case webrtc.PeerConnectionStateConnected:
		// Pion says so before it has started SRTP, and until then drops what is written.
		// An empty report makes it start.
		report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{}})
		if err == nil {
			err = c.WriteRTCP(report)
		}
		if err != nil {
			c.log.Debug("first report not sent", slog.Any("error", err))
		}
		c.handler.State(Connected)
	case webrtc.PeerConnectionStateDisconnected:
		c.handler.State(Disconnected)
	case webrtc.PeerConnectionStateFailed:
		c.handler.State(Failed)
	case webrtc.PeerConnectionStateClosed:
		if !c.closing.Load() {
			c.handler.State(Closed)
		}
	}
}

// Offer implements Conn.
func (c *conn) Offer(ctx context.Context, sdp string, sections []protocol.Section) (string, *Session, error) {
	o, err := ParseOffer(sdp, sections)
	if err != nil {
		return "", nil, err
	}
	s, err := negotiate(o, func(b []byte) { rand.Read(b) })
	if err != nil {
		return "", nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session != nil {
		return "", nil, errOrder
	}
	l, err := c.negotiate(ctx, o)
	if err != nil {
		return "", nil, err
	}
	c.offer, c.session = o, s
	return answer(o, s, l), s, nil
}

// Restart implements Conn.
func (c *conn) Restart(ctx context.Context, sdp string) (string, error) {
	desc, err := unmarshal(sdp)
	if err != nil {
		return "", err
	}
	o := &Offer{}
	if err := o.session(desc); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return "", errOrder
	}
	mids := make([]string, 0, len(desc.MediaDescriptions))
	for _, m := range desc.MediaDescriptions {
		mid, _ := m.Attribute("mid")
		mids = append(mids, mid)
	}
	if !slices.EqualFunc(mids, c.offer.sections, func(mid string, s offeredSection) bool { return mid == s.mid }) {
		return "", badSDP("an ICE restart must have the same sections as the offer")
	}
	if o.ufrag == c.offer.ufrag || o.pwd == c.offer.pwd {
		return "", badSDP("an ICE restart must have new a=ice-ufrag and a=ice-pwd (RFC 8445 section 2.4)")
	}
	if o.fingerprint != c.offer.fingerprint {
		return "", badSDP("an ICE restart must keep a=fingerprint; join again for a new one")
	}
	o.setup = c.offer.setup // DTLS goes on, whatever role the client would now like
	l, err := c.negotiate(ctx, o)
	if err != nil {
		return "", err
	}
	c.offer.ufrag, c.offer.pwd = o.ufrag, o.pwd
	return answer(c.offer, c.session, l), nil
}

// negotiate lets Pion answer for ICE and DTLS.
func (c *conn) negotiate(ctx context.Context, o *Offer) (local, error) {
	version := c.version + 1
	offer := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: engineOffer(o, version)}
	if err := c.pc.SetRemoteDescription(offer); err != nil {
		return local{}, fmt.Errorf("starting ICE: %w", err)
	}
	ans, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return local{}, fmt.Errorf("starting ICE: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(ans); err != nil {
		return local{}, fmt.Errorf("starting ICE: %w", err)
	}
	// With one socket and host candidates only, this takes microseconds.
	select {
	case <-gathered:
	case <-ctx.Done():
		return local{}, fmt.Errorf("gathering candidates: %w", ctx.Err())
	case <-c.done:
		return local{}, errors.New("gathering candidates: connection closed")
	}
	l, err := engineAnswer(c.pc.LocalDescription().SDP)
	if err != nil {
		return local{}, err
	}
	if len(l.candidates) == 0 {
		return local{}, errors.New("no address to offer: the socket is bound to none that participants can reach " +
			"(on a machine without a network, allow loopback)")
	}
	c.version = version
	l.id, l.version = c.id, version
	return l, nil
}

var headers = sync.Pool{New: func() any { return new(rtp.Header) }}

// WriteRTP implements Conn.
func (c *conn) WriteRTP(pkt []byte) error {
	out := c.out.Load()
	if out == nil {
		return ErrNotConnected
	}
	h := headers.Get().(*rtp.Header)
	defer headers.Put(h)
	payload, err := header(h, pkt)
	if err != nil {
		return err
	}
	n, err := (*out).WriteRTP(h, payload)
	if err != nil {
		return fmt.Errorf("sending rtp: %w", err)
	}
	if n == 0 { // SRTP has not started
		return ErrNotConnected
	}
	return nil
}

// WriteRTCP implements Conn.
func (c *conn) WriteRTCP(pkt []byte) error {
	if err := c.pc.WriteRTCP([]rtcp.Packet{rawRTCP(pkt)}); err != nil {
		return fmt.Errorf("sending rtcp: %w", err)
	}
	return nil
}

// flooded ends a connection that uses too many SSRCs. It is called on Pion's
// goroutines, which Close waits for.
func (c *conn) flooded() {
	if !c.closing.Load() {
		c.log.Warn("connection closed: too many SSRCs")
		c.handler.State(Closed)
		go c.Close()
	}
}

// Close implements Conn.
func (c *conn) Close() {
	if c.closing.CompareAndSwap(false, true) {
		go func() {
			defer close(c.done)
			if err := c.pc.Close(); err != nil {
				c.log.Debug("closing a connection", slog.Any("error", err))
			}
		}()
	}
	timeout := time.NewTimer(CloseTimeout)
	defer timeout.Stop()
	select {
	case <-c.done:
	case <-timeout.C:
		c.log.Warn("a connection did not close in time")
	}
}
