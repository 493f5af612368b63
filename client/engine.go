package client

import (
	"fmt"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/client/codec"
)

// Payload types are ours to choose: we are always the offerer. Few codecs keep the
// offer small (FACTS: SDP grows with codecs times sections).
var payloadTypes = []struct {
	codec codec.Codec
	pt    webrtc.PayloadType
	rtx   webrtc.PayloadType // 0: none
	fmtp  string
}{
	{codec.Opus, 111, 0, "minptime=10;useinbandfec=1"},
	{codec.VP8, 96, 97, ""},
	{codec.VP9, 98, 99, "profile-id=0"},
	{codec.AV1, 100, 101, "level-idx=5;profile=0;tier=0"},
}

// codecOf is the codec of a received payload type; empty for one we did not offer.
func codecOf(pt uint8) codec.Codec {
	for _, p := range payloadTypes {
		if uint8(p.pt) == pt {
			return p.codec
		}
	}
	return ""
}

// maxNacks is how often a lost packet is asked for. Pion's generator does not hear
// of packets that came back over RTX and would ask for them for ever.
const maxNacks = 8

// receiveMTU is the largest packet we read: any that fits an Ethernet frame.
const receiveMTU = 1500

// newAPI sets Pion up: our codecs, its default interceptors.
func newAPI(tcpOnly, loopback bool) (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	for _, p := range payloadTypes {
		if err := registerCodec(m, p.codec, p.pt, p.rtx, p.fmtp); err != nil {
			return nil, fmt.Errorf("client: registering %s: %w", p.codec, err)
		}
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}, kind); err != nil {
			return nil, fmt.Errorf("client: registering an extension: %w", err)
		}
	}
	r := &interceptor.Registry{}
	err := webrtc.RegisterDefaultInterceptorsWithOptions(m, r,
		webrtc.WithNackGeneratorOptions(nack.GeneratorMaxNacksPerPacket(maxNacks)))
	if err != nil {
		return nil, fmt.Errorf("client: registering interceptors: %w", err)
	}
	r.Add(codecFollower{})

	var e webrtc.SettingEngine
	types := []webrtc.NetworkType{webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6}
	if !tcpOnly {
		types = append(types, webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6)
	}
	e.SetNetworkTypes(types)
	e.SetIncludeLoopbackCandidate(loopback)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // our addresses are not sent at all, see withoutCandidates
	e.SetICETimeouts(iceDisconnected, iceFailed, iceKeepAlive)
	e.SetReceiveMTU(receiveMTU)
	e.SetSRTPReplayProtectionWindow(1024) // packets asked for again come late
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(e)), nil
}

func registerCodec(m *webrtc.MediaEngine, c codec.Codec, pt, rtx webrtc.PayloadType, fmtp string) error {
	capability := webrtc.RTPCodecCapability{MimeType: c.MimeType(), ClockRate: c.ClockRate(), SDPFmtpLine: fmtp}
	if !c.Video() {
		capability.Channels = 2
		return m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: capability, PayloadType: pt}, webrtc.RTPCodecTypeAudio)
	}
	// The interceptors add nack and transport-cc.
	capability.RTCPFeedback = []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: capability, PayloadType: pt}, webrtc.RTPCodecTypeVideo)
	if err != nil {
		return err
	}
	return m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeRTX, ClockRate: c.ClockRate(), SDPFmtpLine: fmt.Sprintf("apt=%d", pt),
		},
		PayloadType: rtx,
	}, webrtc.RTPCodecTypeVideo)
}

// codecFollower keeps retransmissions of a stream in step with its codec. Pion fixes a
// stream's payload types when it is bound, while our senders change theirs without
// negotiating anew; the NACK responder, which is nearer to the wire, reads
// the retransmission type from this description at every packet.
type codecFollower struct{ interceptor.NoOp }

// NewInterceptor implements interceptor.Factory.
func (f codecFollower) NewInterceptor(string) (interceptor.Interceptor, error) { return &f, nil }

// BindLocalStream implements interceptor.Interceptor.
func (codecFollower) BindLocalStream(info *interceptor.StreamInfo, next interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if h.PayloadType != info.PayloadType {
			for _, p := range payloadTypes {
				if uint8(p.pt) == h.PayloadType && p.rtx != 0 && info.SSRCRetransmission != 0 {
					info.PayloadType, info.PayloadTypeRetransmission = h.PayloadType, uint8(p.rtx)
				}
			}
		}
		return next.Write(h, payload, a)
	})
}
