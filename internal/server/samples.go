package server

import (
	"github.com/sotto-sfu/sotto/internal/metrics"
	"github.com/sotto-sfu/sotto/internal/portmux"
)

// portSamples counts the connections of the shared port.
func portSamples(m *portmux.Mux) metrics.Source {
	return func() []metrics.Sample {
		s := m.Stats()
		out := []metrics.Sample{
			{Name: "tcp_connections", Help: "Open TCP connections.", Value: float64(s.Open)},
			{
				Name: "tcp_silent_total", Help: "TCP connections closed for sending nothing in time.",
				Counter: true, Value: float64(s.Silent),
			},
			{
				Name: "tcp_crowded_total", Help: "TCP connections closed because too many were open or waiting.",
				Counter: true, Value: float64(s.Crowded),
			},
		}
		for p, n := range s.Accepted {
			out = append(out, metrics.Sample{
				Name: "tcp_accepted_total", Help: "TCP connections by what they spoke; unknown ones are closed.",
				Counter: true, Label: "protocol", Of: p.String(), Value: float64(n),
			})
		}
		return out
	}
}
