package transport

import (
	"fmt"
	"strings"

	"github.com/sotto-sfu/sotto/sfu/rtpext"
)

// local is our half of the ICE and DTLS parameters.
type local struct {
	version     int // of the description: 1, and one more for every ICE restart
	id          uint64
	ufrag, pwd  string
	fingerprint string
	setup       string   // active or passive
	candidates  []string // values of a=candidate
}

// writer builds an SDP line by line.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) {
	fmt.Fprintf(w, format, args...)
	w.WriteString("\r\n")
}

// answer writes the answer to o (RFC 3264, RFC 8829 §5.3.1).
func answer(o *Offer, s *Session, l local) string {
	w := &writer{}
	w.line("v=0")
	w.line("o=- %d %d IN IP4 0.0.0.0", l.id, l.version)
	w.line("s=-")
	w.line("t=0 0")
	w.WriteString("a=group:BUNDLE")
	for _, sec := range o.sections {
		w.WriteString(" " + sec.mid)
	}
	w.line("")
	w.line("a=msid-semantic:WMS *")
	w.line("a=ice-lite")
	if o.allowMixed {
		w.line("a=extmap-allow-mixed")
	}
	w.line("a=fingerprint:%s", l.fingerprint)

	publish, slots := s.Publish, s.Slots
	for i, sec := range o.sections {
		if sec.publish != "" {
			p := &publish[0]
			publish = publish[1:]
			w.head(o, i, l, p.Codecs)
			w.extmaps(p.Ext, publishExtensions)
			w.line("a=recvonly")
			w.codecs(p.Codecs)
			continue
		}
		slot := &slots[0]
		slots = slots[1:]
		w.head(o, i, l, slot.Codecs)
		w.extmaps(slot.Ext, slotExtensions)
		w.line("a=sendonly")
		w.codecs(slot.Codecs)
		w.line("a=msid:%s %s-%s", slot.CNAME, slot.CNAME, slot.Kind)
		if slot.Stream.RTX != 0 {
			w.line("a=ssrc-group:FID %d %d", slot.Stream.SSRC, slot.Stream.RTX)
		}
		w.line("a=ssrc:%d cname:%s", slot.Stream.SSRC, slot.CNAME)
		if slot.Stream.RTX != 0 {
			w.line("a=ssrc:%d cname:%s", slot.Stream.RTX, slot.CNAME)
		}
	}
	return w.String()
}

// head writes what every section starts with. Candidates stand in the first only: the
// others are bundled with it.
func (w *writer) head(o *Offer, i int, l local, codecs []PayloadType) {
	w.WriteString("m=" + string(o.sections[i].kind) + " 9 UDP/TLS/RTP/SAVPF")
	for _, pt := range codecs {
		fmt.Fprintf(w, " %d", pt.Number)
		if pt.RTX != 0 {
			fmt.Fprintf(w, " %d", pt.RTX)
		}
	}
	w.line("")
	w.line("c=IN IP4 0.0.0.0")
	w.line("a=rtcp:9 IN IP4 0.0.0.0")
	if i == 0 {
		for _, c := range l.candidates {
			w.line("a=candidate:%s", c)
		}
		w.line("a=end-of-candidates")
	}
	w.line("a=ice-ufrag:%s", l.ufrag)
	w.line("a=ice-pwd:%s", l.pwd)
	w.line("a=setup:%s", l.setup)
	w.line("a=mid:%s", o.sections[i].mid)
	w.line("a=rtcp-mux")
	w.line("a=rtcp-rsize")
}

func (w *writer) extmaps(ids *rtpext.IDs, all []rtpext.Extension) {
	for _, e := range all {
		if id := ids.ID(e); id != 0 {
			w.line("a=extmap:%d %s", id, e.URI())
		}
	}
}

func (w *writer) codecs(codecs []PayloadType) {
	for _, pt := range codecs {
		channels := ""
		if !pt.Codec.Video() {
			channels = "/2" // RFC 7587 §7: always, whatever is sent
		}
		w.line("a=rtpmap:%d %s/%d%s", pt.Number, pt.Codec, pt.Codec.ClockRate(), channels)
		if pt.fmtp != "" {
			w.line("a=fmtp:%d %s", pt.Number, pt.fmtp)
		}
		for _, fb := range []struct {
			agreed bool
			name   string
		}{
			{pt.TransportCC, "transport-cc"},
			{pt.REMB, "goog-remb"},
			{pt.FIR, "ccm fir"},
			{pt.NACK, "nack"},
			{pt.PLI, "nack pli"},
		} {
			if fb.agreed {
				w.line("a=rtcp-fb:%d %s", pt.Number, fb.name)
			}
		}
		if pt.RTX != 0 {
			w.line("a=rtpmap:%d rtx/%d%s", pt.RTX, pt.Codec.ClockRate(), channels)
			w.line("a=fmtp:%d apt=%d", pt.RTX, pt.Number)
		}
	}
}
