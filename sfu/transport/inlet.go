package transport

import (
	"io"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/transport/v5/packetio"
)

// The most SSRCs a participant may use. Pion keeps state for each until the end of the
// connection, so a hostile client could otherwise fill the memory with them. The
// first bound is for RTP: four sections of three layers with RTX, and every restart of
// an encoder. The second also counts the slots that RTCP speaks about.
const (
	maxRTPStreams  = 256
	maxRTCPStreams = 1024
)

// inlet makes the buffers that Pion believes it stores packets in. Writing to one
// calls the handler; reading from one says there is nothing, which ends Pion's attempts to make tracks
// out of what arrives.
type inlet struct {
	handler Handler
	flooded func() // too many SSRCs

	mu        sync.Mutex
	rtp, rtcp int
}

func (in *inlet) buffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	in.mu.Lock()
	defer in.mu.Unlock()
	if kind == packetio.RTPBufferPacket {
		if in.rtp++; in.rtp > maxRTPStreams {
			in.flooded()
			return discard{}
		}
		return rtpSink{in.handler}
	}
	if in.rtcp++; in.rtcp > maxRTCPStreams {
		in.flooded()
		return discard{}
	}
	return &rtcpSink{handler: in.handler, ssrc: ssrc}
}

// discard is a buffer of a connection about to be closed.
type discard struct{}

func (discard) Read([]byte) (int, error)    { return 0, io.EOF }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Close() error                { return nil }

type rtpSink struct{ handler Handler }

func (s rtpSink) Read([]byte) (int, error) { return 0, io.EOF }
func (s rtpSink) Close() error             { return nil }

func (s rtpSink) Write(pkt []byte) (int, error) {
	s.handler.RTP(pkt)
	return len(pkt), nil
}

// rtcpSink receives the RTCP packets about one SSRC. Pion writes a packet that speaks of
// several SSRCs to the sink of each; only that of the smallest passes it on.
type rtcpSink struct {
	handler Handler
	ssrc    uint32
	about   []uint32 // reused
}

func (s *rtcpSink) Read([]byte) (int, error) { return 0, io.EOF }
func (s *rtcpSink) Close() error             { return nil }

func (s *rtcpSink) Write(pkt []byte) (int, error) {
	var err error
	s.about, err = rtcp.RawPacket(pkt).ParseDestinationSSRC(s.about[:0])
	if err != nil || len(s.about) == 0 {
		return len(pkt), nil // nothing that we understand
	}
	for _, ssrc := range s.about {
		if ssrc < s.ssrc {
			return len(pkt), nil
		}
	}
	s.handler.RTCP(pkt)
	return len(pkt), nil
}
