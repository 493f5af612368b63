package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/sotto-sfu/sotto/client"
	"github.com/sotto-sfu/sotto/client/record"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// summary is what "sotto call" ends with. Its JSON form is for scripts: fields are
// added, never renamed.
type summary struct {
	Seconds   float64                              `json:"seconds"`
	Rejoins   int                                  `json:"rejoins"`
	Transport string                               `json:"transport"`       // of media: udp or tcp
	Error     string                               `json:"error,omitempty"` // a stable code
	Sent      map[protocol.Source]client.SendStats `json:"sent"`
	Received  []received                           `json:"received"`
	Total     total                                `json:"total"`
	Files     []record.File                        `json:"files,omitempty"`
}

// received is one source of one participant.
type received struct {
	Name string `json:"name"`
	client.ReceiveStats
	FirstFrameMillis int64 `json:"first_frame_ms,omitempty"` // since the command began
}

// total sums up what was received.
type total struct {
	Frames          uint64 `json:"frames"`
	Bytes           uint64 `json:"bytes"`
	LostPackets     uint64 `json:"lost_packets"`
	DecryptFailures uint64 `json:"decrypt_failures"`
	NoKey           uint64 `json:"no_key_drops"`
	WaitingForKey   uint64 `json:"key_frame_drops"`
}

func summarize(call *client.Call, names *roster, transport string, begin time.Time) summary {
	s := summary{
		Transport: transport,
		Seconds:   time.Since(begin).Round(time.Millisecond).Seconds(),
		Rejoins:   call.Rejoins(), Error: string(client.CodeOf(call.Err())), Sent: call.Sent(), Received: []received{},
	}
	for _, r := range call.Received() {
		row := received{Name: names.name(r.Participant), ReceiveStats: r}
		if !r.FirstFrame.IsZero() {
			row.FirstFrameMillis = r.FirstFrame.Sub(begin).Milliseconds()
		}
		s.Received = append(s.Received, row)
		s.Total.Frames += r.Frames
		s.Total.Bytes += r.Bytes
		s.Total.LostPackets += r.LostPackets
		s.Total.DecryptFailures += r.DecryptFailures
		s.Total.NoKey += r.NoKey
		s.Total.WaitingForKey += r.WaitingForKey
	}
	return s
}

// print writes the summary for scripts or for people.
func (s summary) print(out io.Writer, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	fmt.Fprintf(out, "%.1f s in the call\n", s.Seconds)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, src := range protocol.Sources {
		if st, ok := s.Sent[src]; ok {
			fmt.Fprintf(w, "sent\t%s\t%s\t%d frames\t%s\n", src, st.Codec, st.Frames, size(st.Bytes))
		}
	}
	for _, r := range s.Received {
		name := r.Name
		if name == "" {
			name = string(r.Participant)
		}
		fmt.Fprintf(w, "from %s\t%s\t%s\t%d frames\t%s\tlost %d\tdecrypt failures %d\tno key %d\n",
			name, r.Source, r.Codec, r.Frames, size(r.Bytes), r.LostPackets, r.DecryptFailures, r.NoKey)
	}
	for _, f := range s.Files {
		fmt.Fprintf(w, "recorded\t%s\n", f.Path)
	}
	return w.Flush()
}

// complete fails if nothing came, or something did not decrypt.
func (s summary) complete() error {
	switch {
	case s.Total.Frames == 0:
		return &exitError{exitSilent, errors.New("no media came")}
	case s.Total.DecryptFailures > 0:
		return &exitError{exitSilent, fmt.Errorf("%d frames did not decrypt", s.Total.DecryptFailures)}
	}
	return nil
}

// size is a number of bytes for people.
func size(n uint64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}
