package client

import "github.com/pion/rtp"

// writer keeps the payloads that a track writes.
type writer struct{ packets [][]byte }

// WriteRTP implements webrtc.TrackLocalWriter.
func (w *writer) WriteRTP(_ *rtp.Header, payload []byte) (int, error) {
	w.packets = append(w.packets, append([]byte(nil), payload...))
	return len(payload), nil
}

// Write implements webrtc.TrackLocalWriter.
func (w *writer) Write(b []byte) (int, error) { return len(b), nil }
