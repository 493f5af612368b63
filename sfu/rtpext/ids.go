package rtpext

import "fmt"

// Extension names a header extension by its meaning.
type Extension uint8

// The extensions the media plane understands. Others are skipped when parsing and
// never reach a subscriber.
const (
	None                 Extension = iota
	MID                            // RFC 9143 §15.2: the m-section a packet belongs to
	RID                            // RFC 8852: the simulcast layer a packet belongs to
	RepairedRID                    // RFC 8852: the layer an RTX packet repairs
	AudioLevel                     // RFC 6464: loudness, in the clear by design
	TransportCC                    // draft-holmer-rmcat-transport-wide-cc-extensions-01
	AbsSendTime                    // 6.18 fixed-point seconds, 24 bits
	DependencyDescriptor           // AV1 RTP specification, appendix A
	numExtensions
)

var uris = [numExtensions]string{
	MID:                  "urn:ietf:params:rtp-hdrext:sdes:mid",
	RID:                  "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
	RepairedRID:          "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
	AudioLevel:           "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
	TransportCC:          "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
	AbsSendTime:          "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
	DependencyDescriptor: "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
}

// URI is the name used in an SDP extmap line, empty for None.
func (e Extension) URI() string {
	if e >= numExtensions {
		return ""
	}
	return uris[e]
}

// ByURI finds the extension an SDP extmap line names, or None.
func ByURI(uri string) Extension {
	for e := MID; e < numExtensions; e++ {
		if uris[e] == uri {
			return e
		}
	}
	return None
}

// IDs is what one leg negotiated: which number stands for which extension. The zero
// value has none. Set everything up before packets flow; then any number of
// goroutines may read it.
type IDs struct {
	byID [256]Extension
	ids  [numExtensions]uint8
}

// Set binds an extension to an id. Ids 1-14 work in both forms of RFC 8285, 15 only
// in the two-byte form, as do 16-255. Binding an extension or an id again
// replaces the earlier binding.
func (m *IDs) Set(e Extension, id uint8) error {
	if e == None || e >= numExtensions {
		return fmt.Errorf("header extension %d is not one we know", e)
	}
	if id == 0 {
		return fmt.Errorf("header extension %q: id 0 is padding (RFC 8285 §4.2)", e.URI())
	}
	if old := m.byID[id]; old != None {
		m.ids[old] = 0
	}
	if old := m.ids[e]; old != 0 {
		m.byID[old] = None
	}
	m.byID[id] = e
	m.ids[e] = id
	return nil
}

// ID is the number negotiated for an extension, zero if it was not negotiated.
func (m *IDs) ID(e Extension) uint8 {
	if e >= numExtensions {
		return 0
	}
	return m.ids[e]
}

// Extension is the meaning negotiated for a number, or None.
func (m *IDs) Extension(id uint8) Extension { return m.byID[id] }
