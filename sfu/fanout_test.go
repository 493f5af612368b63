package sfu

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// TestNoAllocations: forwarding a packet to ten subscribers allocates nothing.
func TestNoAllocations(t *testing.T) {
	pub, pkt := fanout(t, 10)
	before := pub.call.sfu.Stats().PacketsOut
	seq := uint16(2012)
	if n := testing.AllocsPerRun(3000, func() {
		seq++
		binary.BigEndian.PutUint16(pkt[2:], seq)
		binary.BigEndian.PutUint32(pkt[4:], uint32(seq)*3000)
		pub.RTP(pkt)
	}); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
	if n := pub.call.sfu.Stats().PacketsOut - before; n < 10*3000 {
		t.Errorf("only %d packets forwarded", n)
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
