package forward_test

import (
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/forward"
	"github.com/sotto-sfu/sotto/sfu/nack"
	"github.com/sotto-sfu/sotto/sfu/packetcache"
	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/sfu/seqnum"
	"github.com/sotto-sfu/sotto/sfu/twcc"
)

// pipeline is the media plane without sockets, locks and SRTP: one VP8 layer and its
// subscribers, put together as package sfu does it.
type pipeline struct {
	raw    []byte
	number uint16
	now    time.Time

	ids     rtpext.IDs
	packet  rtpext.Packet
	unwrap  seqnum.Unwrapper
	cache   *packetcache.Cache
	inspect *codec.Inspector
	nacks   nack.Generator
	stats   *rtcpstat.Receiver
	arrival *twcc.Recorder

	slots []*forward.Forwarder
	sent  []rtcpstat.Sender
	out   [1500 + rtpext.MaxGrowth]byte
	built int
}

func newPipeline(t testing.TB, subscribers int) *pipeline {
	t.Helper()
	p := &pipeline{
		now: epoch, inspect: codec.NewInspector(codec.VP8),
		cache: packetcache.New(packetcache.VideoSlots, packetcache.VideoSlotSize),
		stats: rtcpstat.NewReceiver(90000), arrival: twcc.New(1),
		sent: make([]rtcpstat.Sender, subscribers),
	}
	for range subscribers {
		f := forward.NewVideo(90000)
		f.Bind(alice, 0)
		p.slots = append(p.slots, f)
	}
	if err := p.ids.Set(rtpext.TransportCC, 3); err != nil {
		t.Fatal(err)
	}
	h := rtp.Header{Version: 2, PayloadType: 96, SSRC: 7}
	if err := h.SetExtension(3, []byte{0, 0}); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 1100)
	payload[0], payload[1] = 0x10, 0x00 // a VP8 key frame as a sealing sender makes it
	raw, err := (&rtp.Packet{Header: h, Payload: payload}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p.raw = raw
	return p
}

// step takes the next packet in and sends it to all.
func (p *pipeline) step(t testing.TB) {
	p.number++
	p.now = p.now.Add(4 * time.Millisecond)
	rtpext.SetSequenceNumber(p.raw, p.number)
	rtpext.SetTimestamp(p.raw, uint32(p.number)*360)

	if err := p.packet.Parse(p.raw, &p.ids); err != nil {
		t.Fatal(err)
	}
	p.arrival.Record(p.packet.SSRC, p.number, p.now)
	seq := p.unwrap.Unwrap(p.packet.SequenceNumber)
	p.stats.Packet(seq, p.packet.Timestamp, len(p.packet.Payload), p.now)
	if !p.cache.Store(seq, p.raw).Fresh() {
		t.Fatal("taken for a repeat")
	}
	p.nacks.Received(seq, p.now)
	frame := p.inspect.Inspect(&p.packet)
	in := forward.Packet{
		Source: alice, Seq: seq, Timestamp: p.packet.Timestamp, Key: frame.Key,
		Padding: p.packet.PaddingOnly(), HasFrame: frame.HasNumber, Frame: frame.Number,
	}
	for i, slot := range p.slots {
		d := slot.Forward(&in, p.now)
		if d.Verdict != forward.Send {
			t.Fatal(d.Verdict)
		}
		o := rtpext.Outgoing{
			SSRC: uint32(i), PayloadType: 100, Marker: p.packet.Marker,
			SequenceNumber: d.Seq.Wire(), Timestamp: d.Timestamp,
			RewriteFrameNumber: in.HasFrame, FrameNumber: d.Frame,
		}
		b, err := rtpext.Build(p.out[:], &p.packet, &o, &p.ids)
		if err != nil {
			t.Fatal(err)
		}
		p.built = b.Len
		p.sent[i].Packet(len(p.packet.Payload))
	}
}

// From decrypted bytes in to bytes ready for encryption out, for every subscriber,
// nothing is allocated.
func TestPipelineDoesNotAllocate(t *testing.T) {
	p := newPipeline(t, 10)
	for range 2 * packetcache.VideoSlots { // memory comes with first use
		p.step(t)
		if p.number%32 == 0 {
			p.arrival.Feedback()
		}
	}
	if n := testing.AllocsPerRun(100, func() { p.step(t) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
	if p.built != len(p.raw) {
		t.Errorf("the outgoing packet has %d bytes, the incoming one %d", p.built, len(p.raw))
	}
}

// BenchmarkPipeline reports the cost of one packet to one of 100 subscribers.
func BenchmarkPipeline(b *testing.B) {
	p := newPipeline(b, 100)
	b.ReportAllocs()
	for b.Loop() {
		p.step(b)
		if p.number%32 == 0 {
			p.arrival.Feedback()
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/subscriber")
}
