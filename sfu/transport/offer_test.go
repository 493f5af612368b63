package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	topLines = "v=0\r\no=- 46117 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2 3 4 5\r\na=extmap-allow-mixed\r\n" +
		"a=ice-ufrag:4ZcD\r\na=ice-pwd:2/1muCWoOi3uLifh0NuRHlbG\r\n" +
		"a=fingerprint:sha-256 " + goodPrint + "\r\na=setup:actpass\r\n"
	goodPrint = "49:66:12:17:0D:1C:91:AE:57:4C:C6:36:DD:D5:97:D2:7D:62:C9:9A:7F:B9:A3:F4:70:03:E7:43:91:73:23:5E"

	// As browsers offer them: more codecs, feedback and extensions than we want.
	audioLines = "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=%s\r\na=rtcp-mux\r\n" +
		"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n" +
		"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n" +
		"a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n" +
		"a=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\na=rtpmap:9 G722/8000\r\n"
	videoLines = "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 98 99 100 101 45 46 116\r\nc=IN IP4 0.0.0.0\r\na=mid:%s\r\na=%s\r\na=rtcp-mux\r\n" +
		"a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\na=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n" +
		"a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n" +
		"a=extmap:12 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension\r\n" +
		"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 ccm fir\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n" +
		"a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:103 H264/90000\r\na=rtpmap:104 rtx/90000\r\na=fmtp:104 apt=103\r\n" +
		"a=rtpmap:98 VP9/90000\r\na=rtcp-fb:98 nack\r\na=rtcp-fb:98 nack pli\r\na=fmtp:98 profile-id=0\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n" +
		"a=rtpmap:100 VP9/90000\r\na=fmtp:100 profile-id=2\r\na=rtpmap:101 rtx/90000\r\na=fmtp:101 apt=100\r\n" +
		"a=rtpmap:45 AV1/90000\r\na=rtcp-fb:45 nack\r\na=fmtp:45 level-idx=5;profile=0;tier=0\r\na=rtpmap:46 rtx/90000\r\na=fmtp:46 apt=45\r\n" +
		"a=rtpmap:116 red/90000\r\n"
)

func audio(mid, direction string) string { return fmt.Sprintf(audioLines, mid, direction) }
func video(mid, direction string) string { return fmt.Sprintf(videoLines, mid, direction) }

// goodOffer is two publish sections and two slots of each kind, and its list.
func goodOffer() (string, []protocol.Section) {
	return topLines + audio("0", "sendonly") +
			video("1", "sendonly") + "a=ssrc-group:FID 1111 2222\r\na=ssrc:1111 cname:x\r\na=ssrc:2222 cname:x\r\n" +
			audio("2", "recvonly") + audio("3", "recvonly") + video("4", "recvonly") + video("5", "recvonly"),
		[]protocol.Section{
			{Mid: "0", Publish: protocol.SourceMic},
			{Mid: "1", Publish: protocol.SourceCamera},
			{Mid: "2", Receive: protocol.KindAudio},
			{Mid: "3", Receive: protocol.KindAudio},
			{Mid: "4", Receive: protocol.KindVideo},
			{Mid: "5", Receive: protocol.KindVideo},
		}
}

// counting is a source of "random" numbers that tests can foresee.
func counting() func([]byte) {
	n := uint32(1 << 30)
	return func(b []byte) {
		n++
		binary.BigEndian.PutUint32(b, n)
	}
}

func TestNegotiate(t *testing.T) {
	text, list := goodOffer()
	o, err := ParseOffer(text, list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := negotiate(o, counting())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Publish) != 2 || len(s.Slots) != 4 {
		t.Fatalf("%d publish sections and %d slots", len(s.Publish), len(s.Slots))
	}
	camera := s.Publish[1]
	if camera.Source != protocol.SourceCamera || camera.Mid != "1" {
		t.Errorf("second section is %s at %s", camera.Source, camera.Mid)
	}
	if len(camera.Streams) != 1 || camera.Streams[0] != (Stream{SSRC: 1111, RTX: 2222}) {
		t.Errorf("declared streams: %v", camera.Streams)
	}
	want := []PayloadType{
		{Codec: codec.VP8, Number: 96, RTX: 97, NACK: true, PLI: true, FIR: true, TransportCC: true},
		{Codec: codec.VP9, Number: 98, RTX: 99, NACK: true, PLI: true, fmtp: "profile-id=0"},
		{Codec: codec.AV1, Number: 45, RTX: 46, NACK: true, fmtp: "level-idx=5;profile=0;tier=0"},
	}
	if fmt.Sprint(camera.Codecs) != fmt.Sprint(want) {
		t.Errorf("camera codecs\n%+v\nwant\n%+v", camera.Codecs, want)
	}
	if pt, rtx := camera.ByNumber(99); pt == nil || pt.Codec != codec.VP9 || !rtx {
		t.Errorf("payload type 99 is %v, rtx %v", pt, rtx)
	}
	if pt, _ := camera.ByNumber(103); pt != nil {
		t.Errorf("H264 was accepted as %v", pt)
	}
	slot := s.Slots[3]
	if slot.Index != 1 || slot.Kind != protocol.KindVideo || slot.CNAME != s.Slots[1].CNAME {
		t.Errorf("second video slot: %+v", slot)
	}
	if slot.Stream.SSRC == 0 || slot.Stream.RTX == 0 || slot.Stream.SSRC == slot.Stream.RTX {
		t.Errorf("its streams: %v", slot.Stream)
	}
	if s.Slots[0].Stream.RTX != 0 {
		t.Error("audio slot with RTX, which was not offered")
	}
	if slot.Ext.ID(rtpext.TransportCC) != 0 || slot.Codecs[0].TransportCC {
		t.Error("transport-cc towards subscribers, which nobody reads")
	}
	if id := slot.Ext.ID(rtpext.DependencyDescriptor); id != 12 {
		t.Errorf("dependency descriptor has id %d", id)
	}
	if s.Ext.ID(rtpext.AudioLevel) != 1 || s.Ext.ID(rtpext.RID) != 10 || s.Ext.ID(rtpext.AbsSendTime) != 0 {
		t.Error("wrong extensions in the session")
	}
}

// TestAnswer reads our answer back and checks it against RFC 3264: same sections, a subset of the
// offer, directions reversed.
func TestAnswer(t *testing.T) {
	text, list := goodOffer()
	o, err := ParseOffer(text, list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := negotiate(o, counting())
	if err != nil {
		t.Fatal(err)
	}
	out := answer(o, s, local{
		version: 1, id: 7, ufrag: "uuuu", pwd: "pppppppppppppppppppppp", fingerprint: "sha-256 " + goodPrint, setup: "passive",
		candidates: []string{"1 1 udp 2130706431 192.0.2.1 3478 typ host"},
	})
	desc := &sdp.SessionDescription{}
	if err := desc.UnmarshalString(out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(desc.MediaDescriptions) != 6 {
		t.Fatalf("%d sections", len(desc.MediaDescriptions))
	}
	streams := map[string]int{}
	for i, m := range desc.MediaDescriptions {
		if mid, _ := m.Attribute("mid"); mid != list[i].Mid {
			t.Errorf("section %d has mid %q", i, mid)
		}
		direction := "sendonly"
		if list[i].Publish != "" {
			direction = "recvonly"
		}
		if _, ok := m.Attribute(direction); !ok {
			t.Errorf("section %d is not %s", i, direction)
		}
		if msid, ok := m.Attribute("msid"); ok {
			stream, _, _ := strings.Cut(msid, " ")
			streams[stream]++
		}
		if _, ok := m.Attribute("candidate"); ok != (i == 0) {
			t.Errorf("section %d: candidates %v", i, ok)
		}
	}
	if len(streams) != 2 || streams["slot-0"] != 2 || streams["slot-1"] != 2 {
		t.Errorf("media streams of the slots: %v", streams)
	}
	for _, line := range []string{
		"a=ice-lite", "a=group:BUNDLE 0 1 2 3 4 5", "a=extmap-allow-mixed", "a=setup:passive",
		"a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96",
		"m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 45 46", "a=rtcp-fb:96 nack pli",
	} {
		if !strings.Contains(out, line+"\r\n") {
			t.Errorf("no line %q", line)
		}
	}
	for _, never := range []string{"red/", "H264", "simulcast", "sctp", "profile-id=2", "goog-remb", "abs-send-time"} {
		if strings.Contains(out, never) {
			t.Errorf("the answer contains %q", never)
		}
	}
}

// TestRemb: who has no transport-cc gets REMB.
func TestRemb(t *testing.T) {
	text, list := goodOffer()
	o, err := ParseOffer(strings.ReplaceAll(text, "transport-wide-cc", "other"), list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := negotiate(o, counting())
	if err != nil {
		t.Fatal(err)
	}
	if pt := s.Publish[1].Codecs[0]; !pt.REMB || pt.TransportCC {
		t.Errorf("%+v", pt)
	}
}

func TestBadOffers(t *testing.T) {
	text, list := goodOffer()
	with := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the offer has no %q", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	change := func(i int, s protocol.Section) []protocol.Section {
		out := append([]protocol.Section(nil), list...)
		out[i] = s
		return out
	}
	for _, c := range []struct {
		name, sdp string
		list      []protocol.Section
		says      string
	}{
		{"empty", "", list, "0 m-sections"},
		{"noise", "\x00\xff\r\n\r\n", list, "not a session description"},
		{"huge", strings.Repeat("a=x\r\n", MaxOfferBytes/4), list, "bytes, more than"},
		{"no sections", topLines, nil, "0 m-sections"},
		{"too few listed", text, list[:5], "6 m-sections but the list describes 5"},
		{"mid in another place", text, change(0, protocol.Section{Mid: "9", Publish: protocol.SourceMic}), "the list says mid"},
		{"long mid", with("a=mid:0\r\n", "a=mid:"+strings.Repeat("0", 17)+"\r\n"), list, "a=mid is missing"},
		{"no mid", with("a=mid:0\r\n", ""), list, "a=mid is missing"},
		{"same mid twice", with("a=mid:1\r\n", "a=mid:0\r\n"), change(1, protocol.Section{Mid: "0", Publish: protocol.SourceCamera}), "appears twice"},
		{"both", text, change(0, protocol.Section{Mid: "0", Publish: protocol.SourceMic, Receive: protocol.KindAudio}), "exactly one"},
		{"neither", text, change(0, protocol.Section{Mid: "0"}), "exactly one"},
		{"unknown source", text, change(0, protocol.Section{Mid: "0", Publish: "smell"}), "there is no source"},
		{"camera as audio", text, change(0, protocol.Section{Mid: "0", Publish: protocol.SourceCamera}), "cannot be sent in an m=audio"},
		{"source twice", with(" 0 1 2", " 0 1 2"), change(2, protocol.Section{Mid: "2", Publish: protocol.SourceMic}), "must be sendonly"},
		{"slot of the other kind", text, change(2, protocol.Section{Mid: "2", Receive: protocol.KindVideo}), "the offer says m=audio"},
		{"slot that sends", with("a=mid:2\r\na=recvonly", "a=mid:2\r\na=sendonly"), list, "must be recvonly"},
		{"publish inactive", with("a=mid:0\r\na=sendonly", "a=mid:0\r\na=inactive"), list, "must be sendonly"},
		{"data channel", with("m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"), list, "data channels"},
		{"text", with("m=audio", "m=text"), list, "neither audio nor video"},
		{"plain RTP", with("UDP/TLS/RTP/SAVPF", "RTP/AVP"), list, "is not UDP/TLS/RTP/SAVPF"},
		{"rejected section", with("m=audio 9", "m=audio 0"), list, "rejected"},
		{"no rtcp-mux", with("a=rtcp-mux\r\n", ""), list, "rtcp-mux"},
		{"no bundle", with("a=group:BUNDLE 0 1 2 3 4 5\r\n", ""), list, "BUNDLE"},
		{"half bundle", with("BUNDLE 0 1 2 3 4 5", "BUNDLE 0 1 2"), list, "is not in the BUNDLE group"},
		{"no ufrag", with("a=ice-ufrag:4ZcD\r\n", ""), list, "ice-ufrag"},
		{"short pwd", with("a=ice-pwd:2/1muCWoOi3uLifh0NuRHlbG", "a=ice-pwd:short"), list, "ice-pwd"},
		{"strange pwd", with("ice-pwd:2/1muCWo", "ice-pwd:2 1muCWo"), list, "ice-pwd"},
		{"no fingerprint", with("a=fingerprint:sha-256", "a=fingerprint2:sha-256"), list, "fingerprint"},
		{"weak fingerprint", with("sha-256", "sha-1"), list, "fingerprint"},
		{"short fingerprint", with(":23:5E", ":23"), list, "fingerprint"},
		{"setup", with("setup:actpass", "setup:holdconn"), list, "actpass"},
		{"ice-lite", with("a=setup", "a=ice-lite\r\na=setup"), list, "full agent"},
		{"no codec", with("opus/48000/2", "speex/16000"), list, "no codec"},
		{"mono opus", with("opus/48000/2", "opus/48000"), list, "no codec"},
		{"extension ids at odds", with("a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid"), list, "something else in another section"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := ParseOffer(c.sdp, c.list)
			if err == nil {
				_, err = negotiate(o, counting())
			}
			var pe *protocol.Error
			if !errors.As(err, &pe) || pe.Code != protocol.CodeBadSDP {
				t.Fatalf("error %v, want bad_sdp", err)
			}
			if !strings.Contains(pe.Message, c.says) {
				t.Errorf("message %q, want something about %q", pe.Message, c.says)
			}
			if len(pe.Message) > 300 {
				t.Errorf("message of %d bytes", len(pe.Message))
			}
		})
	}
}

// TestTooManySections checks the limits of an offer.
func TestTooManySections(t *testing.T) {
	sdpText := strings.Replace(topLines, "BUNDLE 0 1 2 3 4 5", "BUNDLE", 1)
	var list []protocol.Section
	group := "BUNDLE"
	body := ""
	for i := range MaxReceive + 1 {
		mid := fmt.Sprint(i)
		group += " " + mid
		body += strings.Split(audio(mid, "recvonly"), "a=extmap")[0]
		list = append(list, protocol.Section{Mid: mid, Receive: protocol.KindAudio})
	}
	_, err := ParseOffer(strings.Replace(sdpText, "BUNDLE", group, 1)+body, list)
	if err == nil || !strings.Contains(err.Error(), "too many sections") {
		t.Errorf("error %v", err)
	}
}

// FuzzOffer: whatever is offered, it is refused with a code or answered with something
// that can be read; nothing panics.
func FuzzOffer(f *testing.F) {
	text, list := goodOffer()
	f.Add(text, false)
	f.Add(strings.ReplaceAll(text, "a=", "a"), false)
	f.Add(topLines+audio("", "sendrecv"), true)
	f.Add(strings.ReplaceAll(text, "96", "64"), true)
	f.Fuzz(func(t *testing.T, text string, generous bool) {
		sections := list
		if generous { // describe whatever there is
			desc := &sdp.SessionDescription{}
			if desc.UnmarshalString(text) != nil {
				return
			}
			sections = nil
			for i, m := range desc.MediaDescriptions {
				mid, _ := m.Attribute("mid")
				s := protocol.Section{Mid: mid, Receive: protocol.MediaKind(m.MediaName.Media)}
				if i < 4 && strings.Contains(text, "sendonly") {
					s = protocol.Section{Mid: mid, Publish: protocol.Sources[i]}
				}
				sections = append(sections, s)
			}
		}
		o, err := ParseOffer(text, sections)
		var s *Session
		if err == nil {
			s, err = negotiate(o, counting())
		}
		if err != nil {
			var pe *protocol.Error
			if !errors.As(err, &pe) || pe.Code != protocol.CodeBadSDP {
				t.Fatalf("error without code: %v", err)
			}
			return
		}
		out := answer(o, s, local{ufrag: "uuuu", pwd: "p", fingerprint: "sha-256 00", setup: "passive"})
		desc := &sdp.SessionDescription{}
		if err := desc.UnmarshalString(out); err != nil {
			t.Fatalf("unreadable answer: %v\n%s", err, out)
		}
		if len(desc.MediaDescriptions) != len(sections) {
			t.Fatalf("%d sections answered of %d", len(desc.MediaDescriptions), len(sections))
		}
		engine := &sdp.SessionDescription{}
		if err := engine.UnmarshalString(engineOffer(o, 1)); err != nil || len(engine.MediaDescriptions) != 2 {
			t.Fatalf("what Pion would see is spoiled: %v\n%s", err, engineOffer(o, 1))
		}
	})
}
