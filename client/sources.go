package client

import (
	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/media"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Each source has one encoder, whose context is in its key ids.
var contexts = map[protocol.Source]call.Context{
	protocol.SourceMic:         call.Mic,
	protocol.SourceCamera:      call.Camera,
	protocol.SourceScreen:      call.Screen,
	protocol.SourceScreenAudio: call.ScreenAudio,
}

// sourceOf is the source that a key id names; not ok for one that does not exist.
func sourceOf(kid uint64) (protocol.Source, bool) {
	for s, ctx := range contexts {
		if ctx == call.ContextOf(kid) {
			return s, true
		}
	}
	return "", false
}

// sealCodecs is how package media calls the codecs.
var sealCodecs = map[codec.Codec]media.Codec{
	codec.Opus: media.Opus, codec.VP8: media.VP8, codec.VP9: media.VP9, codec.AV1: media.AV1,
}

func frameType(c codec.Codec, key bool) media.FrameType {
	switch {
	case !c.Video():
		return media.Audio
	case key:
		return media.Key
	}
	return media.Delta
}
