package testkit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// ClientConfig says what a Client sends and receives.
type ClientConfig struct {
	Publish []protocol.Source
	Video   codec.Codec // of camera and screen; VP8 if not set
	Slots   int         // receive sections of each kind
	TCP     bool        // reach the server by ICE-TCP only
	// Answer may change the answer before the client sees it.
	Answer func(sdp string) string
	// NoRepair leaves out the client's NACKs and retransmissions.
	NoRepair bool
}

// Answerer is the server's side of a Client: an *sfu.Peer, or signalling in front of one.
type Answerer interface {
	Offer(ctx context.Context, sdp string, sections []protocol.Section) (string, error)
}

// Client is a WebRTC participant made of Pion, whose media are packets that the test
// writes and reads.
type Client struct {
	PC       *webrtc.PeerConnection
	Sections []protocol.Section
	cfg      ClientConfig
	tracks   map[protocol.Source]*webrtc.TrackLocalStaticRTP
	raw      map[protocol.Source]*rawTrack

	mu        sync.Mutex
	changed   chan struct{} // closed and replaced at every change
	connected bool
	received  map[string][]Received // by mid
	requests  map[protocol.Source]int
	reports   map[string][]*rtcp.SenderReport
	streams   map[string]string // stream id by mid
	reading   sync.WaitGroup
}

// Received is one packet that came to a client.
type Received struct {
	*rtp.Packet
	Codec codec.Codec
	At    time.Time
}

// NewClient makes a client, closed at the end of the test.
func NewClient(t testing.TB, cfg ClientConfig) *Client {
	t.Helper()
	if cfg.Video == codec.Unknown {
		cfg.Video = codec.VP8
	}
	c := &Client{
		cfg:     cfg,
		tracks:  map[protocol.Source]*webrtc.TrackLocalStaticRTP{},
		raw:     map[protocol.Source]*rawTrack{},
		changed: make(chan struct{}), received: map[string][]Received{},
		requests: map[protocol.Source]int{}, reports: map[string][]*rtcp.SenderReport{},
		streams: map[string]string{},
	}
	var err error
	if c.PC, err = clientAPI(t, cfg).NewPeerConnection(webrtc.Configuration{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.PC.OnTrack(c.onTrack)
	c.PC.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		c.change(func() { c.connected = s == webrtc.PeerConnectionStateConnected })
	})
	for _, src := range cfg.Publish {
		c.publish(t, src)
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for range cfg.Slots {
			if _, err := c.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

// rawTrack remembers where a track writes to.
type rawTrack struct {
	*webrtc.TrackLocalStaticRTP
	writer webrtc.TrackLocalWriter
}

func (r *rawTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	r.writer = ctx.WriteStream()
	return r.TrackLocalStaticRTP.Bind(ctx)
}

func clientAPI(t testing.TB, cfg ClientConfig) *webrtc.API {
	t.Helper()
	m := &webrtc.MediaEngine{}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	feedback := []webrtc.RTCPFeedback{{Type: "goog-remb"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}}
	must(m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1"},
		PayloadType:        111,
	}, webrtc.RTPCodecTypeAudio))
	for i, v := range []struct{ mime, fmtp string }{
		{webrtc.MimeTypeVP8, ""}, {webrtc.MimeTypeVP9, "profile-id=0"}, {webrtc.MimeTypeAV1, ""},
	} {
		pt := webrtc.PayloadType(96 + 2*i)
		must(m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: v.mime, ClockRate: 90000, SDPFmtpLine: v.fmtp, RTCPFeedback: feedback},
			PayloadType:        pt,
		}, webrtc.RTPCodecTypeVideo))
		must(m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt)},
			PayloadType:        pt + 1,
		}, webrtc.RTPCodecTypeVideo))
	}
	registry := &interceptor.Registry{}
	must(webrtc.ConfigureRTCPReports(registry))
	if !cfg.NoRepair {
		must(webrtc.ConfigureNack(m, registry))
		must(webrtc.ConfigureTWCCSender(m, registry))
	}
	s := webrtc.SettingEngine{}
	s.SetIncludeLoopbackCandidate(true)
	if cfg.TCP {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	} else {
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	}
	s.SetSRTPReplayProtectionWindow(1024)
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(registry))
}

func (c *Client) publish(t testing.TB, src protocol.Source) {
	t.Helper()
	mime, kind := webrtc.MimeTypeOpus, "audio"
	if src.Video() {
		mime, kind = "video/"+c.cfg.Video.String(), "video"
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, string(src), kind)
	if err != nil {
		t.Fatal(err)
	}
	raw := &rawTrack{TrackLocalStaticRTP: track}
	tr, err := c.PC.AddTransceiverFromTrack(raw, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	c.tracks[src], c.raw[src] = track, raw
	c.reading.Go(func() {
		for {
			pkts, _, err := tr.Sender().ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range pkts {
				switch p.(type) {
				case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
					c.change(func() { c.requests[src]++ })
				}
			}
		}
	})
}

// Offer makes the offer (or, with restart, one with new ICE credentials) and the list of its sections.
func (c *Client) Offer(t testing.TB, restart bool) string {
	t.Helper()
	offer, err := c.PC.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(c.PC)
	if err := c.PC.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	c.Sections = nil
	publish := c.cfg.Publish
	for _, tr := range c.PC.GetTransceivers() {
		s := protocol.Section{Mid: tr.Mid()}
		if tr.Direction() == webrtc.RTPTransceiverDirectionSendonly {
			s.Publish, publish = publish[0], publish[1:]
		} else {
			s.Receive = protocol.MediaKind(tr.Kind().String())
		}
		c.Sections = append(c.Sections, s)
	}
	return c.PC.LocalDescription().SDP
}

// Answer gives the client the server's answer.
func (c *Client) Answer(t testing.TB, answer string) {
	t.Helper()
	if c.cfg.Answer != nil {
		answer = c.cfg.Answer(answer)
	}
	if err := c.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatalf("the client refuses the answer: %v\n%s", err, answer)
	}
}

// Connect negotiates and waits until media can flow.
func (c *Client) Connect(t testing.TB, server Answerer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	offer := c.Offer(t, false)
	answer, err := server.Offer(ctx, offer, c.Sections)
	if err != nil {
		t.Fatalf("offer refused: %v", err)
	}
	c.Answer(t, answer)
	c.Wait(t, "connection", func() bool { return c.connected })
}

// Wait waits until a condition on the client is true, which is evaluated under its lock.
func (c *Client) Wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		c.mu.Lock()
		done, changed := ok(), c.changed
		c.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// Received is what came in the slot with a mid so far.
func (c *Client) Received(mid string) []Received {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Received(nil), c.received[mid]...)
}

// Peek, Requests and Reports look at the client from inside a condition of Wait.
func (c *Client) Peek(mid string) []Received { return c.received[mid] }

// Requests is like KeyFrameRequests.
func (c *Client) Requests(src protocol.Source) int { return c.requests[src] }

// Reports is the number of SenderReports.
func (c *Client) Reports(mid string) int { return len(c.reports[mid]) }

// WaitPacket waits for a packet in a slot and returns the first one that fits.
func (c *Client) WaitPacket(t testing.TB, mid, what string, fits func(p Received) bool) Received {
	t.Helper()
	var found Received
	c.Wait(t, what, func() bool {
		for _, p := range c.received[mid] {
			if fits(p) {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// KeyFrameRequests is how many PLIs and FIRs came for a source.
func (c *Client) KeyFrameRequests(src protocol.Source) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[src]
}

// SenderReports are those that came for a slot.
func (c *Client) SenderReports(mid string) []*rtcp.SenderReport {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*rtcp.SenderReport(nil), c.reports[mid]...)
}

// Stream is the media stream id of a slot, empty before its first packet.
func (c *Client) Stream(mid string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[mid]
}

// Write sends a packet of a source. SSRC and payload type are filled in.
func (c *Client) Write(src protocol.Source, p *rtp.Packet) error {
	p.Version = 2
	return c.tracks[src].WriteRTP(p)
}

// Writer gives access to the connection below a track, for packets that no honest
// client would send.
func (c *Client) Writer(src protocol.Source) webrtc.TrackLocalWriter { return c.raw[src].writer }

// Codec is the one that a source is sent with.
func (c *Client) Codec(src protocol.Source) codec.Codec {
	if src.Video() {
		return c.cfg.Video
	}
	return codec.Opus
}

// Slot is the mid of the k-th receive section of a kind.
func (c *Client) Slot(kind protocol.MediaKind, k int) string {
	for _, s := range c.Sections {
		if s.Receive == kind {
			if k == 0 {
				return s.Mid
			}
			k--
		}
	}
	return ""
}

func (c *Client) onTrack(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	mid := ""
	for _, tr := range c.PC.GetTransceivers() {
		if tr.Receiver() == receiver {
			mid = tr.Mid()
		}
	}
	c.change(func() { c.streams[mid] = track.StreamID() })
	c.reading.Go(func() {
		for {
			pkts, _, err := receiver.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range pkts {
				if sr, ok := p.(*rtcp.SenderReport); ok {
					c.change(func() { c.reports[mid] = append(c.reports[mid], sr) })
				}
			}
		}
	})
	c.reading.Go(func() {
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			r := Received{Packet: p, Codec: codec.ByName(track.Codec().MimeType), At: time.Now()}
			c.change(func() { c.received[mid] = append(c.received[mid], r) })
		}
	})
}

func (c *Client) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Close ends the client.
func (c *Client) Close() {
	_ = c.PC.GracefulClose()
	c.reading.Wait()
}

// Redirect changes the port of an answer's candidates, to lead a client through a Relay.
func Redirect(from, to uint16) func(string) string {
	return func(sdp string) string {
		return strings.ReplaceAll(sdp, fmt.Sprintf(" %d typ host", from), fmt.Sprintf(" %d typ host", to))
	}
}
