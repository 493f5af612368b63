package media

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/sframe"
)

// Run with -update after a deliberate change of the format; the page's tests
// read the same file.
var update = flag.Bool("update", false, "rewrite testdata/media/vectors.json and the examples in docs/frames.md")

const (
	vectorsFile = "../../testdata/media/vectors.json"
	docsFile    = "../../docs/frames.md"
)

// vector is one frame, sealed by us. Byte strings are hexadecimal; KIDs stay
// below 2^53 so that JavaScript reads them exactly.
type vector struct {
	Name    string `json:"name"`
	Codec   string `json:"codec"`
	Type    string `json:"type"`
	BaseKey string `json:"base_key"`
	KID     uint64 `json:"kid"`
	CTR     uint64 `json:"ctr"`
	Frame   string `json:"frame"`
	Sealed  string `json:"sealed"`
	// Received is what may arrive when a packetizer rewrote the wrapper; it
	// opens to the same frame. Empty: as sealed.
	Received string `json:"received,omitempty"`
}

// refusal is a frame that must not open, and why.
type refusal struct {
	Name     string `json:"name"`
	Codec    string `json:"codec"`
	BaseKey  string `json:"base_key"`
	KID      uint64 `json:"kid"` // the one key in the receiver's table
	Received string `json:"received"`
	Error    string `json:"error"`
}

type vectorSet struct {
	About    string    `json:"about"`
	Suite    int       `json:"sframe_cipher_suite"`
	Frames   []vector  `json:"frames"`
	Refusals []refusal `json:"refusals"`
}

// errorNames are the names of errors in the vectors file.
var errorNames = map[error]string{
	ErrUnknownKID: "unknown_kid", ErrAuth: "auth", ErrMalformed: "malformed", ErrTypeMismatch: "type_mismatch",
}

// pattern makes n recognisable bytes.
func pattern(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

// sealAt seals with a fresh sender brought to counter ctr the honest way: by
// sealing that many frames before.
func sealAt(t *testing.T, base []byte, kid, ctr uint64, c Codec, typ FrameType, frame []byte) []byte {
	t.Helper()
	s, err := NewSendKeys().Sealer(kid, base)
	if err != nil {
		t.Fatal(err)
	}
	for range ctr {
		mustSeal(t, s, Opus, Audio, []byte{0})
	}
	return mustSeal(t, s, c, typ, frame)
}

func makeVectors(t *testing.T) vectorSet {
	base := pattern(0, 32)
	mic, camera := uint64(0xa1b2c3d4_00_00), uint64(0xa1b2c3d4_01_07)
	set := vectorSet{
		About: "Sealed frames of docs/frames.md. Written by: go test ./e2ee/media -run TestVectors -update",
		Suite: int(Suite),
	}
	add := func(name string, kid, ctr uint64, c Codec, typ FrameType, frame []byte, rewrite func([]byte) []byte) {
		sealed := sealAt(t, base, kid, ctr, c, typ, frame)
		v := vector{
			Name: name, Codec: c.String(), Type: typ.String(), BaseKey: hex.EncodeToString(base), KID: kid, CTR: ctr,
			Frame: hex.EncodeToString(frame), Sealed: hex.EncodeToString(sealed),
		}
		if rewrite != nil {
			v.Received = hex.EncodeToString(rewrite(sealed))
		}
		set.Frames = append(set.Frames, v)
	}
	add("opus", mic, 0, Opus, Audio, pattern(0xf8, 6), nil)
	add("vp8 key", camera, 0, VP8, Key, pattern(0x10, 8), nil)
	add("vp8 delta", camera, 1, VP8, Delta, pattern(0x11, 8), nil)
	add("vp9 key", camera, 2, VP9, Key, pattern(0x82, 8), nil)
	add("vp9 delta", camera, 3, VP9, Delta, pattern(0x86, 8), nil)
	add("av1 key", camera, 4, AV1, Key, pattern(0x12, 8), nil)
	add("av1 delta", camera, 5, AV1, Delta, pattern(0x32, 8), nil)

	add("smallest key id", 0, 0, Opus, Audio, []byte{0x42}, nil)
	add("largest key id in use", 0xffffffff_ff_ff, 0, Opus, Audio, []byte{0x42}, nil)
	add("last counter inside the config byte", mic, 7, Opus, Audio, []byte{0x42}, nil)
	add("first counter outside it", mic, 8, Opus, Audio, []byte{0x42}, nil)
	add("last one-byte counter", mic, 255, Opus, Audio, []byte{0x42}, nil)
	add("first two-byte counter", mic, 256, Opus, Audio, []byte{0x42}, nil)
	add("first three-byte counter", mic, 65536, Opus, Audio, []byte{0x42}, nil)
	add("av1, last one-byte length", camera, 0, AV1, Delta, pattern(0, 103), nil)
	add("av1, first two-byte length", camera, 0, AV1, Delta, pattern(0, 104), nil)
	add("av1 with a temporal delimiter in front", camera, 0, AV1, Key, pattern(0x12, 8), func(b []byte) []byte {
		return append([]byte{0x12, 0x00}, b...)
	})
	add("av1 with a padded length", camera, 0, AV1, Delta, pattern(0x32, 8), func(b []byte) []byte {
		return append([]byte{b[0], b[1] | 0x80, 0x80, 0x00}, b[2:]...)
	})

	refuse := func(name string, c Codec, received []byte) {
		o := NewOpener()
		if err := o.Install(camera, base, "alice"); err != nil {
			t.Fatal(err)
		}
		_, err := o.Open(nil, c, received)
		if errorNames[err] == "" {
			t.Fatalf("refusal %q: %v", name, err)
		}
		set.Refusals = append(set.Refusals, refusal{
			Name: name, Codec: c.String(), BaseKey: hex.EncodeToString(base), KID: camera,
			Received: hex.EncodeToString(received), Error: errorNames[err],
		})
	}
	seal := func(c Codec, typ FrameType) []byte { return sealAt(t, base, camera, 0, c, typ, pattern(0, 8)) }
	flip := func(b []byte, at int, bits byte) []byte { b[at] ^= bits; return b }
	refuse("vp8 delta dressed up as key", VP8, flip(seal(VP8, Delta), 0, 1))
	refuse("vp8 with an unknown marker", VP8, flip(seal(VP8, Key), 0, 2))
	refuse("av1 delta dressed up as key", AV1, flip(seal(AV1, Delta), 0, 0x0a^0x32))
	refuse("av1 with another OBU type", AV1, flip(seal(AV1, Key), 0, 0x20))
	refuse("av1 with an endless length", AV1, append([]byte{0x0a}, bytes.Repeat([]byte{0x80}, 30)...))
	refuse("one ciphertext bit", VP9, flip(seal(VP9, Key), 12, 1))
	refuse("last tag bit", VP9, flip(seal(VP9, Key), len(seal(VP9, Key))-1, 1))
	refuse("another counter", VP9, flip(seal(VP9, Key), 0, 1))
	refuse("key id not in the table", VP9, flip(seal(VP9, Key), 6, 1))
	refuse("key id with a leading zero", VP9, append([]byte{0xe0, 0x00}, seal(VP9, Key)[1:]...))
	refuse("cut short", VP9, seal(VP9, Key)[:20])
	refuse("audio inside video", VP9, seal(Opus, Audio))
	refuse("video inside audio", Opus, seal(VP9, Key))
	return set
}

func TestVectors(t *testing.T) {
	set := makeVectors(t)
	want, err := json.MarshalIndent(set, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the format no longer matches %s; if that is meant, run with -update", filepath.Base(vectorsFile))
	}

	// And from the file's side: everything in it opens.
	var file vectorSet
	if err := json.Unmarshal(got, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Frames {
		o, in := NewOpener(), v.Received
		if in == "" {
			in = v.Sealed
		}
		if err := o.Install(v.KID, unhex(t, v.BaseKey), "alice"); err != nil {
			t.Fatal(err)
		}
		f, err := o.Open(nil, codecByName(t, v.Codec), unhex(t, in))
		if err != nil || hex.EncodeToString(f.Data) != v.Frame || f.Type.String() != v.Type || f.CTR != v.CTR || f.KID != v.KID {
			t.Errorf("%s: %+v, %v", v.Name, f, err)
		}
	}
	t.Logf("%d frames, %d refusals", len(file.Frames), len(file.Refusals))
}

// The worked examples in the documentation are the first vectors, taken apart.
func TestDocsExamples(t *testing.T) {
	const begin, end = "<!-- examples: written by go test ./e2ee/media -run TestDocsExamples -update -->\n", "<!-- end of examples -->"
	doc, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("docs/frames.md lost its markers")
	}
	want := head + begin + examples(t) + end + tail
	if *update {
		if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(doc) != want {
		t.Error("the examples in docs/frames.md are out of date; run with -update")
	}
}

// examples renders the first seven vectors, one per codec and type.
func examples(t *testing.T) string {
	var b strings.Builder
	set := makeVectors(t)
	fmt.Fprintf(&b, "`base_key` = `%s` throughout.\n\n", set.Frames[0].BaseKey)
	for _, v := range set.Frames[:7] {
		codec, sealed := codecByName(t, v.Codec), unhex(t, v.Sealed)
		wrap := len(sealed) - sframe.Header{KID: v.KID, CTR: v.CTR}.Len() - 1 - len(v.Frame)/2 - Suite.TagLen()
		header := sframe.Header{KID: v.KID, CTR: v.CTR}.Len()
		typ := map[string]FrameType{"key": Key, "delta": Delta, "audio": Audio}[v.Type]
		fmt.Fprintf(&b, "**%s** · KID `0x%012x` · CTR %d\n\n```text\n", v.Name, v.KID, v.CTR)
		fmt.Fprintf(&b, "encoder's frame   %s\n", v.Frame)
		fmt.Fprintf(&b, "plaintext         %02x %s\n", byte(typ), v.Frame)
		fmt.Fprintf(&b, "AAD               %x", sealed[wrap:wrap+header])
		if m := metadata(codec, typ); m != nil {
			fmt.Fprintf(&b, " %x", m)
		}
		fmt.Fprintf(&b, "\nsent              ")
		if wrap > 0 {
			fmt.Fprintf(&b, "%x ", sealed[:wrap])
		}
		body := sealed[wrap+header:]
		cut := len(body) - Suite.TagLen()
		fmt.Fprintf(&b, "%x %x %x\n```\n\n", sealed[wrap:wrap+header], body[:cut], body[cut:])
	}
	return b.String()
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func codecByName(t *testing.T, name string) Codec {
	t.Helper()
	for c := Opus; c <= AV1; c++ {
		if c.String() == name {
			return c
		}
	}
	t.Fatalf("no codec %q", name)
	return 0
}
