package sframe

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestParseHeaderRefuses(t *testing.T) {
	for _, tc := range []struct{ name, hex string }{
		{"empty", ""},
		{"KID announced, absent", "80"},
		{"KID truncated", "9001"},
		{"CTR announced, absent", "08"},
		{"CTR truncated", "0901"},
		{"KID there, CTR truncated", "890909"},
		{"KID 7 fits the config byte", "8007"},
		{"CTR 0 fits the config byte", "0800"},
		{"KID with a leading zero", "900009"},
		{"CTR with a leading zero", "090009"},
		{"8-byte CTR with a leading zero", "0f00ffffffffffffff"},
	} {
		b, err := hex.DecodeString(tc.hex)
		if err != nil {
			t.Fatal(err)
		}
		if h, _, err := ParseHeader(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s (%s): got %+v, %v; want ErrMalformed", tc.name, tc.hex, h, err)
		}
	}
}

// Every header survives the round trip, and no other spelling of it is accepted.
func TestHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Shifting spreads the values over all lengths.
		kid := rapid.Uint64().Draw(t, "kid") >> rapid.IntRange(0, 63).Draw(t, "kshift")
		ctr := rapid.Uint64().Draw(t, "ctr") >> rapid.IntRange(0, 63).Draw(t, "cshift")
		h := Header{KID: kid, CTR: ctr}
		b := h.Append(nil)
		got, n, err := ParseHeader(b)
		if err != nil || got != h || n != len(b) || n != h.Len() {
			t.Fatalf("%+v -> %x -> %+v, %d, %v", h, b, got, n, err)
		}
		if len(b) > MaxHeaderLen {
			t.Fatalf("%d bytes", len(b))
		}
		for i := range b {
			if _, _, err := ParseHeader(b[:i]); err == nil {
				t.Fatalf("%x accepted though cut from %x", b[:i], b)
			}
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	for _, s := range []string{"00", "77", "8f", "99012345", "ffffffffffffffffffffffffffffffffff", "0800", "8007"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := ParseHeader(b)
		if err != nil {
			return
		}
		if got := h.Append(nil); !bytes.Equal(got, b[:n]) {
			t.Fatalf("%x accepted as %+v, which is spelt %x", b[:n], h, got)
		}
	})
}
