package sfu

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// TestNackUpstream: a gap is asked for, once it is no mere reordering.
func TestNackUpstream(t *testing.T) {
	pub, _, pc, _ := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	pub.RTP(vp8(t, 1, 13, false))
	pub.tick(time.Now().Add(10 * time.Millisecond))
	pc.mu.Lock()
	defer pc.mu.Unlock()
	var asked []uint16
	for _, p := range pc.rtcp {
		if n, ok := p.(*rtcp.TransportLayerNack); ok && n.MediaSSRC == 1 {
			for _, pair := range n.Nacks {
				asked = append(asked, pair.PacketList()...)
			}
		}
	}
	if !slices.Equal(asked, []uint16{11, 12}) {
		t.Errorf("asked for %v, want 11 and 12", asked)
	}
}

// TestRetransmit answers a subscriber's NACK as RTX.
func TestRetransmit(t *testing.T) {
	pub, sub, _, sc := watching(t, &fakeFactory{})
	for i := range 5 {
		pub.RTP(vp8(t, 1, uint16(10+i), i == 0))
	}
	first := sc.sent(t)
	now := time.Now()
	slot := sub.slots()[1]
	ask := []rtcp.NackPair{{PacketID: first[2].SequenceNumber, LostPackets: 0b10}}
	slot.nack(ask, now)
	again := sc.sent(t)
	if len(again) != 2 {
		t.Fatalf("%d packets sent again, want 2", len(again))
	}
	for i, k := range []int{2, 4} {
		p := again[i]
		if p.SSRC != slot.spec.Stream.RTX || p.PayloadType != subVP8RTX || p.Timestamp != first[k].Timestamp || !p.Marker {
			t.Errorf("packet %d: %+v", k, p.Header)
		}
		if osn := binary.BigEndian.Uint16(p.Payload); osn != first[k].SequenceNumber || string(p.Payload[2:]) != string(first[k].Payload) {
			t.Errorf("packet %d: original %d, payload %q", k, osn, p.Payload[2:])
		}
	}
	if again[1].SequenceNumber != again[0].SequenceNumber+1 {
		t.Error("RTX numbers are not in a row")
	}
	slot.nack(ask, now.Add(time.Millisecond))
	if n := len(sc.sent(t)); n != 0 {
		t.Errorf("%d packets sent a third time within a millisecond", n)
	}
	slot.nack(ask, now.Add(time.Second))
	if n := len(sc.sent(t)); n != 2 {
		t.Errorf("%d packets sent when asked again later, want 2", n)
	}
	slot.nack([]rtcp.NackPair{{PacketID: first[0].SequenceNumber - 100, LostPackets: 0xFFFF}}, now)
	if n := len(sc.sent(t)); n != 0 {
		t.Errorf("%d packets sent that never were", n)
	}
}

// TestRetransmitPlain: without RTX a packet goes out again as it was, to the last bit: it is
// encrypted under the same nonce.
func TestRetransmitPlain(t *testing.T) {
	pub, sub, _, sc := watching(t, &fakeFactory{noRTX: true})
	for i := range 5 {
		pub.RTP(vp8(t, 1, uint16(10+i), i == 0))
	}
	sc.mu.Lock()
	first := sc.rtp
	sc.rtp = nil
	sc.mu.Unlock()
	start := binary.BigEndian.Uint16(first[0][2:])
	sub.slots()[1].nack([]rtcp.NackPair{{PacketID: start, LostPackets: 0b1111}}, time.Now())
	if !slices.EqualFunc(first, sc.rtp, slices.Equal) {
		t.Errorf("sent again: %x\nfirst time: %x", sc.rtp, first)
	}
}

// TestNackFlood: whatever is asked for, no more than the budget is sent again.
func TestNackFlood(t *testing.T) {
	pub, sub, _, sc := watching(t, &fakeFactory{})
	sent := 0
	for i := range 200 {
		pub.RTP(vp8(t, 1, uint16(10+i), i == 0))
	}
	first := sc.sent(t)
	for _, p := range first {
		sent += p.MarshalSize()
	}
	slot, now, again := sub.slots()[1], time.Now(), 0
	for i := range 1000 {
		for k := 0; k < 200; k += 17 {
			slot.nack([]rtcp.NackPair{{PacketID: first[0].SequenceNumber + uint16(k), LostPackets: 0xFFFF}}, now.Add(time.Duration(i)*time.Second))
		}
	}
	for _, p := range sc.sent(t) {
		again += p.MarshalSize()
	}
	if limit := creditStart + sent/creditShare + 1500; again > limit || again < limit/2 {
		t.Errorf("%d bytes sent again after %d; the budget is %d", again, sent, limit)
	}
}
