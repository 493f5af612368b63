package sfu

import (
	"testing"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// FuzzPeer: whatever a participant sends once its connection is up, nothing panics, and
// what is forwarded is well-formed RTP. The input is a sequence of packets, each after a byte
// of length (in units of four) whose top bit tells RTCP from RTP.
func FuzzPeer(f *testing.F) {
	add := func(pkts ...[]byte) {
		var in []byte
		for _, p := range pkts {
			for len(p)%4 != 0 {
				p = append(p, 0)
			}
			n := byte(len(p) / 4)
			if p[1] >= 192 && p[1] < 224 {
				n |= 0x80
			}
			in = append(append(in, n), p...)
		}
		f.Add(in)
	}
	marshal := func(p rtcp.Packet) []byte {
		b, err := p.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	add(vp8(f, 1, 10, true), vp8(f, 1, 12, false), rtx(f, 2, 1, vp8(f, 1, 11, false)))
	add(vp8(f, 1, 65535, true), vp8(f, 7, 0, true), marshal(&rtcp.SenderReport{SSRC: 1, NTPTime: 1 << 63, RTPTime: 5}))
	add(marshal(&rtcp.TransportLayerNack{MediaSSRC: 1004, Nacks: []rtcp.NackPair{{PacketID: 10, LostPackets: 0xFFFF}}}),
		marshal(&rtcp.PictureLossIndication{MediaSSRC: 1005}),
		marshal(&rtcp.FullIntraRequest{MediaSSRC: 1005, FIR: []rtcp.FIREntry{{SSRC: 1005}}}),
		marshal(&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{SSRC: 1005, LastSenderReport: 1, Delay: 9}}}))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := New(Config{Transport: &fakeFactory{}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		a, _ := addLive(t, s, "a")
		b, conn := addLive(t, s, "b")
		subscribe(t, b, cameraOf(a), protocol.Want{Participant: "a", Source: protocol.SourceMic})
		subscribe(t, a, cameraOf(b))
		for len(in) > 0 {
			n, isRTCP := 4*int(in[0]&0x7F), in[0]&0x80 != 0
			in = in[1:]
			n = min(n, len(in))
			pkt := append([]byte(nil), in[:n]...)
			in = in[n:]
			if isRTCP {
				a.RTCP(pkt)
				b.RTCP(pkt)
			} else {
				a.RTP(pkt)
			}
		}
		conn.sent(t) // fails on what cannot be parsed
		if st := s.Stats(); st.Peers != 2 {
			t.Fatalf("%+v", st)
		}
	})
}

func addLive(t testing.TB, s *SFU, id string) (*Peer, *fakeConn) {
	t.Helper()
	p, c := add(t, s, id, 1)
	for _, src := range protocol.Sources {
		p.SetSource(src, protocol.StateLive)
	}
	p.State(transport.Connected)
	return p, c
}
