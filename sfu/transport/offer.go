package transport

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// The largest offer we read. Four publish and 128 receive sections with our codecs
// make some 100 KiB in Chromium.
const (
	MaxOfferBytes  = 256 << 10
	MaxPublish     = 4
	MaxReceive     = 128
	maxMidLength   = 16  // rtpext.MaxStreamID: longer ones do not fit every header extension
	maxFormats     = 128 // payload types are 7 bits
	maxAttributes  = 512 // of one section
	maxFingerprint = 64 * 3
)

// Offer is a participant's offer after all checks: what is left can be answered.
type Offer struct {
	ufrag, pwd  string
	fingerprint string // "sha-256 AB:CD:…"
	setup       string
	allowMixed  bool // RFC 8285 §4.1.2
	sections    []offeredSection
}

type offeredSection struct {
	mid     string
	kind    protocol.MediaKind
	publish protocol.Source // empty for a slot
	index   int             // among the slots of its kind
	media   *sdp.MediaDescription
}

func badSDP(format string, args ...any) error {
	return &protocol.Error{Code: protocol.CodeBadSDP, Message: fmt.Sprintf(format, args...)}
}

// short quotes what a client sent, for an error message.
func short(s string) string {
	if len(s) > 32 {
		s = s[:32] + "…"
	}
	return strconv.QuoteToASCII(s)
}

// ParseOffer checks an offer against the list of its sections. The error is always a
// *protocol.Error with [protocol.CodeBadSDP] whose message tells a developer what to change.
func ParseOffer(text string, sections []protocol.Section) (*Offer, error) {
	desc, err := unmarshal(text)
	if err != nil {
		return nil, err
	}
	if len(sections) != len(desc.MediaDescriptions) {
		return nil, badSDP("the offer has %d m-sections but the list describes %d", len(desc.MediaDescriptions), len(sections))
	}
	o := &Offer{}
	if err := o.session(desc); err != nil {
		return nil, err
	}
	count := map[protocol.MediaKind]int{}
	seen := map[string]bool{}
	publishes := 0
	for i, media := range desc.MediaDescriptions {
		s, err := section(media, sections[i])
		if err != nil {
			return nil, err
		}
		if seen[s.mid] {
			return nil, badSDP("mid %s appears twice", short(s.mid))
		}
		seen[s.mid] = true
		if s.publish != "" {
			if slices.ContainsFunc(o.sections, func(t offeredSection) bool { return t.publish == s.publish }) {
				return nil, badSDP("source %s is published in two sections", short(string(s.publish)))
			}
			publishes++
		} else {
			s.index = count[s.kind]
			count[s.kind]++
		}
		o.sections = append(o.sections, s)
	}
	if publishes > MaxPublish || count[protocol.KindAudio]+count[protocol.KindVideo] > MaxReceive {
		return nil, badSDP("too many sections: at most %d publish and %d receive", MaxPublish, MaxReceive)
	}
	if err := bundled(desc, o.sections); err != nil {
		return nil, err
	}
	return o, nil
}

func unmarshal(text string) (*sdp.SessionDescription, error) {
	if len(text) > MaxOfferBytes {
		return nil, badSDP("the offer has %d bytes, more than %d", len(text), MaxOfferBytes)
	}
	desc := &sdp.SessionDescription{}
	if err := desc.UnmarshalString(text); err != nil {
		return nil, badSDP("not a session description: %s", short(err.Error()))
	}
	if n := len(desc.MediaDescriptions); n == 0 || n > MaxPublish+MaxReceive {
		return nil, badSDP("the offer has %d m-sections; 1 to %d are fine", n, MaxPublish+MaxReceive)
	}
	for _, m := range desc.MediaDescriptions {
		if len(m.Attributes) > maxAttributes {
			return nil, badSDP("an m-section has %d attributes, more than %d", len(m.Attributes), maxAttributes)
		}
	}
	return desc, nil
}

// session reads what the whole session shares, from the top or from the first section
// (with BUNDLE, the section that speaks for all: RFC 9143 §7.1.3).
func (o *Offer) session(desc *sdp.SessionDescription) error {
	first := desc.MediaDescriptions[0]
	attr := func(key string) string {
		if v, ok := first.Attribute(key); ok {
			return v
		}
		v, _ := desc.Attribute(key)
		return v
	}
	o.ufrag, o.pwd = attr("ice-ufrag"), attr("ice-pwd")
	if !iceString(o.ufrag, 4) || !iceString(o.pwd, 22) {
		return badSDP("a=ice-ufrag or a=ice-pwd is missing or malformed (RFC 8839 section 5.4)")
	}
	o.fingerprint = attr("fingerprint")
	if !isFingerprint(o.fingerprint) {
		return badSDP("a=fingerprint is missing or malformed (RFC 8122 section 5); sha-256, sha-384 and sha-512 are accepted")
	}
	switch o.setup = attr("setup"); o.setup {
	case "actpass", "active", "passive":
	default:
		return badSDP("a=setup must be actpass (RFC 8842 section 5.2)")
	}
	_, atTop := desc.Attribute("extmap-allow-mixed")
	_, atFirst := first.Attribute("extmap-allow-mixed")
	o.allowMixed = atTop || atFirst
	if _, lite := desc.Attribute("ice-lite"); lite {
		return badSDP("a=ice-lite: this server is lite itself, so the client must be a full agent (RFC 8445 section 2.5)")
	}
	return nil
}

// section checks one m-section against its description.
func section(media *sdp.MediaDescription, want protocol.Section) (offeredSection, error) {
	s := offeredSection{media: media}
	s.mid, _ = media.Attribute("mid")
	if s.mid == "" || len(s.mid) > maxMidLength || !isToken(s.mid) {
		return s, badSDP("a=mid is missing or malformed (at most %d characters)", maxMidLength)
	}
	if s.mid != want.Mid {
		return s, badSDP("the list says mid %s where the offer has %s; they must be in the same order", short(want.Mid), short(s.mid))
	}
	switch media.MediaName.Media {
	case "audio":
		s.kind = protocol.KindAudio
	case "video":
		s.kind = protocol.KindVideo
	case "application":
		return s, badSDP("mid %s: data channels are not used here", short(s.mid))
	default:
		return s, badSDP("mid %s: m=%s is neither audio nor video", short(s.mid), short(media.MediaName.Media))
	}
	if proto := strings.Join(media.MediaName.Protos, "/"); proto != "UDP/TLS/RTP/SAVPF" && proto != "TCP/TLS/RTP/SAVPF" {
		return s, badSDP("mid %s: transport %s is not UDP/TLS/RTP/SAVPF", short(s.mid), short(proto))
	}
	if len(media.MediaName.Formats) > maxFormats {
		return s, badSDP("mid %s: %d payload types", short(s.mid), len(media.MediaName.Formats))
	}
	_, bundleOnly := media.Attribute("bundle-only")
	if media.MediaName.Port.Value == 0 && !bundleOnly {
		return s, badSDP("mid %s is rejected (port 0); leave it out instead", short(s.mid))
	}
	if _, ok := media.Attribute("rtcp-mux"); !ok {
		return s, badSDP("mid %s: a=rtcp-mux is required", short(s.mid))
	}
	return s, s.role(want)
}

// role checks what the section is for.
func (s *offeredSection) role(want protocol.Section) error {
	sends, receives := direction(s.media)
	switch {
	case (want.Publish == "") == (want.Receive == ""):
		return badSDP("mid %s: exactly one of publish and receive must be set", short(s.mid))
	case want.Publish != "":
		if !slices.Contains(protocol.Sources, want.Publish) {
			return badSDP("mid %s: there is no source %s", short(s.mid), short(string(want.Publish)))
		}
		if want.Publish.Video() != (s.kind == protocol.KindVideo) {
			return badSDP("mid %s: source %s cannot be sent in an m=%s section", short(s.mid), want.Publish, s.kind)
		}
		if !sends {
			return badSDP("mid %s publishes, so its direction must be sendonly", short(s.mid))
		}
		s.publish = want.Publish
	case want.Receive != s.kind:
		return badSDP("mid %s: the list says receive %s, the offer says m=%s", short(s.mid), short(string(want.Receive)), s.kind)
	case !receives:
		return badSDP("mid %s receives, so its direction must be recvonly", short(s.mid))
	}
	return nil
}

// direction reads the direction attribute; sendrecv is the default (RFC 8866 §6.7).
func direction(media *sdp.MediaDescription) (sends, receives bool) {
	for _, a := range media.Attributes {
		switch a.Key {
		case "sendonly":
			return true, false
		case "recvonly":
			return false, true
		case "inactive":
			return false, false
		case "sendrecv":
			return true, true
		}
	}
	return true, true
}

// bundled requires all sections to be in the one BUNDLE group (RFC 9143).
func bundled(desc *sdp.SessionDescription, sections []offeredSection) error {
	for _, a := range desc.Attributes {
		mids, ok := strings.CutPrefix(a.Value, "BUNDLE ")
		if a.Key != "group" || !ok {
			continue
		}
		group := map[string]bool{}
		for mid := range strings.FieldsSeq(mids) {
			group[mid] = true
		}
		for _, s := range sections {
			if !group[s.mid] {
				return badSDP("mid %s is not in the BUNDLE group; use bundlePolicy max-bundle", short(s.mid))
			}
		}
		return nil
	}
	return badSDP("a=group:BUNDLE is missing; all media goes over one transport")
}

// iceString checks an ice-ufrag or ice-pwd (RFC 8839 §5.4).
func iceString(s string, least int) bool {
	if len(s) < least || len(s) > 256 {
		return false
	}
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && c != '+' && c != '/' {
			return false
		}
	}
	return true
}

func isFingerprint(s string) bool {
	hash, value, _ := strings.Cut(s, " ")
	size := map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}[strings.ToLower(hash)]
	if size == 0 || len(value) > maxFingerprint || len(value) != size*3-1 {
		return false
	}
	for i, c := range []byte(value) {
		if i%3 == 2 {
			if c != ':' {
				return false
			}
		} else if !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}

func isToken(s string) bool {
	for _, c := range []byte(s) {
		if !isAlphanumeric(c) && !strings.ContainsRune("-_.+!#$%&'*^`{|}~", rune(c)) {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
