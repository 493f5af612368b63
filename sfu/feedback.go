package sfu

import (
	"log/slog"
	"time"

	"github.com/pion/rtcp"

	"github.com/sotto-sfu/sotto/sfu/rtcpstat"
	"github.com/sotto-sfu/sotto/sfu/twcc"
)

const (
	// reportInterval is how often reports are sent to each side. RFC 3550 §6.2 would
	// allow more at our bandwidths; browsers do about the same.
	reportInterval = time.Second
	// silentAfter is when a layer that sends nothing is no longer reported on.
	silentAfter = 5 * time.Second
	// remb is what publishers without transport-cc are told they may send, in bit/s: a
	// ceiling for their own loss-based control, not an estimate.
	remb = 3_000_000
)

// sendRTCP sends packets to the peer. No lock is held.
func (p *Peer) sendRTCP(pkts []rtcp.Packet) {
	m := p.media.Load()
	if m == nil || len(pkts) == 0 {
		return
	}
	b, err := rtcp.Marshal(pkts)
	if err == nil {
		err = m.conn.WriteRTCP(b)
	}
	if err != nil {
		p.call.sfu.log.Debug("rtcp not sent", slog.Any("error", err))
	}
}

// keyRequest appends a request for a key frame if one is due. in.mu is held.
func (in *inbound) keyRequest(out []rtcp.Packet, l *layer, now time.Time) []rtcp.Packet {
	if l.pt == nil || !l.keys.Poll(now) {
		return out
	}
	in.plisOut++
	if l.pt.FIR && !l.pt.PLI {
		l.firSeq++
		return append(out, &rtcp.FullIntraRequest{
			SenderSSRC: l.src.peer.ssrc, MediaSSRC: l.ssrc,
			FIR: []rtcp.FIREntry{{SSRC: l.ssrc, SequenceNumber: l.firSeq}},
		})
	}
	return append(out, &rtcp.PictureLossIndication{SenderSSRC: l.src.peer.ssrc, MediaSSRC: l.ssrc})
}

// nackRequests appends the NACKs of a layer that are due. in.mu is held.
func (in *inbound) nackRequests(out []rtcp.Packet, p *Peer, l *layer, now time.Time) []rtcp.Packet {
	pairs, lost := l.nacks.Poll(now, p.roundTrip(), nil)
	if len(l.src.subscribers()) == 0 || l.pt == nil {
		return out // nobody would see the difference
	}
	if lost > 0 {
		in.lost += uint64(lost)
		if l.src.name.Video() {
			l.keys.Want(nil)
		}
	}
	if len(pairs) == 0 || !l.pt.NACK {
		return out
	}
	for i := range pairs {
		in.nacksOut += uint64(len(pairs[i].PacketList()))
	}
	return append(out, &rtcp.TransportLayerNack{SenderSSRC: p.ssrc, MediaSSRC: l.ssrc, Nacks: pairs})
}

// tick does the periodic work of a peer.
func (p *Peer) tick(now time.Time) {
	m := p.media.Load()
	if m == nil || !p.connected.Load() {
		return
	}
	p.sendRTCP(p.in.tick(p, m, now))
	for _, sl := range m.slots {
		sl.tick(now)
	}
}

// tick collects what a publisher is to be told.
func (in *inbound) tick(p *Peer, m *media, now time.Time) []rtcp.Packet {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []rtcp.Packet
	report := now.After(in.nextRR)
	if report {
		in.nextRR = now.Add(reportInterval)
		if rr := in.receiverReport(p, now); len(rr.Reports) > 0 {
			out = append(out, rr)
			if m.remb {
				est := &rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: p.ssrc, Bitrate: remb}
				for _, r := range rr.Reports {
					est.SSRCs = append(est.SSRCs, r.SSRC)
				}
				out = append(out, est)
			}
		}
	}
	for _, st := range in.streams {
		l := st.layer
		if l == nil || st.src.layer.Load() != l {
			continue
		}
		out = in.nackRequests(out, p, l, now)
		if p.isLive(st.src) {
			out = in.keyRequest(out, l, now)
		}
	}
	if !now.Before(in.nextCC) {
		in.nextCC = now.Add(twcc.Interval)
		out = append(out, in.twcc.Feedback()...)
	}
	return out
}

// receiverReport reports on all layers (RFC 3550 §6.4.2). in.mu is held.
func (in *inbound) receiverReport(p *Peer, now time.Time) *rtcp.ReceiverReport {
	rr := &rtcp.ReceiverReport{SSRC: p.ssrc}
	for _, st := range in.streams {
		if st.layer == nil || now.Sub(st.layer.heard) > silentAfter || len(rr.Reports) == maxReports {
			continue
		}
		if r, ok := st.layer.recv.Report(st.layer.ssrc, now); ok {
			rr.Reports = append(rr.Reports, r)
		}
	}
	return rr
}

// maxReports is what fits in one packet (the count has 5 bits).
const maxReports = 31

// tick sends the slot's sender report when it is due: at once when a source starts to
// be shown, so that sound and picture are in step from the beginning, then regularly.
func (s *slot) tick(now time.Time) {
	s.mu.Lock()
	l := s.layer
	_, offset, showing := s.fwd.TimestampOffset()
	due := !s.nextSR.IsZero() && !now.Before(s.nextSR)
	s.mu.Unlock()
	if l == nil || !showing || !due {
		return
	}
	in := &l.src.peer.in
	in.mu.Lock()
	sr, ok := l.recv.LastSenderReport()
	clock := in.clock
	in.mu.Unlock()
	if !ok || !clock.Known() {
		return // the publisher's first report is still to come: try at the next tick
	}
	s.mu.Lock()
	s.nextSR = now.Add(reportInterval)
	rtp := rtcpstat.SlotTime(sr, &clock, offset, s.rate, now)
	report := s.sender.Report(s.spec.Stream.SSRC, now, rtp)
	s.mu.Unlock()
	s.peer.sendRTCP([]rtcp.Packet{&report, rtcp.NewCNAMESourceDescription(s.spec.Stream.SSRC, s.spec.CNAME)})
}
