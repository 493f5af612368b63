package client

import (
	"errors"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/client/codec"
)

// sendTrack is a publish section of one PeerConnection: Pion's view of a [Track]. It may
// change its codec at any packet, within what was negotiated.
type sendTrack struct {
	id, stream string
	kind       webrtc.RTPCodecType

	mu     sync.RWMutex
	writer webrtc.TrackLocalWriter
	ssrc   webrtc.SSRC
	types  map[codec.Codec]uint8
}

var errNoCommonCodec = errors.New("client: the server offers no codec of ours")

// Bind implements webrtc.TrackLocal.
func (t *sendTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.types = make(map[codec.Codec]uint8)
	var first webrtc.RTPCodecParameters
	for _, p := range ctx.CodecParameters() {
		c, ok := codec.FromMimeType(p.MimeType)
		if !ok {
			continue
		}
		if _, ok := t.types[c]; ok {
			continue
		}
		if len(t.types) == 0 {
			first = p
		}
		t.types[c] = uint8(p.PayloadType)
	}
	if len(t.types) == 0 {
		return webrtc.RTPCodecParameters{}, errNoCommonCodec
	}
	t.writer, t.ssrc = ctx.WriteStream(), ctx.SSRC()
	return first, nil
}

// Unbind implements webrtc.TrackLocal.
func (t *sendTrack) Unbind(webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writer = nil
	return nil
}

// ID implements webrtc.TrackLocal.
func (t *sendTrack) ID() string { return t.id }

// RID implements webrtc.TrackLocal: no simulcast.
func (t *sendTrack) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (t *sendTrack) StreamID() string { return t.stream }

// Kind implements webrtc.TrackLocal.
func (t *sendTrack) Kind() webrtc.RTPCodecType { return t.kind }

// ready reports whether packets of the codec can be sent now.
func (t *sendTrack) ready(c codec.Codec) (bound, negotiated bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.types[c]
	return t.writer != nil, ok
}

// send writes one packet; the header's SSRC and payload type are filled in. A packet
// that cannot be written is lost, as on the network.
func (t *sendTrack) send(c codec.Codec, h *rtp.Header, payload []byte) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.writer == nil {
		return
	}
	h.SSRC, h.PayloadType = uint32(t.ssrc), t.types[c]
	_, _ = t.writer.WriteRTP(h, payload)
}
