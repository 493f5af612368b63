package server

import (
	"fmt"
	"strconv"

	"github.com/sotto-sfu/sotto/internal/buildinfo"
	"github.com/sotto-sfu/sotto/internal/metrics"
	"github.com/sotto-sfu/sotto/internal/portmux"
	"github.com/sotto-sfu/sotto/sfu"
	"github.com/sotto-sfu/sotto/signaling"
)

// registry gathers the numbers of all parts.
func (s *Server) registry() (*metrics.Registry, error) {
	reg := metrics.New(buildinfo.Version())
	for _, src := range []metrics.Source{
		func() []metrics.Sample { return portSamples(s.mux.Stats()) },
		func() []metrics.Sample { return signalingSamples(s.signal.Metrics()) },
		func() []metrics.Sample { return mediaSamples(s.media.Stats()) },
	} {
		if err := reg.Add(src); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return reg, nil
}

type number interface{ ~int | ~int64 | ~uint64 }

func gauge[N number](name, help string, v N) metrics.Sample {
	return metrics.Sample{Name: name, Help: help, Value: float64(v)}
}

func counter[N number](name, help string, v N) metrics.Sample {
	return metrics.Sample{Name: name, Help: help, Counter: true, Value: float64(v)}
}

func labelled[N number](name, help, label, of string, v N) metrics.Sample {
	return metrics.Sample{Name: name, Help: help, Counter: true, Label: label, Of: of, Value: float64(v)}
}

func portSamples(st portmux.Stats) []metrics.Sample {
	out := []metrics.Sample{
		gauge("tcp_connections", "Open TCP connections.", st.Open),
		counter("tcp_silent_total", "TCP connections closed for sending nothing in time.", st.Silent),
		counter("tcp_crowded_total", "TCP connections closed because too many were open or waiting.", st.Crowded),
	}
	for p, n := range st.Accepted {
		out = append(out, labelled("tcp_accepted_total", "TCP connections by what they spoke; unknown ones are closed.",
			"protocol", p.String(), n))
	}
	return out
}

func signalingSamples(m signaling.Metrics) []metrics.Sample {
	out := []metrics.Sample{
		gauge("signaling_connections", "Open WebSockets.", m.Connections),
		gauge("signaling_sessions", "Sessions, those waiting to be resumed included.", m.Sessions),
		gauge("calls", "Calls with somebody in them.", m.Calls),
		gauge("participants", "Participants of all calls.", m.Participants),
		counter("signaling_connections_total", "WebSockets accepted.", m.ConnectionsTotal),
		counter("signaling_connections_refused_total", "WebSockets turned away at a limit on connections.", m.ConnectionsRefused),
		counter("signaling_logins_total", "Logins that succeeded.", m.Logins),
		counter("signaling_resumes_total", "Logins that took an earlier session up.", m.Resumes),
		counter("signaling_joins_total", "Calls joined.", m.Joins),
		counter("signaling_messages_received_total", "Messages received.", m.MessagesIn),
		counter("signaling_messages_sent_total", "Messages sent.", m.MessagesOut),
		counter("signaling_bytes_received_total", "Bytes of messages received.", m.BytesIn),
		counter("signaling_bytes_sent_total", "Bytes of messages sent.", m.BytesOut),
		counter("signaling_panics_total", "Requests that hit a bug of the server.", m.Panics),
	}
	for name, n := range m.Requests {
		out = append(out, labelled("signaling_requests_total", "Requests carried out.", "type", name, n))
	}
	for code, n := range m.Refusals {
		out = append(out, labelled("signaling_refusals_total", "Requests refused.", "code", string(code), n))
	}
	for code, n := range m.Closes {
		out = append(out, labelled("signaling_closes_total", "WebSockets closed by the server.", "code", strconv.Itoa(code), n))
	}
	return out
}

func mediaSamples(st sfu.Stats) []metrics.Sample {
	out := []metrics.Sample{
		gauge("media_peers", "Participants in the media plane.", st.Peers),
		gauge("media_connected", "Participants whose media connection is up.", st.Connected),
		gauge("media_sources_live", "Sources that send.", st.LiveSources),
		gauge("media_slots_bound", "Receive slots that carry a source.", st.BoundSlots),
		counter("media_packets_received_total", "RTP packets received.", st.PacketsIn),
		counter("media_bytes_received_total", "Bytes of RTP received, after decryption of the transport.", st.BytesIn),
		counter("media_packets_sent_total", "RTP packets forwarded.", st.PacketsOut),
		counter("media_bytes_sent_total", "Bytes of RTP sent, retransmissions included, before encryption of the transport.", st.BytesOut),
		counter("media_packets_recovered_total", "Incoming packets that came as retransmissions.", st.Recovered),
		counter("media_packets_lost_total", "Incoming packets given up.", st.Lost),
		counter("media_packets_retransmitted_total", "Outgoing packets sent again.", st.Retransmitted),
		counter("media_nacks_received_total", "Packets that subscribers asked for again.", st.NACKsIn),
		counter("media_nacks_sent_total", "Packets asked of publishers again.", st.NACKsOut),
		counter("media_keyframe_requests_received_total", "Key frames that subscribers asked for.", st.KeyFramesAskedIn),
		counter("media_keyframe_requests_sent_total", "Key frames asked of publishers.", st.KeyFramesAskedOut),
	}
	for _, d := range sfu.Drops() {
		out = append(out, labelled("media_packets_dropped_total", "Packets that went no further, by reason.",
			"reason", d.String(), st.Dropped[d]))
	}
	return out
}
