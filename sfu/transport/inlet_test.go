package transport

import (
	"testing"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v5/packetio"
)

type counter struct{ rtp, rtcp int }

func (c *counter) RTP([]byte)  { c.rtp++ }
func (c *counter) RTCP([]byte) { c.rtcp++ }
func (c *counter) State(State) {}

// TestRTCPOnce: Pion writes a packet to the buffer of each SSRC it speaks about; it must
// arrive once.
func TestRTCPOnce(t *testing.T) {
	h := &counter{}
	in := &inlet{handler: h, flooded: func() { t.Error("flooded") }}
	for _, pkt := range []rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{{SSRC: 30}, {SSRC: 10}, {SSRC: 20}, {SSRC: 10}}},
		&rtcp.PictureLossIndication{SenderSSRC: 1, MediaSSRC: 20},
		&rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 20, Nacks: []rtcp.NackPair{{PacketID: 1}}},
		&rtcp.FullIntraRequest{SenderSSRC: 1, FIR: []rtcp.FIREntry{{SSRC: 30}, {SSRC: 20}}},
		&rtcp.SenderReport{SSRC: 20, Reports: []rtcp.ReceptionReport{{SSRC: 10}}},
	} {
		b, err := pkt.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		h.rtcp = 0
		for _, ssrc := range []uint32{10, 20, 30} {
			for _, about := range pkt.DestinationSSRC() {
				if about == ssrc {
					if _, err := in.buffer(packetio.RTCPBufferPacket, ssrc).Write(b); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
		}
		if h.rtcp != 1 {
			t.Errorf("%T arrived %d times", pkt, h.rtcp)
		}
	}
	garbage := in.buffer(packetio.RTCPBufferPacket, 10)
	for _, b := range [][]byte{nil, {0x80}, {0x80, 206, 0, 9, 1, 2, 3, 4}} {
		if _, err := garbage.Write(b); err != nil {
			t.Error(err)
		}
	}
}

// TestTooManySSRCs: a participant that keeps inventing SSRCs is cut off, as Pion would
// remember each of them.
func TestTooManySSRCs(t *testing.T) {
	for kind, limit := range map[packetio.BufferPacketType]int{
		packetio.RTPBufferPacket: maxRTPStreams, packetio.RTCPBufferPacket: maxRTCPStreams,
	} {
		h := &counter{}
		flooded := 0
		in := &inlet{handler: h, flooded: func() { flooded++ }}
		for ssrc := range limit {
			in.buffer(kind, uint32(ssrc))
		}
		if flooded != 0 {
			t.Fatalf("cut off within the limit of %d", limit)
		}
		b := in.buffer(kind, 1<<20)
		if flooded != 1 {
			t.Error("not cut off")
		}
		if _, err := b.Write([]byte{1}); err != nil || h.rtp != 0 || h.rtcp != 0 {
			t.Error("packets of a flooder arrive")
		}
	}
}
