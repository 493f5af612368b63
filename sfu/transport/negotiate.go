package transport

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Header extensions by direction. Slots get no transport-cc before there is a
// bandwidth estimator that could use the feedback.
var (
	publishExtensions = []rtpext.Extension{
		rtpext.MID, rtpext.RID, rtpext.RepairedRID, rtpext.AudioLevel, rtpext.TransportCC, rtpext.DependencyDescriptor,
	}
	slotExtensions = []rtpext.Extension{rtpext.MID, rtpext.AudioLevel, rtpext.DependencyDescriptor}
)

// maxStreams bounds the a=ssrc pairs of one section: three simulcast layers and one to spare.
const maxStreams = 4

// negotiate matches an offer with what the SFU can forward. random is the source of
// SSRCs (crypto/rand.Read).
func negotiate(o *Offer, random func([]byte)) (*Session, error) {
	s := &Session{Ext: &rtpext.IDs{}}
	taken := map[uint32]bool{0: true}
	for i := range o.sections {
		sec := &o.sections[i]
		if sec.publish == "" {
			continue
		}
		p := Publish{Mid: sec.mid, Source: sec.publish, Ext: extensions(sec.media, publishExtensions, o.allowMixed)}
		if p.Codecs = codecs(sec, true, p.Ext.ID(rtpext.TransportCC) != 0); len(p.Codecs) == 0 {
			return nil, noCodec(sec)
		}
		if err := s.union(&p); err != nil {
			return nil, err
		}
		p.Streams = streams(sec.media)
		for _, st := range p.Streams {
			taken[st.SSRC], taken[st.RTX] = true, true
		}
		s.Publish = append(s.Publish, p)
	}
	draw := func() uint32 {
		for {
			var b [4]byte
			random(b[:])
			if ssrc := binary.BigEndian.Uint32(b[:]); !taken[ssrc] {
				taken[ssrc] = true
				return ssrc
			}
		}
	}
	for i := range o.sections {
		sec := &o.sections[i]
		if sec.publish != "" {
			continue
		}
		slot := Slot{
			Mid: sec.mid, Kind: sec.kind, Index: sec.index, CNAME: streamID(sec.index),
			Ext: extensions(sec.media, slotExtensions, o.allowMixed),
		}
		if slot.Codecs = codecs(sec, false, false); len(slot.Codecs) == 0 {
			return nil, noCodec(sec)
		}
		slot.Stream.SSRC = draw()
		if slices.ContainsFunc(slot.Codecs, func(pt PayloadType) bool { return pt.RTX != 0 }) {
			slot.Stream.RTX = draw()
		}
		s.Slots = append(s.Slots, slot)
	}
	return s, nil
}

// union adds the extension ids of a publish section to those of the session.
func (s *Session) union(p *Publish) error {
	for _, e := range publishExtensions {
		id := p.Ext.ID(e)
		if id == 0 {
			continue
		}
		if was, other := s.Ext.ID(e), s.Ext.Extension(id); was != 0 && was != id || other != rtpext.None && other != e {
			return badSDP("mid %s: extmap id %d means something else in another section of the BUNDLE group", short(p.Mid), id)
		}
		if err := s.Ext.Set(e, id); err != nil {
			return badSDP("mid %s: %v", short(p.Mid), err)
		}
	}
	return nil
}

func noCodec(sec *offeredSection) error {
	want := "opus/48000/2"
	if sec.kind == protocol.KindVideo {
		want = "VP8, VP9 (profile 0) or AV1 (profile 0)"
	}
	return badSDP("mid %s offers no codec that can be forwarded: %s", short(sec.mid), want)
}

// streamID names the media stream that the slots of an index share.
func streamID(index int) string { return fmt.Sprintf("slot-%d", index) }

// codecs picks what we forward, in the participant's order.
func codecs(sec *offeredSection, publish, transportCC bool) []PayloadType {
	rtpmap, fmtp, feedback := formats(sec.media)
	var out []PayloadType
	for _, format := range sec.media.MediaName.Formats {
		number, ok := payloadType(format)
		if !ok {
			continue
		}
		c := acceptable(sec.kind, rtpmap[number], fmtp[number])
		if c == codec.Unknown || slices.ContainsFunc(out, func(pt PayloadType) bool { return pt.Codec == c }) {
			continue
		}
		pt := PayloadType{Codec: c, Number: number}
		has := func(fb string) bool { return slices.Contains(feedback[number], fb) }
		pt.NACK = has("nack")
		pt.PLI = c.Video() && has("nack pli")
		pt.FIR = c.Video() && has("ccm fir")
		if publish {
			pt.TransportCC = transportCC && has("transport-cc")
			pt.REMB = c.Video() && !pt.TransportCC && has("goog-remb")
		}
		pt.fmtp = answerFmtp(c, sec.publish, fmtp[number])
		out = append(out, pt)
	}
	for i := range out {
		out[i].RTX = rtxOf(out[i], sec.media.MediaName.Formats, rtpmap, fmtp)
	}
	return out
}

func rtxOf(pt PayloadType, offered []string, rtpmap, fmtp map[uint8]string) uint8 {
	if !pt.NACK {
		return 0
	}
	want := strconv.Itoa(int(pt.Number))
	for _, format := range offered {
		number, ok := payloadType(format)
		if ok && number != 0 && strings.EqualFold(rtpmap[number], fmt.Sprintf("rtx/%d", pt.Codec.ClockRate())) &&
			parameter(fmtp[number], "apt") == want {
			return number
		}
	}
	return 0
}

// acceptable says which codec an rtpmap line names, if we forward it.
func acceptable(kind protocol.MediaKind, rtpmap, fmtp string) codec.Codec {
	name, rate, _ := strings.Cut(rtpmap, "/")
	c := codec.ByName(name)
	switch {
	case c == codec.Unknown, c.Video() != (kind == protocol.KindVideo):
		return codec.Unknown
	case c == codec.Opus && rate != "48000/2", c.Video() && rate != "90000":
		return codec.Unknown
	case c == codec.VP9 && !zero(parameter(fmtp, "profile-id")), c == codec.AV1 && !zero(parameter(fmtp, "profile")):
		// Other profiles (10 bit, 4:4:4) are not something every receiver can decode.
		return codec.Unknown
	}
	return c
}

func zero(v string) bool { return v == "" || v == "0" }

// answerFmtp says how we like to be sent a codec. Forward error correction is inside
// the (encrypted) Opus packets; discontinuous transmission saves most of a
// listener's uplink. Screen audio is music more often than speech, hence stereo.
func answerFmtp(c codec.Codec, source protocol.Source, offered string) string {
	switch {
	case c == codec.Opus && source == protocol.SourceScreenAudio:
		return "minptime=10;stereo=1;useinbandfec=1"
	case c == codec.Opus:
		return "minptime=10;useinbandfec=1;usedtx=1"
	case c == codec.VP9:
		return "profile-id=0"
	case c == codec.AV1:
		// Level and tier are declarative: repeat what the participant can do.
		if level := parameter(offered, "level-idx"); level != "" && len(level) <= 2 && isToken(level) {
			return "level-idx=" + level + ";profile=0;tier=0"
		}
		return "profile=0"
	}
	return ""
}

// formats collects the rtpmap, fmtp and rtcp-fb lines by payload type.
func formats(media *sdp.MediaDescription) (rtpmap, fmtp map[uint8]string, feedback map[uint8][]string) {
	rtpmap, fmtp, feedback = map[uint8]string{}, map[uint8]string{}, map[uint8][]string{}
	for _, a := range media.Attributes {
		format, value, _ := strings.Cut(a.Value, " ")
		number, ok := payloadType(format)
		value = strings.TrimSpace(value)
		switch a.Key {
		case "rtpmap":
			if ok {
				rtpmap[number] = value
			}
		case "fmtp":
			if ok {
				fmtp[number] = value
			}
		case "rtcp-fb":
			if ok {
				feedback[number] = append(feedback[number], value)
			} else if format == "*" {
				for _, f := range media.MediaName.Formats {
					if n, ok := payloadType(f); ok {
						feedback[n] = append(feedback[n], value)
					}
				}
			}
		}
	}
	return rtpmap, fmtp, feedback
}

// payloadType reads a payload type. 64-95 would be taken for RTCP (RFC 5761 §4).
func payloadType(s string) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil || n > 127 || n >= 64 && n <= 95 {
		return 0, false
	}
	return uint8(n), true
}

// parameter finds one of the parameters of an fmtp line ("a=1;b=2").
func parameter(fmtp, key string) string {
	for p := range strings.SplitSeq(fmtp, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(k, key) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// extensions picks the header extensions to use, with the participant's ids.
func extensions(media *sdp.MediaDescription, want []rtpext.Extension, allowMixed bool) *rtpext.IDs {
	ids := &rtpext.IDs{}
	for _, a := range media.Attributes {
		if a.Key != "extmap" {
			continue
		}
		fields := strings.Fields(a.Value)
		if len(fields) < 2 {
			continue
		}
		number, dir, _ := strings.Cut(fields[0], "/")
		id, err := strconv.ParseUint(number, 10, 8)
		if err != nil || id == 0 || id == 15 || dir == "inactive" {
			continue
		}
		e := rtpext.ByURI(fields[1])
		if !slices.Contains(want, e) || ids.ID(e) != 0 || ids.Extension(uint8(id)) != rtpext.None {
			continue
		}
		// Ids above 14, and descriptors longer than 16 bytes, need the two-byte form,
		// which must not be mixed with the other unless both sides allow it.
		if !allowMixed && (id > 14 || e == rtpext.DependencyDescriptor) {
			continue
		}
		if ids.Set(e, uint8(id)) != nil {
			continue
		}
	}
	return ids
}

// streams reads the a=ssrc and a=ssrc-group:FID lines (RFC 5576).
func streams(media *sdp.MediaDescription) []Stream {
	var order []uint32
	rtx := map[uint32]uint32{}
	isRTX := map[uint32]bool{}
	for _, a := range media.Attributes {
		switch a.Key {
		case "ssrc":
			first, _, _ := strings.Cut(a.Value, " ")
			if ssrc, ok := parseSSRC(first); ok && !slices.Contains(order, ssrc) && len(order) < 2*maxStreams {
				order = append(order, ssrc)
			}
		case "ssrc-group":
			fields := strings.Fields(a.Value)
			if len(fields) != 3 || fields[0] != "FID" || len(rtx) >= maxStreams {
				continue
			}
			media, ok1 := parseSSRC(fields[1])
			repair, ok2 := parseSSRC(fields[2])
			if ok1 && ok2 && media != repair && !isRTX[media] {
				rtx[media], isRTX[repair] = repair, true
			}
		}
	}
	var out []Stream
	for _, ssrc := range order {
		if !isRTX[ssrc] && len(out) < maxStreams {
			out = append(out, Stream{SSRC: ssrc, RTX: rtx[ssrc]})
		}
	}
	return out
}

func parseSSRC(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil && n != 0
}
