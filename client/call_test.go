package client

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"golang.org/x/image/vp8"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/pattern"
	"github.com/sotto-sfu/sotto/client/record"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Every codec: media flows both ways, nothing fails to decrypt, and what is
// recorded decodes to the picture that was sent.
func TestTwoPeople(t *testing.T) {
	for _, c := range codec.Video {
		t.Run(string(c), func(t *testing.T) {
			s := startServer(t)
			ann := enter(t, Config{URL: s.URL(), Name: "Ann"})
			ben := enter(t, Config{Link: ann.cl.Invitation(), Name: "Ben"})
			var err error
			if ben.rec, err = record.New(t.TempDir(), time.Now()); err != nil {
				t.Fatal(err)
			}
			ann.sendPattern(c)
			ann.sendTone()
			ben.sendTone()
			a, b := ann.id(), ben.id()
			eventually(t, "video and audio both ways", func() bool {
				return ben.got(a, protocol.SourceCamera) > 30 && ben.got(a, protocol.SourceMic) > 50 && ann.got(b, protocol.SourceMic) > 50
			})
			ann.clean()
			ben.clean()
			if m := ben.call.Members(); len(m) != 1 || m[0].Name != "Ann" || !m[0].HasKey || m[0].Sources[protocol.SourceCamera] != protocol.StateLive {
				t.Errorf("members: %+v", m)
			}
			for _, r := range ben.call.Received() {
				if r.Source == protocol.SourceCamera && (r.Width != pattern.Width || r.Height != pattern.Height || r.Codec != c) {
					t.Errorf("%+v", r)
				}
			}
			ben.leave()
			if err := ben.rec.Close(); err != nil {
				t.Fatal(err)
			}
			for _, f := range ben.rec.Files() {
				if f.Codec.Video() {
					checkPicture(t, f)
				}
			}
			if c == codec.VP8 {
				checkVP8Frames(t, ben)
			}
		})
	}
}

// checkPicture decodes a recording with ffmpeg and compares its last picture.
func checkPicture(t *testing.T, f record.File) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: the recording was not decoded")
	}
	out := filepath.Join(t.TempDir(), "last.png")
	if b, err := exec.Command("ffmpeg", "-v", "error", "-xerror", "-i", f.Path, "-update", "1", out).CombinedOutput(); err != nil || len(b) > 0 {
		t.Fatalf("%s: %v: %s", f.Path, err, b)
	}
	in, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	img, err := png.Decode(in)
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, pattern.Width, pattern.Height) {
		t.Errorf("bounds %v", img.Bounds())
	}
	if err := pattern.Check(img); err != nil {
		t.Error(err)
	}
}

// checkVP8Frames decodes the key frames that came with a decoder in Go.
func checkVP8Frames(t *testing.T, p *person) {
	t.Helper()
	n := 0
	for _, f := range p.frames {
		if f.Codec != codec.VP8 || !f.Key {
			continue
		}
		n++
		d := vp8.NewDecoder()
		d.Init(bytes.NewReader(f.Data), len(f.Data))
		if _, err := d.DecodeFrameHeader(); err != nil {
			t.Fatal(err)
		}
		img, err := d.DecodeFrame()
		if err != nil {
			t.Fatal(err)
		}
		if err := pattern.Check(img); err != nil {
			t.Error(err)
		}
	}
	if n == 0 {
		t.Error("no key frame came")
	}
}

func TestThreePeople(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL(), Name: "Ann"})
	link := ann.cl.Invitation()
	ben := enter(t, Config{Link: link, Name: "Ben"})
	ann.sendPattern(codec.VP8)
	ben.sendPattern(codec.VP9)
	a, b := ann.id(), ben.id()
	eventually(t, "the two to see each other", func() bool {
		return ann.got(b, protocol.SourceCamera) > 5 && ben.got(a, protocol.SourceCamera) > 5
	})
	begin := time.Now()
	eve := enter(t, Config{Link: link, Name: "Eve"})
	eventually(t, "the latecomer to see both", func() bool {
		return eve.got(a, protocol.SourceCamera) > 0 && eve.got(b, protocol.SourceCamera) > 0
	})
	t.Logf("the latecomer saw both after %v", time.Since(begin).Round(time.Millisecond))

	// Who leaves takes away the key; the others go on under new ones.
	ben.leave()
	eventually(t, "the others to notice", func() bool { return len(ann.call.Members()) == 1 && len(eve.call.Members()) == 1 })
	time.Sleep(500 * time.Millisecond) // beyond the switch of keys
	seen := eve.got(a, protocol.SourceCamera)
	eventually(t, "media to go on", func() bool { return eve.got(a, protocol.SourceCamera) > seen+15 })
	ann.clean()
	eve.clean()
	for _, r := range eve.call.Received() {
		if r.NoKey > 5 {
			t.Errorf("%d frames without a key: %+v", r.NoKey, r)
		}
	}
}

// The WebSocket drops while media flows: the session is resumed, media never stops,
// and what happened meanwhile is learned.
func TestDroppedWebSocket(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL(), Name: "Ann"})
	link := ann.cl.Invitation()
	ben := enter(t, Config{Link: link, Name: "Ben"})
	ann.sendPattern(codec.VP8)
	a, b := ann.id(), ben.id()
	eventually(t, "media", func() bool { return ben.got(a, protocol.SourceCamera) > 5 })
	for range 3 {
		ben.cl.sess.Drop()
		ann.cl.sess.Drop()
		eve := enter(t, Config{Link: link, Name: "Eve"})
		eve.sendTone()
		e := eve.id()
		eventually(t, "the newcomer to be heard", func() bool {
			return ben.got(e, protocol.SourceMic) > 5 && ann.got(e, protocol.SourceMic) > 5
		})
		seen := ben.got(a, protocol.SourceCamera)
		eventually(t, "media to go on", func() bool { return ben.got(a, protocol.SourceCamera) > seen+5 })
		eve.leave()
		eventually(t, "the guest to be gone", func() bool { return len(ben.call.Members()) == 1 })
	}
	if ann.id() != a || ben.id() != b || ann.call.Rejoins()+ben.call.Rejoins() != 0 {
		t.Errorf("joined anew instead of resuming")
	}
	ben.clean()
}

// The server is gone and comes back: everybody is back in the call by themselves
// within five seconds.
func TestServerRestart(t *testing.T) {
	data := t.TempDir()
	s, stop := serverAt(t, "127.0.0.1:0", data)
	listen := s.Addr().String()
	ann := enter(t, Config{URL: s.URL(), Name: "Ann"})
	ben := enter(t, Config{Link: ann.cl.Invitation(), Name: "Ben"})
	ann.sendPattern(codec.VP9)
	ben.sendTone()
	first := ann.id()
	eventually(t, "media", func() bool { return ben.got(first, protocol.SourceCamera) > 5 })
	stop()
	_, stop = serverAt(t, listen, data)
	t.Cleanup(stop)
	begin := time.Now()
	eventually(t, "both to be back", func() bool {
		a, b := ann.id(), ben.id()
		return a != "" && a != first && ben.got(a, protocol.SourceCamera) > 0 && ann.got(b, protocol.SourceMic) > 0
	})
	took := time.Since(begin)
	t.Logf("back after %v", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("back only after %v", took)
	}
	eventually(t, "names to be known again", func() bool {
		m := ben.call.Members()
		return len(m) == 1 && m[0].Name == "Ann"
	})
	ann.clean()
	ben.clean()
	ben.leave() // before the server stops
	ann.leave()
}

// Somebody seals with another key than the one they gave out: nobody hears or sees
// anything of it, and everybody can tell.
func TestWrongKey(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL()})
	bad := enter(t, Config{Link: ann.cl.Invitation(), breakKey: func(k []byte) []byte {
		k = bytes.Clone(k)
		k[0] ^= 1
		return k
	}})
	bad.sendPattern(codec.VP8)
	bad.sendTone()
	b := bad.id()
	failures := func(src protocol.Source) (n uint64) {
		for _, r := range ann.call.Received() {
			if r.Participant == b && r.Source == src {
				n = r.DecryptFailures
			}
		}
		return n
	}
	eventually(t, "failures to be counted", func() bool {
		return failures(protocol.SourceCamera) > 10 && failures(protocol.SourceMic) > 20
	})
	if n := ann.got(b, protocol.SourceCamera) + ann.got(b, protocol.SourceMic); n != 0 {
		t.Errorf("%d frames came out", n)
	}
}

func TestTCPOnly(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL(), TCPOnly: true})
	ben := enter(t, Config{Link: ann.cl.Invitation(), TCPOnly: true})
	ann.sendPattern(codec.AV1)
	ben.sendTone()
	a, b := ann.id(), ben.id()
	eventually(t, "media over TCP", func() bool {
		return ben.got(a, protocol.SourceCamera) > 20 && ann.got(b, protocol.SourceMic) > 20
	})
	if tr := ben.call.Transport(); tr != "tcp" {
		t.Errorf("media goes over %q", tr)
	}
	ben.clean()
}

// A source changes its codec in the middle, within the same section.
func TestCodecChange(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL()})
	ben := enter(t, Config{Link: ann.cl.Invitation()})
	for _, c := range []codec.Codec{codec.VP8, codec.AV1, codec.VP9, codec.VP8} {
		ann.sendPattern(c)
		ben.mu.Lock()
		seen := len(ben.frames)
		ben.mu.Unlock()
		eventually(t, "frames in "+string(c), func() bool {
			ben.mu.Lock()
			defer ben.mu.Unlock()
			n := 0
			for _, f := range ben.frames[seen:] {
				if f.Codec == c {
					n++
				}
			}
			return n > 5
		})
		ann.stop() // the old clip must not go on in the new codec
		ann.stop = nil
		ann.wg.Wait()
	}
	ben.clean()
}

// The path of media breaks while signalling works: ICE finds a new one, nobody joins
// anew.
func TestICERestart(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL()})
	ben := enter(t, Config{Link: ann.cl.Invitation()})
	ann.sendPattern(codec.VP8)
	a := ann.id()
	eventually(t, "media", func() bool { return ben.got(a, protocol.SourceCamera) > 5 && ben.call.State() == StateConnected })
	ben.call.mu.Lock()
	p := ben.call.stay.peer
	ben.call.mu.Unlock()
	before := p.pc.CurrentLocalDescription().SDP
	ben.call.media <- mediaChange{p, webrtc.PeerConnectionStateDisconnected}
	eventually(t, "the restart", func() bool {
		d := p.pc.CurrentLocalDescription()
		return d != nil && ufrag(d.SDP) != ufrag(before)
	})
	eventually(t, "the connection to be back", func() bool { return ben.call.State() == StateConnected })
	seen := ben.got(a, protocol.SourceCamera)
	eventually(t, "media to go on", func() bool { return ben.got(a, protocol.SourceCamera) > seen+15 })
	if ben.call.Rejoins() != 0 {
		t.Error("joined anew instead")
	}
	ben.clean()
}

func ufrag(sdp string) string {
	for line := range strings.Lines(sdp) {
		if strings.HasPrefix(line, "a=ice-ufrag:") {
			return line
		}
	}
	return ""
}

func TestErrors(t *testing.T) {
	s := startServer(t)
	ann := enter(t, Config{URL: s.URL()})
	link := ann.cl.Invitation()
	other := startServer(t)
	elsewhere := strings.Replace(link, s.URL(), other.URL(), 1)
	for _, tc := range []struct {
		name string
		cfg  Config
		want Code
	}{
		{"nothing to join", Config{}, "bad_url"},
		{"both", Config{Link: link, URL: s.URL()}, "bad_url"},
		{"not an address", Config{URL: "ftp://x"}, "bad_url"},
		{"cut link", Config{Link: link[:len(link)-1]}, "link_damaged"},
		{"changed link", Config{Link: strings.Replace(link, "/c/", "/c/A", 1)}, "link_damaged"},
		{"plain http elsewhere", Config{URL: "http://example.org"}, "insecure_url"},
		{"nobody there", Config{URL: "https://127.0.0.1:1"}, "unreachable"},
		{"no such call", Config{Link: elsewhere}, "no_such_call"},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		cl, err := Dial(ctx, tc.cfg)
		if err == nil {
			_, err = cl.Join(ctx)
			cl.Close()
		}
		cancel()
		if CodeOf(err) != tc.want {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
		if err != nil && strings.Contains(err.Error(), strings.SplitN(link, "#", 2)[1]) {
			t.Errorf("%s: the error shows the secret", tc.name)
		}
	}
	if _, err := ann.call.Publish(protocol.SourceMic, codec.VP8); !errors.Is(err, ErrCodec) {
		t.Errorf("video from the microphone: %v", err)
	}
	if _, err := ann.cl.Join(context.Background()); CodeOf(err) != "already_done" {
		t.Errorf("joining twice: %v", err)
	}
	track, err := ann.call.Publish(protocol.SourceCamera, codec.VP8)
	if err != nil {
		t.Fatal(err)
	}
	track.Close()
	if err := track.WriteFrame([]byte{1}, true, 0); !errors.Is(err, ErrTrackClosed) {
		t.Errorf("writing to a closed track: %v", err)
	}
}
