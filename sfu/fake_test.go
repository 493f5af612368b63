package sfu

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"testing"

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
