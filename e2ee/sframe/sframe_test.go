package sframe

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var allSuites = []Suite{
	AES128CTRHMACSHA256_80, AES128CTRHMACSHA256_64, AES128CTRHMACSHA256_32,
	AES128GCMSHA256, AES256GCMSHA512,
	AES256CTRHMACSHA512_80, AES256CTRHMACSHA512_64, AES256CTRHMACSHA512_32,
}

var testBase = []byte("0123456789abcdef0123456789ABCDEF")

// pair makes both ends of one KID.
func pair(t testing.TB, s Suite, kid uint64) (*Sender, *Receiver) {
	t.Helper()
	sk, err := NewSendKey(s, testBase)
	if err != nil {
		t.Fatal(err)
	}
	snd, err := sk.Sender(kid)
	if err != nil {
		t.Fatal(err)
	}
	rcv, err := NewReceiver(s, kid, testBase)
	if err != nil {
		t.Fatal(err)
	}
	return snd, rcv
}

func mustSeal(t testing.TB, s *Sender, dst, metadata, plaintext []byte) []byte {
	t.Helper()
	out, err := s.Seal(dst, metadata, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What one side seals the other opens, whatever the suite, key id, metadata,
// sizes, and wherever the buffers lie.
func TestRoundTrip(t *testing.T) {
	for _, suite := range allSuites {
		t.Run(suite.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				kid := rapid.Uint64().Draw(t, "kid") >> rapid.IntRange(0, 63).Draw(t, "shift")
				meta := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "metadata")
				pt := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "plaintext")
				prefix := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "prefix")
				shift := rapid.IntRange(0, 24).Draw(t, "where plaintext lies")

				sk, err := NewSendKey(suite, testBase)
				if err != nil {
					t.Fatal(err)
				}
				snd, err := sk.Sender(kid)
				if err != nil {
					t.Fatal(err)
				}
				rcv, err := NewReceiver(suite, kid, testBase)
				if err != nil {
					t.Fatal(err)
				}

				// In place: prefix and plaintext share a buffer with the output.
				buf := make([]byte, 1024)
				copy(buf, prefix)
				in := buf[len(prefix)+shift:][:len(pt)]
				copy(in, pt)
				want := snd.SealedLen(len(pt))
				sealed, err := snd.Seal(buf[:len(prefix)], meta, in)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(sealed[:len(prefix)], prefix) {
					t.Fatalf("prefix overwritten")
				}
				sealed = sealed[len(prefix):]
				if len(sealed) != want {
					t.Fatalf("SealedLen says %d, got %d", want, len(sealed))
				}

				if ref := referenceSeal(suite, kid, 0, testBase, meta, pt); !bytes.Equal(ref, sealed) {
					t.Fatalf("sealed %x, reference %x", sealed, ref)
				}

				// Opened over its own memory.
				got, ctr, err := rcv.Open(sealed[:0], meta, sealed)
				if err != nil || ctr != 0 || !bytes.Equal(got, pt) {
					t.Fatalf("opened %x, %d, %v; want %x", got, ctr, err, pt)
				}
			})
		})
	}
}

// One changed bit anywhere, in the frame or its metadata, and nothing comes out.
func TestTamper(t *testing.T) {
	for _, suite := range allSuites {
		snd, rcv := pair(t, suite, 0x1234)
		meta, pt := []byte{1, 2}, []byte("a frame of some bytes")
		sealed := mustSeal(t, snd, nil, meta, pt)
		for bit := range len(sealed) * 8 {
			bad := slices.Clone(sealed)
			bad[bit/8] ^= 1 << (bit % 8)
			dst := make([]byte, 0, 128)
			out, _, err := rcv.Open(dst, meta, bad)
			if err == nil {
				t.Fatalf("%v: bit %d flipped and accepted: %x", suite, bit, out)
			}
			if !bytes.Equal(dst[:cap(dst)], make([]byte, cap(dst))) {
				t.Fatalf("%v: bit %d: plaintext left behind", suite, bit)
			}
		}
		for cut := range sealed {
			if _, _, err := rcv.Open(nil, meta, sealed[:cut]); err == nil {
				t.Fatalf("%v: cut to %d bytes and accepted", suite, cut)
			}
		}
		for _, m := range [][]byte{nil, {1}, {1, 3}, {1, 2, 0}} {
			if _, _, err := rcv.Open(nil, m, sealed); !errors.Is(err, ErrAuth) {
				t.Fatalf("%v: metadata %x: %v", suite, m, err)
			}
		}
		if got, _, err := rcv.Open(nil, meta, sealed); err != nil || !bytes.Equal(got, pt) {
			t.Fatalf("%v: the genuine frame after all that: %v", suite, err)
		}
	}
}

// A forged frame with a huge counter must not move the replay window.
func TestReplayOnlyAfterAuthentication(t *testing.T) {
	snd, rcv := pair(t, AES256GCMSHA512, 1)
	first := mustSeal(t, snd, nil, nil, []byte("one"))
	forged := append(Header{KID: 1, CTR: 1 << 60}.Append(nil), make([]byte, 40)...)
	if _, _, err := rcv.Open(nil, nil, forged); !errors.Is(err, ErrAuth) {
		t.Fatalf("forged: %v", err)
	}
	if _, _, err := rcv.Open(nil, nil, first); err != nil {
		t.Fatalf("genuine after forged: %v", err)
	}
	dst := make([]byte, 0, 64)
	if _, _, err := rcv.Open(dst, nil, first); !errors.Is(err, ErrReplay) {
		t.Fatalf("again: %v", err)
	}
	if bytes.Contains(dst[:cap(dst)], []byte("one")) {
		t.Fatal("a replayed frame left plaintext behind")
	}
}

func TestWrongKey(t *testing.T) {
	snd, _ := pair(t, AES256GCMSHA512, 9)
	sealed := mustSeal(t, snd, nil, nil, []byte("hush"))
	other, err := NewReceiver(AES256GCMSHA512, 9, []byte("another base key of thirty-two b"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := other.Open(nil, nil, sealed); !errors.Is(err, ErrAuth) {
		t.Fatalf("wrong base key: %v", err)
	}
	_, rcv8 := pair(t, AES256GCMSHA512, 8)
	if _, _, err := rcv8.Open(nil, nil, sealed); !errors.Is(err, ErrWrongKID) {
		t.Fatalf("wrong KID: %v", err)
	}
}

func TestSendKeyGivesEachKIDOnce(t *testing.T) {
	sk, err := NewSendKey(AES256GCMSHA512, testBase)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sk.Sender(5)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sk.Sender(5); !errors.Is(err, ErrKIDUsed) {
		t.Fatalf("second sender: %v", err)
	}
	s.Close()
	if _, err := sk.Sender(5); !errors.Is(err, ErrKIDUsed) {
		t.Fatalf("second sender after Close: %v", err)
	}
	if _, err := sk.Sender(6); err != nil {
		t.Fatalf("another KID: %v", err)
	}
	sk.Close()
	if _, err := sk.Sender(7); !errors.Is(err, ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestCounterNeverWraps(t *testing.T) {
	snd, _ := pair(t, AES256GCMSHA512, 5)
	snd.ctr.next = MaxFramesPerKey - 1
	out := mustSeal(t, snd, nil, nil, []byte("last"))
	if h, _, err := ParseHeader(out); err != nil || h.CTR != MaxFramesPerKey-1 {
		t.Fatalf("%+v, %v", h, err)
	}
	for range 3 {
		if _, err := snd.Seal(nil, nil, []byte("one more")); !errors.Is(err, ErrExhausted) {
			t.Fatalf("after the last: %v", err)
		}
	}
	c := counter{next: ^uint64(0), limit: ^uint64(0)}
	if v, ok := c.take(); ok {
		t.Fatalf("the counter wrapped: %d", v)
	}
}

// Many goroutines on one sender: every counter value is used exactly once.
func TestConcurrentSealNeverRepeatsCounter(t *testing.T) {
	snd, _ := pair(t, AES256GCMSHA512, 5)
	const workers, each = 8, 200
	got := make([][]uint64, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range each {
				b, err := snd.Seal(nil, nil, []byte("x"))
				if err != nil {
					t.Error(err)
					return
				}
				h, _, err := ParseHeader(b)
				if err != nil {
					t.Error(err)
					return
				}
				got[w] = append(got[w], h.CTR)
			}
		})
	}
	wg.Wait()
	seen := make([]bool, workers*each)
	for _, list := range got {
		for _, c := range list {
			if seen[c] {
				t.Fatalf("counter %d used twice", c)
			}
			seen[c] = true
		}
	}
}

func TestClose(t *testing.T) {
	snd, rcv := pair(t, AES256GCMSHA512, 5)
	sealed := mustSeal(t, snd, nil, nil, []byte("x"))
	snd.Close()
	rcv.Close()
	if _, err := snd.Seal(nil, nil, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("seal: %v", err)
	}
	if _, _, err := rcv.Open(nil, nil, sealed); !errors.Is(err, ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if rcv.key.salt != [nonceLen]byte{} || snd.key.salt != [nonceLen]byte{} {
		t.Error("salt not erased")
	}
	sk, err := NewSendKey(AES256GCMSHA512, testBase)
	if err != nil {
		t.Fatal(err)
	}
	kept := sk.base
	sk.Close()
	if !bytes.Equal(kept, make([]byte, len(kept))) {
		t.Error("base key not erased")
	}
}

func TestBadArguments(t *testing.T) {
	if _, err := NewSendKey(9, testBase); !errors.Is(err, ErrSuite) {
		t.Errorf("suite 9: %v", err)
	}
	if _, err := NewReceiver(0, 1, testBase); !errors.Is(err, ErrSuite) {
		t.Errorf("suite 0: %v", err)
	}
	if _, err := NewSendKey(AES256GCMSHA512, testBase[:15]); !errors.Is(err, ErrBaseKey) {
		t.Errorf("short base key: %v", err)
	}
	if _, err := NewReceiver(AES256GCMSHA512, 1, nil); !errors.Is(err, ErrBaseKey) {
		t.Errorf("no base key: %v", err)
	}
	snd, rcv := pair(t, AES256GCMSHA512, 1)
	if _, err := snd.Seal(nil, nil, make([]byte, MaxFrameLen+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large plaintext: %v", err)
	}
	if _, _, err := rcv.Open(nil, nil, append([]byte{0x10}, make([]byte, MaxFrameLen+17)...)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large ciphertext: %v", err)
	}
	if snd.ctr.next != 0 {
		t.Errorf("a refused frame spent a counter")
	}
}

// The frame path allocates nothing, in place or into a caller's buffer.
func TestNoAllocations(t *testing.T) {
	for _, suite := range []Suite{AES128GCMSHA256, AES256GCMSHA512} {
		snd, rcv := pair(t, suite, 0x0102030405)
		meta := []byte{0}
		buf := make([]byte, 2048)
		out := make([]byte, 0, 2048)
		allocs := testing.AllocsPerRun(500, func() {
			sealed, err := snd.Seal(buf[:0], meta, buf[100:1300])
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := rcv.Open(out, meta, sealed); err != nil {
				t.Fatal(err)
			}
			if _, _, err := rcv.Open(sealed[:0], meta, sealed); !errors.Is(err, ErrReplay) {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v: %.1f allocations a frame, want 0", suite, allocs)
		}
	}
}

// FuzzOpen feeds arbitrary bytes: no panic, and no success but for the one genuine frame.
func FuzzOpen(f *testing.F) {
	snd, _ := pair(f, AES256GCMSHA512, 0x1234)
	genuine := mustSeal(f, snd, nil, []byte{1}, []byte("genuine"))
	f.Add(genuine)
	f.Add([]byte{})
	f.Add([]byte{0x98, 0x12, 0x34})
	f.Add(Header{KID: 0x1234, CTR: 1 << 63}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, rcv := pair(t, AES256GCMSHA512, 0x1234)
		if out, _, err := rcv.Open(nil, []byte{1}, b); err == nil && !bytes.Equal(b, genuine) {
			t.Fatalf("forged %x -> %x", b, out)
		}
	})
}

func BenchmarkSealOpen(b *testing.B) {
	for _, suite := range []Suite{AES128GCMSHA256, AES256GCMSHA512} {
		for _, size := range []int{100, 1200, 10000} {
			b.Run(fmt.Sprintf("%v/%d", suite, size), func(b *testing.B) {
				snd, rcv := pair(b, suite, 0x0102030405)
				buf, pt := make([]byte, 0, size+64), make([]byte, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					sealed, err := snd.Seal(buf, nil, pt)
					if err != nil {
						b.Fatal(err)
					}
					if _, _, err := rcv.Open(sealed[:0], nil, sealed); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
