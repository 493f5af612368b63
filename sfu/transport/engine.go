package transport

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// The description Pion sees instead of the participant's. It has one section in each
// direction, which is what makes PeerConnection start SRTP; what really flows is
// none of its business. Two, and not one, because with a single section it would
// attribute every unknown SSRC to it and add transceivers.
const (
	engineAudioPT = 111
	engineVideoPT = 96
)

// engineOffer writes that description around the participant's ICE and DTLS parameters.
func engineOffer(o *Offer, version int) string {
	w := &writer{}
	w.line("v=0")
	w.line("o=- 1 %d IN IP4 0.0.0.0", version)
	w.line("s=-")
	w.line("t=0 0")
	w.line("a=group:BUNDLE 0 1")
	w.line("a=fingerprint:%s", o.fingerprint)
	for _, m := range []struct {
		kind, rtpmap, direction string
		pt, mid                 int
	}{
		{"audio", "opus/48000/2", "sendrecv", engineAudioPT, 0},
		{"video", "VP8/90000", "sendonly", engineVideoPT, 1},
	} {
		w.line("m=%s 9 UDP/TLS/RTP/SAVPF %d", m.kind, m.pt)
		w.line("c=IN IP4 0.0.0.0")
		w.line("a=ice-ufrag:%s", o.ufrag)
		w.line("a=ice-pwd:%s", o.pwd)
		w.line("a=setup:%s", o.setup)
		w.line("a=mid:%d", m.mid)
		w.line("a=rtcp-mux")
		w.line("a=%s", m.direction)
		w.line("a=rtpmap:%d %s", m.pt, m.rtpmap)
	}
	return w.String()
}

// engineMedia is the codec list that goes with engineOffer.
func engineMedia() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2},
		PayloadType:        engineAudioPT,
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, fmt.Errorf("registering audio: %w", err)
	}
	err = m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000},
		PayloadType:        engineVideoPT,
	}, webrtc.RTPCodecTypeVideo)
	if err != nil {
		return nil, fmt.Errorf("registering video: %w", err)
	}
	return m, nil
}

// engineAnswer takes our ICE and DTLS parameters out of Pion's answer.
func engineAnswer(text string) (local, error) {
	desc := &sdp.SessionDescription{}
	if err := desc.UnmarshalString(text); err != nil {
		return local{}, fmt.Errorf("reading our own answer: %w", err)
	}
	if len(desc.MediaDescriptions) == 0 {
		return local{}, errors.New("our own answer has no section")
	}
	first := desc.MediaDescriptions[0]
	attr := func(key string) string {
		if v, ok := first.Attribute(key); ok {
			return v
		}
		v, _ := desc.Attribute(key)
		return v
	}
	l := local{ufrag: attr("ice-ufrag"), pwd: attr("ice-pwd"), fingerprint: attr("fingerprint"), setup: attr("setup")}
	for _, a := range first.Attributes {
		// Component 2 would be separate RTCP, which rtcp-mux rules out.
		if f := strings.Fields(a.Value); a.Key == "candidate" && len(f) > 1 && f[1] == "1" {
			l.candidates = append(l.candidates, a.Value)
		}
	}
	if l.ufrag == "" || l.pwd == "" || l.fingerprint == "" || l.setup == "" {
		return local{}, errors.New("our own answer lacks ICE or DTLS parameters")
	}
	return l, nil
}

// outlet is the one track of a PeerConnection: a way to get at its SRTP writer, which
// takes packets of any SSRC and payload type.
type outlet struct{ bound func(webrtc.TrackLocalWriter) }

var _ webrtc.TrackLocal = (*outlet)(nil)

func (o *outlet) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	o.bound(ctx.WriteStream())
	for _, c := range ctx.CodecParameters() {
		if strings.EqualFold(c.MimeType, webrtc.MimeTypeOpus) {
			return c, nil
		}
	}
	return webrtc.RTPCodecParameters{}, errors.New("engine without opus")
}

func (o *outlet) Unbind(webrtc.TrackLocalContext) error { return nil }
func (o *outlet) ID() string                            { return "out" }
func (o *outlet) RID() string                           { return "" }
func (o *outlet) StreamID() string                      { return "out" }
func (o *outlet) Kind() webrtc.RTPCodecType             { return webrtc.RTPCodecTypeAudio }

// rawRTCP passes bytes through an interface that wants packets.
type rawRTCP []byte

func (r rawRTCP) DestinationSSRC() []uint32 { return nil }
func (r rawRTCP) Marshal() ([]byte, error)  { return r, nil }
func (r rawRTCP) Unmarshal(b []byte) error  { return errors.ErrUnsupported }
func (r rawRTCP) MarshalSize() int          { return len(r) }

// header parses into h, reusing its slices.
func header(h *rtp.Header, pkt []byte) (payload []byte, err error) {
	n, err := h.Unmarshal(pkt)
	if err != nil {
		return nil, fmt.Errorf("rtp header: %w", err)
	}
	return pkt[n:], nil
}
