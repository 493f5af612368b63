package client

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/record"
	"github.com/sotto-sfu/sotto/client/session"
	"github.com/sotto-sfu/sotto/internal/server"
	"github.com/sotto-sfu/sotto/internal/testkit"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

var udpCandidate = regexp.MustCompile(`(?i)^a=candidate:\S+ \d+ udp \d+ \S+ (\d+) `)

// behind puts a relay between one client and the server's UDP port, and hides every
// other way to it.
func behind(t *testing.T, s *server.Server, drop func(pkt []byte, toServer bool) bool) func(string) string {
	var relay *testkit.Relay
	return func(answer string) string {
		var out strings.Builder
		for line := range strings.Lines(answer) {
			if !strings.HasPrefix(line, "a=candidate:") {
				out.WriteString(line)
				continue
			}
			m := udpCandidate.FindStringSubmatch(line)
			if m == nil || !strings.Contains(line, " 127.0.0.1 ") {
				continue
			}
			if relay == nil {
				relay = testkit.NewRelay(t, netip.MustParseAddrPort("127.0.0.1:"+m[1]), drop)
			}
			out.WriteString(strings.Replace(line, " "+m[1]+" ", fmt.Sprintf(" %d ", relay.Addr().Port()), 1))
		}
		if relay == nil {
			t.Errorf("no UDP candidate on loopback in the answer of %s", s.URL())
		}
		return out.String()
	}
}

// One packet in twenty is lost on each leg. What is lost is asked for and comes again;
// what does not is left out up to a key frame; what is handed out decodes without a flaw.
func TestLoss(t *testing.T) {
	for _, c := range codec.Video {
		t.Run(string(c), func(t *testing.T) {
			s := startServer(t)
			var lost atomic.Int64
			lossy := func(pkt []byte, _ bool) bool {
				drop := testkit.IsMedia(pkt) && rand.IntN(20) == 0
				if drop {
					lost.Add(1)
				}
				return drop
			}
			ann := enter(t, Config{URL: s.URL(), rewriteAnswer: behind(t, s, lossy)})
			ben := enter(t, Config{Link: ann.cl.Invitation(), rewriteAnswer: behind(t, s, lossy)})
			var err error
			if ben.rec, err = record.New(t.TempDir(), time.Now()); err != nil {
				t.Fatal(err)
			}
			track := ann.sendPattern(c)
			ann.sendTone()
			a := ann.id()
			eventually(t, "sixty frames", func() bool { return ben.got(a, protocol.SourceCamera) > 60 })
			ben.clean()
			ben.leave()
			if err := ben.rec.Close(); err != nil {
				t.Fatal(err)
			}
			sent := track.Stats().Frames
			got := uint64(ben.got(a, protocol.SourceCamera))
			t.Logf("%d packets lost on the way; %d of %d frames handed out; %+v", lost.Load(), got, sent, ben.call.Received())
			if lost.Load() == 0 {
				t.Error("nothing was lost: the test shows nothing")
			}
			if got*10 < sent*8 {
				t.Errorf("%d of %d frames", got, sent)
			}
			for _, f := range ben.rec.Files() {
				if f.Codec.Video() {
					checkPicture(t, f)
				}
			}
		})
	}
}

// The network is gone for some seconds, for media alone: the call comes back on the
// same stay, by ICE restart.
func TestOutage(t *testing.T) {
	s := startServer(t)
	var dark atomic.Bool
	ann := enter(t, Config{URL: s.URL()})
	ben := enter(t, Config{Link: ann.cl.Invitation(), rewriteAnswer: behind(t, s, func([]byte, bool) bool { return dark.Load() })})
	ann.sendPattern(codec.VP8)
	a, b := ann.id(), ben.id()
	eventually(t, "media", func() bool { return ben.got(a, protocol.SourceCamera) > 5 })
	dark.Store(true)
	eventually(t, "the outage to be noticed", func() bool { return ben.call.State() == StateReconnecting })
	dark.Store(false)
	begin := time.Now()
	seen := ben.got(a, protocol.SourceCamera)
	eventually(t, "media to come back", func() bool { return ben.got(a, protocol.SourceCamera) > seen+5 })
	t.Logf("back after %v", time.Since(begin).Round(time.Millisecond))
	eventually(t, "the state to say so", func() bool { return ben.call.State() == StateConnected })
	if ben.id() != b || ben.call.Rejoins() != 0 {
		t.Error("joined anew instead")
	}
	ben.clean()
}

// The server's media port cannot be reached at all: the call ends with a code that
// says so.
func TestMediaUnreachable(t *testing.T) {
	s := startServer(t)
	p := enter(t, Config{
		URL: s.URL(), connectWithin: 300 * time.Millisecond,
		rewriteAnswer: behind(t, s, func([]byte, bool) bool { return true }),
	})
	select {
	case <-p.call.Done():
	case <-time.After(patience):
		t.Fatal("the call goes on without media")
	}
	if err := p.call.Err(); CodeOf(err) != session.CodeMedia || p.call.State() != StateEnded {
		t.Errorf("%v", err)
	}
	if _, err := p.call.Publish(protocol.SourceMic, codec.Opus); !errors.Is(err, ErrTrackClosed) {
		t.Errorf("publishing after the end: %v", err)
	}
	p.gone = true
}

// Media does not connect at first: the call is joined anew over the same signalling, and
// works, for the others too.
func TestRejoinForMedia(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL(), Name: "Ann"})
	ann.sendPattern(codec.VP8)
	var open atomic.Bool
	ben := enter(t, Config{
		Link: ann.cl.Invitation(), Name: "Ben", connectWithin: time.Second,
		rewriteAnswer: behind(t, s, func([]byte, bool) bool { return !open.Load() }),
	})
	ben.sendTone()
	first := ben.id()
	eventually(t, "the second joining", func() bool { return ben.call.Rejoins() == 1 })
	open.Store(true)
	eventually(t, "media both ways", func() bool {
		b := ben.id()
		return b != "" && b != first && ben.got(ann.id(), protocol.SourceCamera) > 5 && ann.got(b, protocol.SourceMic) > 5
	})
	if m := ann.call.Members(); len(m) != 1 || m[0].Participant != ben.id() || m[0].Name != "Ben" {
		t.Errorf("%+v", m)
	}
	ann.clean()
	ben.clean()
}
