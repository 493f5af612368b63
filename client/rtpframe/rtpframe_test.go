package rtpframe

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp/codecs"
	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/client/codec"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fataler is what testing.TB and *rapid.T have in common.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// sealed makes bytes in the form of a sealed frame: random, in the codec's wrapper.
func sealed(c codec.Codec, r *rand.Rand, n int, key bool) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	switch c {
	case codec.VP8:
		b[0] = 1
		if key {
			b[0] = 0
		}
	case codec.AV1:
		head := byte(6 << 3)
		if key {
			head = 1 << 3
		}
		return appendOBU(nil, append([]byte{head}, b...))
	}
	return b
}

func newPacketizer(t fataler, c codec.Codec, size int, pid uint16) *Packetizer {
	t.Helper()
	p, err := NewPacketizer(c, size, pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The bytes that matter to packetizers and relays, field by field.
func TestPacketizeBytes(t *testing.T) {
	body := bytes.Repeat([]byte{0xab}, 100)
	av1Key := appendOBU(nil, append([]byte{0x08}, body...))
	av1Delta := appendOBU(nil, append([]byte{0x30}, body...))
	for _, tc := range []struct {
		name string
		c    codec.Codec
		in   []byte
		key  bool
		want []string // start of each payload
	}{
		{"opus", codec.Opus, body[:40], true, []string{"ababab"}},
		{"vp8 key", codec.VP8, append([]byte{0}, body...), true, []string{"9080" + "ffff" + "00ab", "8080" + "ffff" + "ab"}},
		{"vp8 delta", codec.VP8, append([]byte{1}, body...), false, []string{"9080" + "ffff" + "01ab", "8080" + "ffff" + "ab"}},
		{"vp8 one packet", codec.VP8, []byte{0, 0xcd}, true, []string{"9080" + "ffff" + "00cd"}},
		{"vp9 key", codec.VP9, body, true, []string{"89" + "ffff" + "ab", "85" + "ffff" + "ab"}},
		{"vp9 delta", codec.VP9, body, false, []string{"c9" + "ffff" + "ab", "c5" + "ffff" + "ab"}},
		{"vp9 one packet", codec.VP9, body[:9], false, []string{"cd" + "ffff" + "ab"}},
		{"av1 key", codec.AV1, av1Key, true, []string{"58" + "08ab", "90" + "ab"}},
		{"av1 delta", codec.AV1, av1Delta, false, []string{"50" + "30ab", "90" + "ab"}},
		{"av1 one packet", codec.AV1, []byte{0x32, 1, 0xcd}, false, []string{"10" + "30cd"}},
	} {
		got, err := newPacketizer(t, tc.c, 64, 0x7fff).Packetize(tc.in, tc.key)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if len(got) != len(tc.want) {
			t.Errorf("%s: %d payloads, want %d", tc.name, len(got), len(tc.want))
			continue
		}
		for i, p := range got {
			// The first three bytes of "8080ffff" are I, M|PID high, PID low.
			if h := hex.EncodeToString(p); h[:len(tc.want[i])] != tc.want[i] {
				t.Errorf("%s: payload %d is %s…, want %s…", tc.name, i, h[:16], tc.want[i])
			}
		}
	}
}

func TestPictureIDWraps(t *testing.T) {
	p := newPacketizer(t, codec.VP9, 64, 0x7ffe)
	for _, want := range []string{"fffe", "ffff", "8000", "8001"} {
		got, err := p.Packetize([]byte{1}, false)
		if err != nil {
			t.Fatal(err)
		}
		if h := hex.EncodeToString(got[0][1:3]); h != want {
			t.Errorf("picture id %s, want %s", h, want)
		}
	}
}

func TestPacketizeRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    codec.Codec
		in   []byte
		want error
	}{
		{"empty", codec.VP8, nil, ErrFrameSize},
		{"huge", codec.VP8, make([]byte, MaxFrame+1), ErrFrameSize},
		{"opus that needs fragments", codec.Opus, make([]byte, 65), ErrFrameSize},
		{"av1 without size field", codec.AV1, []byte{0x30, 1, 2}, ErrFrameForm},
		{"av1 with a wrong size", codec.AV1, []byte{0x32, 2, 2}, ErrFrameForm},
		{"av1 with extension", codec.AV1, []byte{0x36, 0, 1, 2}, ErrFrameForm},
		{"av1 cut", codec.AV1, []byte{0x32}, ErrFrameForm},
	} {
		if _, err := newPacketizer(t, tc.c, 64, 0).Packetize(tc.in, true); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := NewPacketizer("h264", 1200, 0); err == nil {
		t.Error("h264 accepted")
	}
	if _, err := NewPacketizer(codec.VP8, 10, 0); err == nil {
		t.Error("tiny payloads accepted")
	}
}

// An independent implementation puts our packets together to the same frame.
func TestPionDepacketizersAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range codec.Video {
		p := newPacketizer(t, c, 200, 0)
		for i := range 20 {
			key := i%5 == 0
			in := sealed(c, r, 1+r.IntN(2000), key)
			payloads, err := p.Packetize(in, key)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			av1 := &codecs.AV1Depacketizer{}
			for j, pl := range payloads {
				if len(pl) > 200 {
					t.Fatalf("%s: payload of %d bytes", c, len(pl))
				}
				var body []byte
				switch c {
				case codec.VP8:
					var v codecs.VP8Packet
					body, err = v.Unmarshal(pl)
					if (v.S == 1) != (j == 0) || int(v.PictureID) != i {
						t.Fatalf("vp8: %+v in packet %d of frame %d", v, j, i)
					}
				case codec.VP9:
					var v codecs.VP9Packet
					body, err = v.Unmarshal(pl)
					if v.B != (j == 0) || v.E != (j == len(payloads)-1) || v.P == key || v.F || int(v.PictureID) != i {
						t.Fatalf("vp9: %+v in packet %d of frame %d", v, j, i)
					}
				case codec.AV1:
					body, err = av1.Unmarshal(pl)
					if av1.N != (key && j == 0) {
						t.Fatalf("av1: N=%v in packet %d, key=%v", av1.N, j, key)
					}
				}
				if err != nil {
					t.Fatalf("%s: %v", c, err)
				}
				got = append(got, body...)
			}
			if !bytes.Equal(got, in) {
				t.Fatalf("%s: frame %d of %d bytes came out differently", c, i, len(in))
			}
		}
	}
}

// stream is a sender for tests: frames, and the packets they went into.
type stream struct {
	frames  [][]byte
	packets []Packet
	frameOf []int // of each packet
}

func makeStream(t fataler, c codec.Codec, r *rand.Rand, count int, seq uint16) stream {
	var s stream
	size := 400
	p := newPacketizer(t, c, 100, 0x7ff0)
	if c == codec.Opus {
		size, p = 90, newPacketizer(t, c, 100, 0)
	}
	for i := range count {
		f := sealed(c, r, 2+r.IntN(size-2), i == 0)
		s.frames = append(s.frames, f)
		payloads, err := p.Packetize(f, i == 0)
		if err != nil {
			t.Fatal(err)
		}
		for j, pl := range payloads {
			s.packets = append(s.packets, Packet{
				Codec: c, Sequence: seq, Timestamp: uint32(i) * 3000,
				Marker: c.Video() && j == len(payloads)-1, Payload: slices.Clone(pl),
			})
			s.frameOf = append(s.frameOf, i)
			seq++
		}
	}
	return s
}

// For any loss, reordering and repetition: frames come out in order, whole and
// unchanged; every hole between them is flagged; every packet is counted once.
func TestAssemblerProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]codec.Codec{codec.Opus, codec.VP8, codec.VP9, codec.AV1}).Draw(t, "codec")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		s := makeStream(t, c, r, rapid.IntRange(1, 40).Draw(t, "frames"), rapid.Uint16().Draw(t, "seq"))
		loss := rapid.SampledFrom([]int{0, 0, 3, 20}).Draw(t, "loss %")
		reorder := rapid.IntRange(0, 6).Draw(t, "reorder")

		type sent struct {
			at float64
			i  int
		}
		var order []sent
		lost := 0
		repeats := 0
		for i := range s.packets {
			if i > 0 && i < len(s.packets)-1 && r.IntN(100) < loss {
				lost++
				continue
			}
			at := float64(i)
			if i > 0 { // the first packet decides where the stream begins
				at += r.Float64() * float64(reorder)
			}
			order = append(order, sent{at, i})
			if i > 0 && r.IntN(10) == 0 {
				order = append(order, sent{at + 0.5, i})
				repeats++
			}
		}
		slices.SortStableFunc(order, func(a, b sent) int {
			if a.at < b.at {
				return -1
			}
			return 1
		})
		a := NewAssembler(AudioWait)
		now := t0
		last := -1
		emit := func(f Frame) {
			i := int(f.Timestamp / 3000)
			if i <= last {
				t.Fatalf("frame %d after %d", i, last)
			}
			if !bytes.Equal(f.Data, s.frames[i]) {
				t.Fatalf("frame %d changed", i)
			}
			if f.Gap != (i != last+1) {
				t.Fatalf("frame %d after %d: gap %v", i, last, f.Gap)
			}
			last = i
		}
		for _, o := range order {
			now = now.Add(time.Millisecond)
			a.Push(s.packets[o.i], now, emit)
		}
		// What is still held comes out once the wait is over.
		now = now.Add(time.Second)
		a.drain(now, emit)
		now = now.Add(time.Second)
		for len(a.held) > 0 {
			a.drain(now, emit)
			now = now.Add(time.Second)
		}
		st := a.Stats()
		if int(st.Packets) != len(s.packets)-lost || int(st.Late) != repeats || int(st.Lost) != lost || st.Malformed != 0 {
			t.Fatalf("%d packets, %d lost, %d repeated: %+v", len(s.packets), lost, repeats, st)
		}
		if lost == 0 && last != len(s.frames)-1 {
			t.Fatalf("nothing lost, but the last frame is %d of %d", last, len(s.frames))
		}
	})
}

func TestLossDropsOnlyWhatIsHurt(t *testing.T) {
	for _, c := range codec.Video {
		s := makeStream(t, c, rand.New(rand.NewPCG(3, 4)), 10, 65530)
		// Lose one packet of frame 4.
		drop := slices.Index(s.frameOf, 4)
		a := NewAssembler(VideoWait)
		var got []string
		emit := func(f Frame) {
			got = append(got, fmt.Sprintf("%d:%v", f.Timestamp/3000, f.Gap))
		}
		now := t0
		for i, p := range s.packets {
			if i == drop {
				continue
			}
			a.Push(p, now, emit)
			now = now.Add(20 * time.Millisecond)
		}
		for range 3 {
			now = now.Add(time.Second)
			a.drain(now, emit)
		}
		want := []string{"0:false", "1:false", "2:false", "3:false", "5:true", "6:false", "7:false", "8:false", "9:false"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", c, got)
		}
		if st := a.Stats(); st.Lost != 1 {
			t.Errorf("%s: %+v", c, st)
		}
	}
}

// A late packet within the wait is no loss at all.
func TestRecoveredPacket(t *testing.T) {
	s := makeStream(t, codec.VP8, rand.New(rand.NewPCG(5, 6)), 6, 100)
	a := NewAssembler(VideoWait)
	n := 0
	emit := func(f Frame) {
		if f.Gap {
			t.Errorf("gap before frame %d", f.Timestamp/3000)
		}
		n++
	}
	for i, p := range s.packets {
		if i != 2 {
			a.Push(p, t0, emit)
		}
	}
	a.Push(s.packets[2], t0.Add(VideoWait-time.Millisecond), emit)
	if st := a.Stats(); n != len(s.frames) || st.Lost != 0 {
		t.Errorf("%d frames, %+v", n, st)
	}
}

func TestCodecChangeAndRestart(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	one := makeStream(t, codec.VP8, r, 3, 10)
	two := makeStream(t, codec.AV1, r, 3, 10+uint16(len(one.packets)))
	far := makeStream(t, codec.VP9, r, 3, 40000)
	a := NewAssembler(VideoWait)
	var got []string
	for _, s := range []stream{one, two, far} {
		for _, p := range s.packets {
			a.Push(p, t0, func(f Frame) { got = append(got, fmt.Sprintf("%s %d %v", f.Codec, f.Timestamp/3000, f.Gap)) })
		}
	}
	want := []string{
		"vp8 0 false", "vp8 1 false", "vp8 2 false",
		"av1 0 false", "av1 1 false", "av1 2 false",
		"vp9 0 true", "vp9 1 false", "vp9 2 false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		c      codec.Codec
		hex    string
		marker bool
	}{
		{"vp8 empty descriptor", codec.VP8, "80", true},
		{"vp8 cut picture id", codec.VP8, "908080", true},
		{"vp9 cut picture id", codec.VP9, "8c80", true},
		{"vp9 endless references", codec.VP9, "dc800003030303", true},
		{"vp9 cut structure", codec.VP9, "8e8000ff", true},
		{"av1 empty", codec.AV1, "10", true},
		{"av1 two elements", codec.AV1, "2001300130", true},
		{"av1 wrong length", codec.AV1, "000530ab", true},
		{"av1 goes on after the end", codec.AV1, "5030ab", true},
		{"av1 ends before the marker", codec.AV1, "1030ab", false},
		{"not video", codec.Opus, "f8", true},
	} {
		b, err := hex.DecodeString(tc.hex)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := parse(tc.c, b, tc.marker); err == nil {
			t.Errorf("%s: %+v", tc.name, f)
		}
	}
	// With a length instead of W, as other packetizers write it.
	f, err := parse(codec.AV1, []byte{0x00, 0x02, 0x30, 0xab}, true)
	if err != nil || !bytes.Equal(f.body, []byte{0x30, 0xab}) || !f.start || !f.end {
		t.Errorf("%+v, %v", f, err)
	}
}

// FuzzAssembler feeds packets made of arbitrary bytes: no panic, nothing kept
// beyond the bounds, frames no larger than they may be.
func FuzzAssembler(f *testing.F) {
	for _, c := range []byte{0, 1, 2, 3} {
		f.Add(c, []byte("\x00\x00\x10\x90\x80\x80\x00\x00abc\x00\x01\x90\x01\x02\x03"))
		f.Add(c, []byte("\x00\x05\x04\x58\x08ab\x01\x00\x03\x90cd\x40\x01\x03\x10\x30z"))
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		all := []codec.Codec{codec.Opus, codec.VP8, codec.VP9, codec.AV1}
		a := NewAssembler(VideoWait)
		now, seq := t0, uint16(0)
		for len(b) >= 3 {
			// step of sequence number, time and marker, length, payload
			n := min(int(b[2]), len(b)-3)
			seq += uint16(int8(b[0])) * (1 + uint16(b[1]>>6)*700)
			now = now.Add(time.Duration(b[1]&0x3f) * 16 * time.Millisecond)
			a.Push(Packet{
				Codec: all[(which+b[1]>>7)&3], Sequence: seq, Timestamp: uint32(b[1] & 1),
				Marker: b[1]&2 == 0, Payload: b[3 : 3+n],
			}, now, func(fr Frame) {
				if len(fr.Data) == 0 || len(fr.Data) > MaxFrame+9 {
					t.Fatalf("a frame of %d bytes", len(fr.Data))
				}
			})
			if len(a.held) > maxHeld {
				t.Fatalf("%d packets held", len(a.held))
			}
			b = b[3+n:]
		}
		if st := a.Stats(); st.Lost > 1<<20*maxJump {
			t.Fatalf("%+v", st)
		}
	})
}

func BenchmarkPacketize(b *testing.B) {
	p := newPacketizer(b, codec.VP9, DefaultPayload, 0)
	frame := make([]byte, 20000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Packetize(frame, false); err != nil {
			b.Fatal(err)
		}
	}
}
