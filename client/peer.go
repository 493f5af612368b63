package client

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// How soon ICE notices that the path is gone, and how often it checks. Shorter than
// Pion's defaults: a call should be back within seconds.
const (
	iceKeepAlive    = time.Second
	iceDisconnected = 3 * time.Second
	iceFailed       = 10 * time.Second
	// closeTimeout bounds the closing of a PeerConnection, which can hang.
	closeTimeout = 3 * time.Second
)

// peer is one PeerConnection to the server, for one joining of the call: four publish
// sections and the receive slots, negotiated once.
type peer struct {
	pc       *webrtc.PeerConnection
	sends    map[protocol.Source]*sendTrack
	receives map[string]protocol.MediaKind // by mid
	sections []protocol.Section
	wg       sync.WaitGroup
	tracks   atomic.Int32 // that the server has opened
}

const (
	// maxTracksPerSlot bounds the streams that a server may open in our slots.
	maxTracksPerSlot = 2
	// maxCandidates bounds the addresses of a server: we send a check to each of them, and
	// must not be made to knock on the doors of strangers.
	maxCandidates = 32
)

// peerEvents is what a peer has to tell. The methods are called on Pion's goroutines.
type peerEvents interface {
	mediaState(p *peer, s webrtc.PeerConnectionState)
	keyFrameNeeded(s protocol.Source)
	// receive serves a slot until the track ends.
	receive(p *peer, mid string, track *webrtc.TrackRemote)
}

// newPeer makes the connection and its offer.
func newPeer(api *webrtc.API, audio, video int, ev peerEvents) (*peer, string, error) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		return nil, "", fmt.Errorf("client: making a media connection: %w", err)
	}
	p := &peer{pc: pc, sends: make(map[protocol.Source]*sendTrack), receives: make(map[string]protocol.MediaKind)}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { ev.mediaState(p, s) })
	pc.OnTrack(func(track *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		mid := r.RTPTransceiver().Mid()
		if _, ok := p.receives[mid]; !ok || int(p.tracks.Add(1)) > maxTracksPerSlot*len(p.receives) {
			return // the server sends where it was not asked to
		}
		p.wg.Add(2)
		go func() { defer p.wg.Done(); p.readRTCP(r.Read, func([]rtcp.Packet) {}) }()
		go func() { defer p.wg.Done(); ev.receive(p, mid, track) }()
	})
	sdp, err := p.offer(audio, video, ev)
	if err != nil {
		p.close()
		return nil, "", err
	}
	return p, sdp, nil
}

func (p *peer) offer(audio, video int, ev peerEvents) (string, error) {
	var transceivers []*webrtc.RTPTransceiver
	for _, s := range protocol.Sources {
		t := &sendTrack{id: string(s), stream: "self", kind: webrtc.RTPCodecTypeAudio}
		if s.Video() {
			t.kind = webrtc.RTPCodecTypeVideo
		}
		if s == protocol.SourceScreen || s == protocol.SourceScreenAudio {
			t.stream = "screen"
		}
		tr, err := p.pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return "", fmt.Errorf("client: adding a publish section: %w", err)
		}
		p.sends[s] = t
		transceivers = append(transceivers, tr)
		p.sections = append(p.sections, protocol.Section{Publish: s})
		p.wg.Add(1)
		go func() {
			defer p.wg.Done()
			p.watchRequests(tr.Sender(), func() { ev.keyFrameNeeded(s) })
		}()
	}
	for i := range audio + video {
		kind, section := webrtc.RTPCodecTypeAudio, protocol.KindAudio
		if i >= audio {
			kind, section = webrtc.RTPCodecTypeVideo, protocol.KindVideo
		}
		tr, err := p.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return "", fmt.Errorf("client: adding a slot: %w", err)
		}
		transceivers = append(transceivers, tr)
		p.sections = append(p.sections, protocol.Section{Receive: section})
	}
	sdp, err := p.localOffer(nil)
	if err != nil {
		return "", err
	}
	for i, tr := range transceivers {
		p.sections[i].Mid = tr.Mid()
		if kind := p.sections[i].Receive; kind != "" {
			p.receives[tr.Mid()] = kind
		}
	}
	return sdp, nil
}

// localOffer makes an offer and begins to gather; restart asks for new ICE
// credentials.
func (p *peer) localOffer(opts *webrtc.OfferOptions) (string, error) {
	offer, err := p.pc.CreateOffer(opts)
	if err != nil {
		return "", fmt.Errorf("client: making an offer: %w", err)
	}
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("client: making an offer: %w", err)
	}
	return withoutCandidates(offer.SDP), nil
}

// withoutCandidates takes our addresses out of an offer. The server is ICE-lite: it
// learns where we are from the checks that reach it, and needs no list of the addresses of
// our private networks.
func withoutCandidates(sdp string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=candidate:") || strings.HasPrefix(line, "a=end-of-candidates") {
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// answer takes in the server's answer.
func (p *peer) answer(sdp string) error {
	if n := strings.Count(sdp, "\na=candidate:"); n > maxCandidates {
		return fmt.Errorf("client: the server has %d addresses", n)
	}
	err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp})
	if err != nil {
		return fmt.Errorf("client: the server's answer cannot be used: %w", err)
	}
	return nil
}

// restart makes the offer of an ICE restart.
func (p *peer) restart() (string, error) {
	return p.localOffer(&webrtc.OfferOptions{ICERestart: true})
}

// requestKeyFrame asks for a key frame of what a slot carries (RFC 4585 §6.3.1).
func (p *peer) requestKeyFrame(ssrc webrtc.SSRC) {
	_ = p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(ssrc)}})
}

// transport is the protocol of the selected path, empty if there is none.
func (p *peer) transport() string {
	if p.pc.ConnectionState() != webrtc.PeerConnectionStateConnected {
		return ""
	}
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return ""
	}
	return pair.Local.Protocol.String()
}

// close ends the connection and waits for its goroutines, but not for ever. It
// reports whether all ended in time.
func (p *peer) close() bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.pc.Close()
		p.wg.Wait()
	}()
	select {
	case <-done:
		return true
	case <-time.After(closeTimeout):
		return false
	}
}

// watchRequests reads what receivers report on a track of ours, until it ends.
func (p *peer) watchRequests(sender *webrtc.RTPSender, keyFrame func()) {
	p.readRTCP(sender.Read, func(packets []rtcp.Packet) {
		for _, pkt := range packets {
			switch pkt.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				keyFrame()
			}
		}
	})
}

// readRTCP reads until the stream ends. Pion's interceptors live on these reads, so they
// are needed even where nobody cares for the packets.
func (p *peer) readRTCP(read func([]byte) (int, interceptor.Attributes, error), handle func([]rtcp.Packet)) {
	buf := make([]byte, receiveMTU)
	for failures := 0; ; {
		n, _, err := read(buf)
		if err != nil {
			if failures++; p.ended(err, failures) {
				return
			}
			continue
		}
		failures = 0
		if packets, err := rtcp.Unmarshal(buf[:n]); err == nil {
			handle(packets)
		}
	}
}

// ended tells whether a failed read was the last one. A packet that is too long or damaged
// fails a read too, and must not silence its stream for the rest of the call.
func (p *peer) ended(err error, failures int) bool {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || p.pc.ConnectionState() == webrtc.PeerConnectionStateClosed {
		return true
	}
	if failures > 100 {
		time.Sleep(5 * time.Millisecond) // whatever it is, it must not eat the machine
	}
	return false
}
