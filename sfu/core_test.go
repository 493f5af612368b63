package sfu

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/sotto-sfu/sotto/internal/testkit"
	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/sfu/transport"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// The ids that the fake transport negotiates; publisher and subscriber differ in all of them.
const (
	pubMIDExt, subMIDExt = 4, 7
	pubVP8, pubVP8RTX    = 96, 97
	subVP8, subVP8RTX    = 120, 121
	pubOpus, subOpus     = 111, 109
)

// fakeFactory is a transport without a network.
type fakeFactory struct {
	noRTX bool // towards subscribers
	quiet bool // do not record what is written
}

func (f *fakeFactory) Close() error { return nil }

func (f *fakeFactory) Connect(h transport.Handler) (transport.Conn, error) {
	return &fakeConn{factory: f, handler: h}, nil
}

type fakeConn struct {
	factory *fakeFactory
	handler transport.Handler

	mu     sync.Mutex
	rtp    [][]byte
	rtcp   []rtcp.Packet
	closed bool
	fail   error
}

func (c *fakeConn) Offer(_ context.Context, _ string, sections []protocol.Section) (string, *transport.Session, error) {
	s := &transport.Session{Ext: &rtpext.IDs{}}
	_ = s.Ext.Set(rtpext.MID, pubMIDExt)
	index := map[protocol.MediaKind]int{}
	for i, sec := range sections {
		if sec.Publish != "" {
			p := transport.Publish{Mid: sec.Mid, Source: sec.Publish, Ext: s.Ext}
			if sec.Publish.Video() {
				p.Codecs = []transport.PayloadType{{Codec: codec.VP8, Number: pubVP8, RTX: pubVP8RTX, NACK: true, PLI: true, FIR: true}}
			} else {
				p.Codecs = []transport.PayloadType{{Codec: codec.Opus, Number: pubOpus}}
			}
			s.Publish = append(s.Publish, p)
			continue
		}
		slot := transport.Slot{Mid: sec.Mid, Kind: sec.Receive, Index: index[sec.Receive], Ext: &rtpext.IDs{}}
		_ = slot.Ext.Set(rtpext.MID, subMIDExt)
		index[sec.Receive]++
		slot.Stream.SSRC = uint32(1000 + i)
		if sec.Receive == protocol.KindVideo {
			pt := transport.PayloadType{Codec: codec.VP8, Number: subVP8, NACK: true, PLI: true}
			if !c.factory.noRTX {
				pt.RTX, slot.Stream.RTX = subVP8RTX, uint32(2000+i)
			}
			slot.Codecs = []transport.PayloadType{pt}
		} else {
			slot.Codecs = []transport.PayloadType{{Codec: codec.Opus, Number: subOpus}}
		}
		s.Slots = append(s.Slots, slot)
	}
	return "answer", s, nil
}

func (c *fakeConn) Restart(context.Context, string) (string, error) { return "answer", nil }

func (c *fakeConn) setFail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = err
}

func (c *fakeConn) WriteRTP(pkt []byte) error {
	if c.factory.quiet {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	c.rtp = append(c.rtp, slices.Clone(pkt))
	return nil
}

func (c *fakeConn) WriteRTCP(pkt []byte) error {
	pkts, err := rtcp.Unmarshal(pkt)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rtcp = append(c.rtcp, pkts...)
	return nil
}

func (c *fakeConn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// sent returns and forgets the RTP packets written.
func (c *fakeConn) sent(t testing.TB) []*rtp.Packet {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*rtp.Packet
	for _, b := range c.rtp {
		p := &rtp.Packet{}
		if err := p.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	c.rtp = nil
	return out
}

// plis returns the number of key frame requests written.
func (c *fakeConn) plis() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, p := range c.rtcp {
		if _, ok := p.(*rtcp.PictureLossIndication); ok {
			n++
		}
	}
	return n
}

func newCore(t testing.TB, f *fakeFactory) *SFU {
	t.Helper()
	s, err := New(Config{Transport: f})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// add joins a peer that publishes everything and has as many slots of each kind as asked for.
func add(t testing.TB, s *SFU, id string, slots int) (*Peer, *fakeConn) {
	t.Helper()
	p, err := s.Join("call", protocol.ParticipantID(id), nil)
	if err != nil {
		t.Fatal(err)
	}
	var sections []protocol.Section
	for _, src := range protocol.Sources {
		sections = append(sections, protocol.Section{Mid: "p-" + string(src), Publish: src})
	}
	for _, kind := range []protocol.MediaKind{protocol.KindAudio, protocol.KindVideo} {
		for k := range slots {
			sections = append(sections, protocol.Section{Mid: fmt.Sprintf("%s%d", kind[:1], k), Receive: kind})
		}
	}
	if _, err := p.Offer(t.Context(), "", sections); err != nil {
		t.Fatal(err)
	}
	p.State(transport.Connected)
	return p, p.media.Load().conn.(*fakeConn)
}

func subscribe(t testing.TB, p *Peer, wants ...protocol.Want) []protocol.Binding {
	t.Helper()
	b, err := p.Subscribe(wants)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var cameraOf = func(p *Peer) protocol.Want {
	return protocol.Want{Participant: p.id, Source: protocol.SourceCamera}
}

// vp8 is a packet of a camera, with its mid.
func vp8(t testing.TB, ssrc uint32, seq uint16, key bool) []byte {
	t.Helper()
	p := &rtp.Packet{
		Header: rtp.Header{
			Version: 2, SSRC: ssrc, PayloadType: pubVP8, SequenceNumber: seq, Timestamp: 3000 * uint32(seq), Marker: true,
		},
		Payload: testkit.Payload(codec.VP8, key, []byte(fmt.Sprintf("frame %d", seq))),
	}
	if err := p.SetExtension(pubMIDExt, []byte("p-camera")); err != nil {
		t.Fatal(err)
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rtx wraps a packet made by vp8 (RFC 4588 §4).
func rtx(t testing.TB, ssrc uint32, seq uint16, original []byte) []byte {
	t.Helper()
	p := &rtp.Packet{}
	if err := p.Unmarshal(original); err != nil {
		t.Fatal(err)
	}
	p.Payload = append(binary.BigEndian.AppendUint16(nil, p.SequenceNumber), p.Payload...)
	p.SSRC, p.PayloadType, p.SequenceNumber = ssrc, pubVP8RTX, seq
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// watching is a publisher whose camera a subscriber watches.
func watching(t testing.TB, f *fakeFactory) (pub, sub *Peer, pc, sc *fakeConn) {
	t.Helper()
	s := newCore(t, f)
	pub, pc = add(t, s, "pub", 0)
	sub, sc = add(t, s, "sub", 1)
	pub.SetSource(protocol.SourceCamera, protocol.StateLive)
	subscribe(t, sub, cameraOf(pub))
	return pub, sub, pc, sc
}

func numbers(pkts []*rtp.Packet) []uint16 {
	var out []uint16
	for _, p := range pkts {
		out = append(out, p.SequenceNumber)
	}
	return out
}

// TestIntroduction: an SSRC the offer did not name introduces itself by its mid, its RTX
// stream likewise; others are dropped.
func TestIntroduction(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	stranger := vp8(t, 2, 11, true)
	stranger[0] &^= 0x10 // without extensions: payload and mid are both garbage now
	pub.RTP(stranger)
	pub.RTP(rtx(t, 3, 500, vp8(t, 1, 12, false))) // ahead of the stream
	pub.RTP(vp8(t, 1, 12, false))                 // and now by itself
	pub.RTP(rtx(t, 3, 501, vp8(t, 1, 11, false))) // behind it
	pub.RTP(rtx(t, 3, 502, vp8(t, 1, 11, false))) // unasked, again
	got := sc.sent(t)
	if len(got) != 3 {
		t.Fatalf("%d packets forwarded, want 10, 12 and 11", len(got))
	}
	for i, wantSeq := range []uint16{10, 12, 11} {
		if d := got[i].SequenceNumber - got[0].SequenceNumber; d != wantSeq-10 {
			t.Errorf("packet %d is numbered %d after the first", wantSeq, d)
		}
		if string(got[i].Payload[2:]) != fmt.Sprintf("frame %d", wantSeq) {
			t.Errorf("packet %d has payload %q", wantSeq, got[i].Payload)
		}
		if got[i].SSRC == 1 || got[i].PayloadType != subVP8 || !got[i].Marker {
			t.Errorf("packet %d: %+v", wantSeq, got[i].Header)
		}
	}
	st := pub.call.sfu.Stats()
	if st.Dropped[DropUnknownStream] != 1 || st.Dropped[DropRepeat] != 2 || st.Recovered != 2 {
		t.Errorf("dropped %v, recovered %d", st.Dropped, st.Recovered)
	}
}

// TestProbe: RTX packets without an original inside are bandwidth probes.
func TestProbe(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	probe := &rtp.Packet{
		Header:      rtp.Header{Version: 2, SSRC: 3, PayloadType: pubVP8RTX, Padding: true},
		PaddingSize: 200,
	}
	if err := probe.SetExtension(pubMIDExt, []byte("p-camera")); err != nil {
		t.Fatal(err)
	}
	b, err := probe.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	pub.RTP(b)
	if got := sc.sent(t); len(got) != 1 {
		t.Errorf("%d packets forwarded", len(got))
	}
	if n := pub.call.sfu.Stats().Dropped[DropPadding]; n != 1 {
		t.Errorf("%d probes counted", n)
	}
}

// TestReplacedStream: a publisher whose encoder starts again with another SSRC goes on in the same
// slot; late packets of the old stream are dropped.
func TestReplacedStream(t *testing.T) {
	pub, _, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	pub.RTP(vp8(t, 1, 11, false))
	pub.RTP(vp8(t, 2, 60000, false)) // not a place to start
	pub.RTP(vp8(t, 2, 60001, true))
	pub.RTP(vp8(t, 1, 12, false))
	pub.RTP(vp8(t, 2, 60002, false))
	got := numbers(sc.sent(t))
	if len(got) != 4 || got[3]-got[0] != 3 {
		t.Errorf("numbers %v, want four in a row", got)
	}
	st := pub.call.sfu.Stats()
	if st.Dropped[DropReplaced] != 1 || st.Dropped[DropAwaitingKey] != 1 {
		t.Errorf("dropped %v", st.Dropped)
	}
}

// TestConnecting: nothing is forwarded to a subscriber whose connection is not up, and it
// starts with a key frame when it is; also if the very first packet could not be sent.
func TestConnecting(t *testing.T) {
	pub, sub, pc, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, false))
	asked := pc.plis()
	subscribe(t, sub)
	sub.State(transport.Failed)
	subscribe(t, sub, cameraOf(pub))
	pub.RTP(vp8(t, 1, 11, true))
	if n := len(sc.sent(t)); n != 0 || pc.plis() != asked {
		t.Fatalf("%d packets sent, %d key frames asked for, without a connection", n, pc.plis()-asked)
	}
	sc.setFail(transport.ErrNotConnected)
	sub.State(transport.Connected)
	pub.RTP(vp8(t, 1, 12, true)) // gets lost
	sc.setFail(nil)
	pub.RTP(vp8(t, 1, 13, false))
	if n := len(sc.sent(t)); n != 0 {
		t.Fatalf("%d packets sent without a key frame", n)
	}
	pub.RTP(vp8(t, 1, 14, true))
	if n := len(sc.sent(t)); n != 1 {
		t.Errorf("%d packets sent, want the key frame", n)
	}
	if pub.call.sfu.Stats().Dropped[DropNotConnected] != 1 {
		t.Error("not counted")
	}
}

// TestReconnect: after an outage a slot goes on with a key frame, numbered right after the last packet.
func TestReconnect(t *testing.T) {
	pub, sub, _, sc := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, true))
	sub.State(transport.Failed)
	for seq := range uint16(300) {
		pub.RTP(vp8(t, 1, 11+seq, seq == 100))
	}
	sub.State(transport.Connected)
	pub.RTP(vp8(t, 1, 311, false))
	pub.RTP(vp8(t, 1, 312, true))
	got := numbers(sc.sent(t))
	if len(got) != 2 || got[1]-got[0] != 1 {
		t.Errorf("numbers %v, want two in a row", got)
	}
}

// TestNobodyAsked: without a subscription nothing is forwarded, and nobody is asked for key frames.
func TestNobodyAsked(t *testing.T) {
	pub, sub, pc, sc := watching(t, &fakeFactory{})
	subscribe(t, sub)
	pub.RTP(vp8(t, 1, 10, true))
	pub.RTP(vp8(t, 1, 11, false))
	if got := sc.sent(t); len(got) != 0 || pc.plis() != 0 {
		t.Errorf("%d packets forwarded, %d key frames asked for", len(got), pc.plis())
	}
}

// TestKeyFrameCadence: the publisher is asked at once, then every 450 ms until a key frame comes, and
// only as long as somebody waits.
func TestKeyFrameCadence(t *testing.T) {
	pub, sub, pc, _ := watching(t, &fakeFactory{})
	pub.RTP(vp8(t, 1, 10, false))
	pub.RTP(vp8(t, 1, 11, false))
	if n := pc.plis(); n != 1 {
		t.Fatalf("%d requests after the first packets, want 1", n)
	}
	start := time.Now()
	for ms := 0; ms <= 2000; ms += 10 {
		pub.tick(start.Add(time.Duration(ms) * time.Millisecond))
	}
	if n := pc.plis(); n != 5 {
		t.Errorf("%d requests in two seconds, want 5", n)
	}
	subscribe(t, sub) // nobody waits any more
	pub.tick(start.Add(time.Minute))
	if n := pc.plis(); n != 5 {
		t.Error("asked on though nobody waits")
	}
	subscribe(t, sub, cameraOf(pub))
	pub.tick(start.Add(2 * time.Minute))
	n := pc.plis()
	if n != 6 {
		t.Errorf("%d requests after subscribing again, want 6", n)
	}
	pub.RTP(vp8(t, 1, 12, true))
	pub.tick(start.Add(3 * time.Minute))
	if pc.plis() != n {
		t.Error("asked on though a key frame came")
	}
}

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

// TestAssign binds sources to slots.
func TestAssign(t *testing.T) {
	s := newCore(t, &fakeFactory{})
	a, _ := add(t, s, "a", 0)
	b, _ := add(t, s, "b", 0)
	c, _ := add(t, s, "c", 0)
	me, _ := add(t, s, "me", 2)
	want := func(p *Peer, src protocol.Source) protocol.Want {
		return protocol.Want{Participant: p.id, Source: src}
	}
	for i, step := range []struct {
		wants []protocol.Want
		got   string
	}{
		{[]protocol.Want{want(a, "camera"), want(a, "mic")}, "a0=a/mic v0=a/camera"},
		{[]protocol.Want{want(b, "mic"), want(a, "mic"), want(b, "camera"), want(a, "camera")}, "a0=a/mic a1=b/mic v0=a/camera v1=b/camera"},
		// What is gone frees its slot, what stays does not move, partners meet.
		{[]protocol.Want{want(b, "camera"), want(c, "mic"), want(c, "camera"), want(b, "mic")}, "a0=c/mic a1=b/mic v0=c/camera v1=b/camera"},
		// Too many: the most wanted are taken, and what was shown has to go.
		{[]protocol.Want{want(c, "screen"), want(a, "camera"), want(b, "camera")}, "v0=c/screen v1=a/camera"},
		// Nobody, nothing, oneself, twice.
		{[]protocol.Want{want(me, "mic"), {Participant: "x", Source: "mic"}, want(a, "mic"), want(a, "mic")}, "a0=a/mic"},
		{nil, ""},
		// Alone: leaves room for its partner.
		{[]protocol.Want{want(a, "mic"), want(b, "camera")}, "a0=a/mic v1=b/camera"},
		{[]protocol.Want{want(b, "camera"), want(b, "mic"), want(a, "mic"), want(a, "camera")}, "a0=a/mic a1=b/mic v0=a/camera v1=b/camera"},
	} {
		list := ""
		for _, b := range subscribe(t, me, step.wants...) {
			list += fmt.Sprintf(" %s=%s/%s", b.Mid, b.Participant, b.Source)
		}
		if list = list[min(1, len(list)):]; list != step.got {
			t.Errorf("step %d: %q, want %q", i, list, step.got)
		}
	}
}

// TestNoAllocations: forwarding a packet to ten subscribers allocates nothing.
func TestNoAllocations(t *testing.T) {
	pub, pkt := fanout(t, 10)
	seq := uint16(10)
	if n := testing.AllocsPerRun(3000, func() {
		seq++
		binary.BigEndian.PutUint16(pkt[2:], seq)
		binary.BigEndian.PutUint32(pkt[4:], uint32(seq)*3000)
		pub.RTP(pkt)
	}); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
	st := pub.call.sfu.Stats()
	if st.PacketsOut < 10*3000 {
		t.Errorf("only %d packets forwarded", st.PacketsOut)
	}
}

// fanout is a publisher watched by n, after the first packets, and a delta packet.
func fanout(t testing.TB, n int) (*Peer, []byte) {
	t.Helper()
	s := newCore(t, &fakeFactory{quiet: true})
	pub, _ := add(t, s, "pub", 0)
	pub.SetSource(protocol.SourceCamera, protocol.StateLive)
	for i := range n {
		sub, _ := add(t, s, fmt.Sprint("sub", i), 1)
		subscribe(t, sub, cameraOf(pub))
	}
	pub.RTP(vp8(t, 1, 10, true))
	pkt := vp8(t, 1, 11, false)
	// All memory of the cache is made in the first round.
	for seq := range uint16(2000) {
		binary.BigEndian.PutUint16(pkt[2:], 11+seq)
		pub.RTP(pkt)
	}
	pub.RTP(vp8(t, 1, 2011, true))
	binary.BigEndian.PutUint16(pkt[2:], 2012)
	return pub, append(pkt, make([]byte, 1100)...)
}

func BenchmarkFanout(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			pub, pkt := fanout(b, n)
			seq := uint16(2012)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				seq++
				binary.BigEndian.PutUint16(pkt[2:], seq)
				pub.RTP(pkt)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/copy")
		})
	}
}

// TestChurn lets everything happen at once; run with -race.
func TestChurn(t *testing.T) {
	s := newCore(t, &fakeFactory{quiet: true})
	pub, _ := add(t, s, "pub", 2)
	pub.SetSource(protocol.SourceCamera, protocol.StateLive)
	stop := make(chan struct{})
	var running, churning sync.WaitGroup
	running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			pub.RTP(vp8(t, uint32(1+i/500%2), uint16(i), i%50 == 0))
		}
	})
	running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			state := protocol.StateLive
			if i%3 == 0 {
				state = protocol.StateMuted
			}
			pub.SetSource(protocol.SourceCamera, state)
			s.Stats()
		}
	})
	for k := range 4 {
		churning.Go(func() {
			for i := range 50 {
				sub, _ := add(t, s, fmt.Sprintf("sub%d-%d", k, i), 2)
				for range 5 {
					subscribe(t, sub, cameraOf(pub))
					sl := sub.slots()[2]
					b, err := rtcp.Marshal([]rtcp.Packet{
						&rtcp.PictureLossIndication{MediaSSRC: sl.spec.Stream.SSRC},
						&rtcp.TransportLayerNack{MediaSSRC: sl.spec.Stream.SSRC, Nacks: []rtcp.NackPair{{PacketID: uint16(i), LostPackets: 0xFFFF}}},
					})
					if err != nil {
						t.Error(err)
					}
					sub.RTCP(b)
					subscribe(t, sub)
				}
				subscribe(t, sub, cameraOf(pub))
				sub.Close()
			}
		})
	}
	churning.Wait()
	close(stop)
	running.Wait()
	if st := s.Stats(); st.Peers != 1 || st.BoundSlots != 0 || st.PacketsOut == 0 {
		t.Errorf("after all left: %+v", st)
	}
	if n := len(pub.source(protocol.SourceCamera).subscribers()); n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
}
