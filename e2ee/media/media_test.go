package media

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/e2ee/sframe"
)

var (
	testBase  = []byte("0123456789abcdef0123456789ABCDEF")
	testKinds = []struct {
		codec Codec
		typ   FrameType
	}{
		{Opus, Audio}, {VP8, Key}, {VP8, Delta}, {VP9, Key}, {VP9, Delta}, {AV1, Key}, {AV1, Delta},
	}
)

const testKID = 0xdeadbeef_01_00

func newSealer(t testing.TB, kid uint64) *Sealer {
	t.Helper()
	s, err := NewSendKeys().Sealer(kid, testBase)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newOpener(t testing.TB, kid uint64, owner string) *Opener {
	t.Helper()
	o := NewOpener()
	if err := o.Install(kid, testBase, owner); err != nil {
		t.Fatal(err)
	}
	return o
}

func mustSeal(t testing.TB, s *Sealer, c Codec, typ FrameType, frame []byte) []byte {
	t.Helper()
	out, err := s.Seal(nil, c, typ, frame)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever the encoder made comes out on the other side, wherever the buffers
// lie and whatever a depacketizer may do to AV1's wrapper.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kid := rapid.Uint64().Draw(t, "kid") >> rapid.IntRange(0, 63).Draw(t, "shift")
		sealer, err := NewSendKeys().Sealer(kid, testBase)
		if err != nil {
			t.Fatal(err)
		}
		opener := NewOpener()
		if err := opener.Install(kid, testBase, "alice"); err != nil {
			t.Fatal(err)
		}
		for i := range rapid.IntRange(1, 12).Draw(t, "frames") {
			kind := rapid.SampledFrom(testKinds).Draw(t, "kind")
			frame := rapid.SliceOfN(rapid.Byte(), 1, 400).Draw(t, "frame")

			buf := make([]byte, 1024)
			from := rapid.IntRange(0, 64).Draw(t, "where the frame lies")
			copy(buf[from:], frame)
			sealed, err := sealer.Seal(buf[:0], kind.codec, kind.typ, buf[from:][:len(frame)])
			if err != nil {
				t.Fatal(err)
			}
			if len(sealed)-len(frame) > MaxOverhead {
				t.Fatalf("overhead %d", len(sealed)-len(frame))
			}
			if kind.codec == AV1 {
				sealed = rewriteAV1(t, sealed)
			}
			got, err := opener.Open(sealed[:0], kind.codec, sealed)
			if err != nil {
				t.Fatal(err)
			}
			want := Frame{KID: kid, CTR: uint64(i), Owner: "alice", Type: kind.typ, Data: frame}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

// rewriteAV1 does what packetizers may: a temporal delimiter in front, the length
// spelt otherwise.
func rewriteAV1(t *rapid.T, sealed []byte) []byte {
	n := skipLEB128(sealed[1:])
	out := []byte{}
	if rapid.Bool().Draw(t, "temporal delimiter") {
		out = append(out, 0x12, 0x00)
	}
	out = append(out, sealed[0])
	if rapid.Bool().Draw(t, "padded length") {
		out = append(append(out, sealed[1:n]...), sealed[n]|0x80, 0x80, 0x00)
	} else {
		out = append(out, sealed[1:1+n]...)
	}
	return append(out, sealed[1+n:]...)
}

func TestWrapperBytes(t *testing.T) {
	for _, tc := range []struct {
		codec Codec
		typ   FrameType
		size  int
		want  string // the bytes before the SFrame header
	}{
		{VP8, Key, 10, "00"},
		{VP8, Delta, 10, "01"},
		{AV1, Key, 10, "0a22"},    // 34 = header 7 + type 1 + 10 + tag 16
		{AV1, Delta, 10, "3222"},  // the same
		{AV1, Delta, 103, "327f"}, // 127, the last one-byte length
		{AV1, Delta, 104, "328001"},
		{Opus, Audio, 10, ""},
		{VP9, Key, 10, ""},
	} {
		sealed := mustSeal(t, newSealer(t, testKID), tc.codec, tc.typ, make([]byte, tc.size))
		header := hex.EncodeToString(sframe.Header{KID: testKID}.Append(nil))
		if got := hex.EncodeToString(sealed[:len(tc.want)/2+7]); got != tc.want+header {
			t.Errorf("%v %v: starts %s, want %s", tc.codec, tc.typ, got, tc.want+header)
		}
	}
}

func TestEmptyFramesPass(t *testing.T) {
	sealer, opener := newSealer(t, testKID), NewOpener() // no key at all
	for _, k := range testKinds {
		out, err := sealer.Seal([]byte("before"), k.codec, k.typ, nil)
		if err != nil || string(out) != "before" {
			t.Errorf("%v: sealed %q, %v", k, out, err)
		}
		f, err := opener.Open([]byte("before"), k.codec, nil)
		if err != nil || len(f.Data) != 0 || f.Owner != "" || f.KID != 0 {
			t.Errorf("%v: opened %+v, %v", k, f, err)
		}
	}
	if h, _, err := sframe.ParseHeader(mustSeal(t, sealer, Opus, Audio, []byte{1})); err != nil || h.CTR != 0 {
		t.Errorf("an empty frame spent a counter: %+v, %v", h, err)
	}
}

func TestTamper(t *testing.T) {
	for _, k := range testKinds {
		sealed := mustSeal(t, newSealer(t, testKID), k.codec, k.typ, []byte("a frame"))
		opener := newOpener(t, testKID, "alice")
		for bit := range len(sealed) * 8 {
			if k.codec == AV1 && bit/8 == 1 {
				continue // the length is not authenticated: below
			}
			bad := slices.Clone(sealed)
			bad[bit/8] ^= 1 << (bit % 8)
			if f, err := opener.Open(nil, k.codec, bad); err == nil || f.Data != nil {
				t.Fatalf("%v: bit %d flipped: %+v, %v", k, bit, f, err)
			}
		}
		for cut := 1; cut < len(sealed); cut++ {
			if f, err := opener.Open(nil, k.codec, sealed[:cut]); err == nil || f.Data != nil {
				t.Fatalf("%v: cut to %d: %+v, %v", k, cut, f, err)
			}
		}
		if _, err := opener.Open(nil, k.codec, sealed); err != nil {
			t.Fatalf("%v: the genuine frame after all that: %v", k, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	seal := func(c Codec, typ FrameType) []byte {
		return mustSeal(t, newSealer(t, testKID), c, typ, []byte("a frame"))
	}
	with := func(b []byte, at int, v byte) []byte {
		b = slices.Clone(b)
		b[at] = v
		return b
	}
	// A member can seal anything: these come with a good tag.
	raw := func(meta, plaintext []byte) []byte {
		k, err := sframe.NewSendKey(Suite, testBase)
		if err != nil {
			t.Fatal(err)
		}
		s, err := k.Sender(testKID)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Seal(nil, meta, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, tc := range []struct {
		name  string
		codec Codec
		in    []byte
		want  error
	}{
		{"VP8 delta marked key", VP8, with(seal(VP8, Delta), 0, 0x00), ErrAuth},
		{"VP8 key marked delta", VP8, with(seal(VP8, Key), 0, 0x01), ErrAuth},
		{"VP8 unknown marker", VP8, with(seal(VP8, Key), 0, 0x02), ErrMalformed},
		{"VP8 marker alone", VP8, []byte{0}, ErrMalformed},
		{"VP8 sender lies in the marker", VP8, append([]byte{0x00}, raw([]byte{0x00}, []byte{0x00, 1, 2})...), ErrTypeMismatch},
		{"VP8 without authenticated marker", VP8, append([]byte{0x00}, raw(nil, []byte{0x01, 1, 2})...), ErrAuth},
		{"AV1 delta marked key", AV1, with(seal(AV1, Delta), 0, 0x0a), ErrTypeMismatch},
		{"AV1 key marked delta", AV1, with(seal(AV1, Key), 0, 0x32), ErrTypeMismatch},
		{"AV1 another OBU type", AV1, with(seal(AV1, Key), 0, 0x2a), ErrMalformed},
		{"AV1 OBU without size", AV1, with(seal(AV1, Key), 0, 0x08), ErrMalformed},
		{"AV1 temporal delimiter alone", AV1, []byte{0x12, 0x00}, ErrMalformed},
		{"AV1 length without end", AV1, append([]byte{0x0a}, bytes.Repeat([]byte{0x80}, 40)...), ErrMalformed},
		{"AV1 two temporal delimiters", AV1, append([]byte{0x12, 0, 0x12, 0}, seal(AV1, Key)...), ErrMalformed},
		{"audio inside video", VP9, seal(Opus, Audio), ErrTypeMismatch},
		{"video inside audio", Opus, seal(VP9, Key), ErrTypeMismatch},
		{"unknown type", VP9, raw(nil, []byte{0x03, 1, 2}), ErrTypeMismatch},
		{"empty plaintext", VP9, raw(nil, nil), ErrMalformed},
		{"type and no frame", VP9, raw(nil, []byte{0x01}), ErrMalformed},
		{"header with a long KID spelling", VP9, append([]byte{0x80, 0x01}, make([]byte, 40)...), ErrMalformed},
		{"shorter than a tag", VP9, seal(VP9, Key)[:20], ErrMalformed},
		{"plain Opus", Opus, []byte{0x78, 0x21, 0x02, 0x03, 0x04}, ErrUnknownKID},
		{"no such codec", Codec(9), seal(VP9, Key), ErrTypeMismatch},
	} {
		f, err := newOpener(t, testKID, "alice").Open(nil, tc.codec, tc.in)
		if err != tc.want || f.Data != nil {
			t.Errorf("%s: %v (data %x), want %v", tc.name, err, f.Data, tc.want)
		}
	}
	if _, err := newSealer(t, testKID).Seal(nil, Opus, Key, []byte{1}); !errors.Is(err, ErrTypeMismatch) {
		t.Errorf("sealing a key frame of Opus: %v", err)
	}
}

func TestKeyTable(t *testing.T) {
	sealed := mustSeal(t, newSealer(t, testKID), VP9, Key, []byte("a frame"))
	o := NewOpener()
	check := func(step string, want error, owner string) {
		t.Helper()
		f, err := o.Open(nil, VP9, sealed)
		if err != want || f.Owner != owner {
			t.Errorf("%s: owner %q, %v; want %q, %v", step, f.Owner, err, owner, want)
		}
	}
	mustDo := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check("empty", ErrUnknownKID, "")
	mustDo(o.Announce(testKID, "alice"))
	check("announced", ErrNoKey, "alice")
	if err := o.Install(testKID, testBase, "mallory"); !errors.Is(err, ErrKIDTaken) {
		t.Errorf("taking an announced KID: %v", err)
	}
	mustDo(o.Install(testKID, testBase, "alice"))
	check("installed", nil, "alice")
	check("again", ErrReplay, "alice")
	mustDo(o.Install(testKID, testBase, "alice"))
	check("installed again: the window survives", ErrReplay, "alice")
	mustDo(o.Announce(testKID, "alice"))
	check("announced late: nothing lost", ErrReplay, "alice")
	if err := o.Install(testKID, testBase, "mallory"); !errors.Is(err, ErrKIDTaken) {
		t.Errorf("taking an installed KID: %v", err)
	}
	if err := o.Install(testKID, []byte("another base key of 32 bytes ..."), "alice"); !errors.Is(err, ErrKIDTaken) {
		t.Errorf("another key for the same KID: %v", err)
	}
	o.Remove(testKID)
	o.Remove(testKID)
	check("removed", ErrUnknownKID, "")
	mustDo(o.Install(testKID, testBase[:31], "alice"))
	check("wrong key", ErrAuth, "alice")
	o.RemoveOwner("bob")
	check("another's keys removed", ErrAuth, "alice")
	o.RemoveOwner("alice")
	check("owner removed", ErrUnknownKID, "")
	for kid := range uint64(MaxKeys) {
		mustDo(o.Announce(kid, "alice"))
	}
	if err := o.Announce(MaxKeys, "alice"); !errors.Is(err, ErrTooManyKeys) {
		t.Errorf("over the limit: %v", err)
	}
	o.Close()
	check("closed", ErrUnknownKID, "")
}

// A key event that comes twice must not start a counter over.
func TestSendKeysNeverRepeat(t *testing.T) {
	k := NewSendKeys()
	s, err := k.Sealer(1, testBase)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := s.Seal(nil, VP9, Key, []byte{1}); !errors.Is(err, sframe.ErrClosed) {
		t.Errorf("seal after Close: %v", err)
	}
	if _, err := k.Sealer(2, testBase); err != nil {
		t.Errorf("another KID: %v", err)
	}
	if _, err := k.Sealer(1, []byte("another base key of 32 bytes ...")); err != nil {
		t.Errorf("same KID, fresh base key: %v", err)
	}
	if _, err := k.Sealer(1, testBase); !errors.Is(err, sframe.ErrKIDUsed) {
		t.Errorf("the first pair again: %v", err)
	}
	k.Close()
	if _, err := k.Sealer(3, testBase); !errors.Is(err, sframe.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestNoAllocations(t *testing.T) {
	for _, k := range testKinds {
		sealer, opener := newSealer(t, testKID), newOpener(t, testKID, "alice")
		frame, buf := make([]byte, 1200), make([]byte, 0, 1200+MaxOverhead)
		allocs := testing.AllocsPerRun(200, func() {
			sealed, err := sealer.Seal(buf, k.codec, k.typ, frame)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := opener.Open(sealed[:0], k.codec, sealed); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v %v: %.1f allocations a frame, want 0", k.codec, k.typ, allocs)
		}
		bad := append([]byte{0}, make([]byte, 100)...)
		if n := testing.AllocsPerRun(200, func() { _, _ = opener.Open(buf, k.codec, bad) }); n != 0 {
			t.Errorf("%v: %.1f allocations for a bad frame, want 0", k.codec, n)
		}
	}
}

// FuzzOpen: no panic, and nothing comes out but what was sealed.
func FuzzOpen(f *testing.F) {
	const frame = "the one frame"
	genuine := map[Codec][]byte{}
	for _, k := range testKinds {
		b := mustSeal(f, newSealer(f, testKID), k.codec, k.typ, []byte(frame))
		f.Add(uint8(k.codec), b)
		genuine[k.codec] = b
	}
	f.Add(uint8(AV1), append([]byte{0x12, 0}, genuine[AV1]...))
	f.Add(uint8(AV1), []byte{0x0a, 0x80})
	f.Fuzz(func(t *testing.T, codec uint8, b []byte) {
		got, err := newOpener(t, testKID, "alice").Open(nil, Codec(codec), b)
		if err == nil && len(b) > 0 && string(got.Data) != frame {
			t.Fatalf("%v: forged %x -> %x", Codec(codec), b, got.Data)
		}
	})
}
