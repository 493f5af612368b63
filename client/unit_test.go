package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/rtpframe"
	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/media"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Whatever happens, no delta frame passes that has not an unbroken run of frames of
// the same feed back to a key frame behind it, and while the gate is shut a key frame is asked
// for, but not all the time.
func TestGate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g gate
		now := time.Unix(0, 0)
		feeds := []feed{{"a", protocol.SourceCamera}, {"a", protocol.SourceScreen}, {"b", protocol.SourceCamera}}
		var decodable feed // the feed whose run is unbroken
		var lastAsk time.Time
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "ms")) * time.Millisecond)
			if rapid.IntRange(0, 9).Draw(t, "hurt") == 0 {
				g.hurt()
				decodable = feed{}
				continue
			}
			f := rapid.SampledFrom(feeds).Draw(t, "feed")
			key := rapid.IntRange(0, 5).Draw(t, "key") == 0
			changed := g.feed != f
			pass, ask := g.admit(f, key, now)
			want := key || decodable == f
			if pass != want || pass && ask {
				t.Fatalf("%v key=%v after %v: pass %v, ask %v", f, key, decodable, pass, ask)
			}
			if want {
				decodable, lastAsk = f, time.Time{}
				continue
			}
			decodable = feed{}
			due := changed || lastAsk.IsZero() || now.Sub(lastAsk) >= askKeyEvery
			if ask != due {
				t.Fatalf("asked %v, due %v", ask, due)
			}
			if ask {
				lastAsk = now
			}
		}
	})
}

func TestChooseWants(t *testing.T) {
	live := func(s ...protocol.Source) protocol.Participant {
		p := protocol.Participant{Sources: map[protocol.Source]protocol.SourceState{}}
		for _, src := range s {
			p.Sources[src] = protocol.StateLive
		}
		return p
	}
	muted := live()
	muted.Sources[protocol.SourceMic] = protocol.StateMuted
	others := map[protocol.ParticipantID]protocol.Participant{
		"a": live(protocol.SourceMic),
		"b": live(protocol.SourceScreen, protocol.SourceScreenAudio),
		"c": muted,
		"d": live(protocol.SourceCamera),
	}
	for _, tc := range []struct {
		audio, video int
		want         string
	}{
		{0, 0, ""},
		{1, 1, "a/mic b/screen"},
		{3, 2, "a/mic c/mic b/screen_audio b/screen d/camera"},
		{16, 16, "a/mic c/mic b/screen_audio b/screen d/camera b/mic d/mic a/camera b/camera c/camera"},
	} {
		var got []string
		for _, w := range chooseWants(others, tc.audio, tc.video) {
			got = append(got, fmt.Sprintf("%s/%s", w.Participant, w.Source))
		}
		if strings.Join(got, " ") != tc.want {
			t.Errorf("%d+%d: %v, want %s", tc.audio, tc.video, got, tc.want)
		}
	}
	crowd := map[protocol.ParticipantID]protocol.Participant{}
	for i := range 1000 {
		crowd[protocol.ParticipantID(fmt.Sprint(i))] = live(protocol.Sources...)
	}
	if n := len(chooseWants(crowd, 500, 500)); n != maxWants {
		t.Errorf("%d wants of a crowd", n)
	}
}

func TestWithoutCandidates(t *testing.T) {
	in := "v=0\r\na=candidate:1 1 udp 1 10.0.0.7 5 typ host\r\na=mid:0\r\na=end-of-candidates\r\na=x\r\n"
	if got := withoutCandidates(in); got != "v=0\r\na=mid:0\r\na=x\r\n" {
		t.Errorf("%q", got)
	}
}

// An offer names none of our addresses, and fits the limit of the protocol even with
// as many slots as can be asked for.
func TestOffer(t *testing.T) {
	api, err := newAPI(false, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slots := range []int{0, 16, 100} {
		p, sdp, err := newPeer(api, slots, slots, (*stay)(nil))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(sdp, "a=candidate") || len(sdp) > 200_000 {
			t.Errorf("%d slots: %d bytes of SDP, candidates %v", slots, len(sdp), strings.Contains(sdp, "a=candidate"))
		}
		mids := map[string]bool{}
		for _, s := range p.sections {
			if s.Mid == "" || mids[s.Mid] || (s.Publish == "") == (s.Receive == "") {
				t.Errorf("section %+v", s)
			}
			mids[s.Mid] = true
		}
		if len(p.sections) != 4+2*slots || len(p.receives) != 2*slots {
			t.Errorf("%d sections, %d slots", len(p.sections), len(p.receives))
		}
		// A state change of the closed peer has nobody to go to.
		p.pc.OnConnectionStateChange(nil)
		if !p.close() {
			t.Error("did not close in time")
		}
	}
}

func TestSourcesAndContexts(t *testing.T) {
	for _, s := range protocol.Sources {
		if got, ok := sourceOf(call.KID(7, contexts[s], 300)); !ok || got != s {
			t.Errorf("%s: %s, %v", s, got, ok)
		}
	}
	if s, ok := sourceOf(call.KID(7, 9, 0)); ok {
		t.Errorf("context 9 is %s", s)
	}
	for _, tc := range []struct {
		c    codec.Codec
		key  bool
		want media.FrameType
	}{{codec.Opus, true, media.Audio}, {codec.Opus, false, media.Audio}, {codec.VP8, true, media.Key}, {codec.AV1, false, media.Delta}} {
		if got := frameType(tc.c, tc.key); got != tc.want {
			t.Errorf("%s %v: %v", tc.c, tc.key, got)
		}
	}
}

// Without a key, or without a connection, nothing leaves a track; afterwards video goes on
// with a key frame only.
func TestTrackSendsNothingUnsealed(t *testing.T) {
	tr := newTrack(nil, protocol.SourceCamera)
	asked := 0
	tr.OnKeyFrameRequest(func() { asked++ })
	if err := tr.WriteFrame([]byte{1}, true, 0); !errors.Is(err, ErrTrackClosed) {
		t.Errorf("before Publish: %v", err)
	}
	if err := tr.start(codec.VP8); err != nil {
		t.Fatal(err)
	}
	out := &sendTrack{types: map[codec.Codec]uint8{codec.VP8: 96}, writer: &writer{}}
	sealer := func() *media.Sealer {
		s, err := media.NewSendKeys().Sealer(1<<16, make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sent := func() int { return len(out.writer.(*writer).packets) }
	write := func(key bool, want int) {
		t.Helper()
		if err := tr.WriteFrame([]byte("a frame"), key, 0); err != nil {
			t.Fatal(err)
		}
		if sent() != want {
			t.Fatalf("%d packets sent, want %d", sent(), want)
		}
	}
	write(true, 0) // neither key nor connection
	tr.connect(out)
	write(true, 0) // no key
	tr.setSealer(sealer())
	write(false, 0) // no key frame yet
	if asked != 1 {
		t.Errorf("asked %d times for a key frame", asked)
	}
	write(true, 1)
	write(false, 2)
	tr.connect(nil)
	write(false, 2)
	tr.connect(out)
	write(false, 2)
	write(true, 3)
	tr.setSealer(nil)
	write(true, 3)
	for i, p := range out.writer.(*writer).packets {
		if strings.Contains(string(p), "a frame") {
			t.Errorf("packet %d carries plaintext", i)
		}
	}
	if st := tr.Stats(); st.Frames != 3 || st.Dropped != 6 {
		t.Errorf("%+v", st)
	}
	tr.setSealer(sealer())
	if err := tr.WriteFrame(make([]byte, rtpframe.MaxFrame+1), true, 0); !errors.Is(err, rtpframe.ErrFrameSize) {
		t.Errorf("a huge frame: %v", err)
	}
}

func TestStatTableIsBounded(t *testing.T) {
	var table statTable
	for i := range 2 * maxFeeds {
		table.update(feed{protocol.ParticipantID(fmt.Sprint(i)), protocol.SourceMic}, func(r *ReceiveStats) { r.Frames++ })
	}
	got := table.snapshot()
	if len(got) != maxFeeds || !slices.ContainsFunc(got, func(r ReceiveStats) bool { return r.Participant == "0" && r.Frames == 1 }) {
		t.Errorf("%d rows", len(got))
	}
}
