package sfu

import (
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
)

// RTCP implements transport.Handler: what a peer reports and asks for.
func (p *Peer) RTCP(b []byte) {
	m := p.media.Load()
	if m == nil {
		return
	}
	pkts, err := rtcp.Unmarshal(b)
	if err != nil {
		p.in.mu.Lock()
		p.in.drop(DropMalformed)
		p.in.mu.Unlock()
		return
	}
	now := time.Now()
	for _, pkt := range pkts {
		switch pkt := pkt.(type) {
		case *rtcp.SenderReport:
			p.senderReport(pkt, now)
			p.receptionReports(m, pkt.Reports, now)
		case *rtcp.ReceiverReport:
			p.receptionReports(m, pkt.Reports, now)
		case *rtcp.TransportLayerNack:
			if sl := m.bySSRC[pkt.MediaSSRC]; sl != nil {
				sl.nack(pkt.Nacks, now)
			}
		case *rtcp.PictureLossIndication:
			if sl := m.bySSRC[pkt.MediaSSRC]; sl != nil {
				sl.pictureLost()
			}
		case *rtcp.FullIntraRequest:
			for _, fir := range pkt.FIR {
				if sl := m.bySSRC[fir.SSRC]; sl != nil {
					sl.pictureLost()
				}
			}
		}
	}
}

// senderReport notes the clock of a publisher.
func (p *Peer) senderReport(sr *rtcp.SenderReport, now time.Time) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	st := p.in.streams[sr.SSRC]
	if st == nil || st.layer == nil || sr.NTPTime == 0 {
		return
	}
	st.layer.recv.SenderReport(sr.NTPTime, sr.RTPTime, now)
	p.in.clock.Observe(rtcpstat.SenderReport{NTP: rtcpstat.NTP(sr.NTPTime), RTP: sr.RTPTime, Arrival: now})
}

// receptionReports measures the round trip to the peer from its reports on our slots.
func (p *Peer) receptionReports(m *media, reports []rtcp.ReceptionReport, now time.Time) {
	for _, r := range reports {
		if m.bySSRC[r.SSRC] == nil {
			continue
		}
		if rtt, ok := rtcpstat.RTT(now, r.LastSenderReport, r.Delay); ok && rtt < maxRoundTrip {
			p.rtt.Store(int64(max(rtt, time.Millisecond)))
		}
	}
}

// maxRoundTrip bounds what a report may make us believe.
const maxRoundTrip = 5 * time.Second

// roundTrip to the peer, zero if it was not measured yet.
func (p *Peer) roundTrip() time.Duration { return time.Duration(p.rtt.Load()) }
