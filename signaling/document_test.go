package signaling

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The defaults that docs/PROTOCOL.md tells are those in force.
func TestDocumentedLimits(t *testing.T) {
	text, err := os.ReadFile("../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var l Limits
	var d Timing
	l.setDefaults()
	d.setDefaults()
	for _, row := range []string{
		fmt.Sprintf("| message (`message_bytes`) | %d KiB |", l.MessageBytes>>10),
		fmt.Sprintf("| %.0f per second, %d at once |", l.MessagesPerSecond, l.MessageBurst),
		fmt.Sprintf("| bytes | %.0f MiB per second, %d MiB at once |", l.BytesPerSecond/(1<<20), l.ByteBurst>>20),
		fmt.Sprintf("| messages after `rate_limited` | %d, one forgiven a second |", l.Overruns),
		fmt.Sprintf("| malformed messages | %d, one forgiven every %.0f s |", l.Strikes, 1/strikesForgivenPerSecond),
		fmt.Sprintf("| WebSocket pings and pongs | %d per second, %d at once |", controlsPerSecond, controlBurst),
		fmt.Sprintf("| requests without a reply yet | %d |", l.InFlight),
		fmt.Sprintf("(`calls_per_device`) | %d to be in, and %d to hold as creator |", l.CallsPerDevice, l.CallsPerDevice),
		fmt.Sprintf("| %d at once, one more every %.0f s | `rate_limited` |", l.CreateBurst, 1/l.CreatesPerSecond),
		fmt.Sprintf("(`participants`) | %d a call, at most 1,024 |", l.Participants),
		fmt.Sprintf("(`audio_slots`, `video_slots`) | %d and %d |", l.AudioSlots, l.VideoSlots),
		fmt.Sprintf("(`payload_bytes`) | %d KiB, at most %d KiB |", l.PayloadBytes>>10, maxPayload>>10),
		"| 2,048 messages, 4 MiB |", "| 1,024 events, 1 MiB |",
		fmt.Sprintf("%d per IPv4 address or IPv6 /64", l.ConnectionsPerIP),
		fmt.Sprintf("The client sends the request `ping` every `ping_ms` (%.0f s)", d.Ping.Seconds()),
		fmt.Sprintf("by `resume_ms` (%.0f s)", d.Resume.Seconds()),
		fmt.Sprintf("within %.0f s. A session holds", d.Challenge.Seconds()),
		fmt.Sprintf("when it holds more than %d.", l.Challenges),
		fmt.Sprintf("login after %.0f s is closed", d.Login.Seconds()),
		fmt.Sprintf("nobody was in for %.0f days", d.CallLife.Hours()/24),
	} {
		if !strings.Contains(string(text), row) {
			t.Errorf("the document does not say %q", row)
		}
	}
	if l.QueueMessages != 2048 || l.QueueBytes != 4<<20 || l.ReplayEvents != 1024 || l.ReplayBytes != 1<<20 {
		t.Error("the queues differ from what is documented")
	}
}
