package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

func testDevice(t *testing.T, b byte) Device {
	t.Helper()
	d, err := DeviceFromSeed(fill(b, SeedLen))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The layouts, spelt out byte by byte: a change here breaks every client.
func TestGolden(t *testing.T) {
	d := testDevice(t, 1)
	const pub = "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
	if got := hex.EncodeToString(d.PublicKey()); got != pub {
		t.Fatalf("device key %s", got)
	}
	challenge := fill(0xcc, ChallengeLen)
	msg, err := LoginMessage(challenge, d.PublicKey(), "example.org:8443")
	if err != nil {
		t.Fatal(err)
	}
	if want := "sotto/1 login\x00" + string(challenge) + string(d.PublicKey()) + "example.org:8443"; string(msg) != want {
		t.Errorf("login message %x", msg)
	}
	call := CallID(d.PublicKey())
	if msg, err = AdmissionMessage(call, challenge, d.PublicKey()); err != nil {
		t.Fatal(err)
	}
	if want := "sotto/1 admission\x00" + string(call[:]) + string(challenge) + string(d.PublicKey()); string(msg) != want {
		t.Errorf("admission message %x", msg)
	}
	for label, got := range map[string]ID{"sotto/1 device id": d.ID(), "sotto/1 call id": call} {
		sum := sha256.Sum256([]byte(label + string(d.PublicKey())))
		if want := base64.RawURLEncoding.EncodeToString(sum[:16]); got.String() != want {
			t.Errorf("%s: %v, want %s", label, got, want)
		}
	}
}

func TestLogin(t *testing.T) {
	d, other := testDevice(t, 1), testDevice(t, 2)
	challenge := fill(0xcc, ChallengeLen)
	sig, err := d.SignLogin(challenge, "example.org")
	if err != nil {
		t.Fatal(err)
	}
	flipped := slices.Clone(sig)
	flipped[40] ^= 1
	for _, tc := range []struct {
		name      string
		challenge []byte
		key       ed25519.PublicKey
		host      string
		sig       []byte
		want      error
	}{
		{"good", challenge, d.PublicKey(), "example.org", sig, nil},
		{"another challenge", fill(0xcd, ChallengeLen), d.PublicKey(), "example.org", sig, ErrSignature},
		{"another device", challenge, other.PublicKey(), "example.org", sig, ErrSignature},
		{"relayed to another host", challenge, d.PublicKey(), "evil.example", sig, ErrSignature},
		{"changed", challenge, d.PublicKey(), "example.org", flipped, ErrSignature},
		{"short signature", challenge, d.PublicKey(), "example.org", sig[:63], ErrSignature},
		{"no signature", challenge, d.PublicKey(), "example.org", nil, ErrSignature},
		{"short challenge", challenge[:31], d.PublicKey(), "example.org", sig, ErrInput},
		{"short key", challenge, d.PublicKey()[:31], "example.org", sig, ErrInput},
		{"upper case host", challenge, d.PublicKey(), "Example.org", sig, ErrInput},
		{"no host", challenge, d.PublicKey(), "", sig, ErrInput},
		{"huge host", challenge, d.PublicKey(), strings.Repeat("a", 260), sig, ErrInput},
	} {
		if err := VerifyLogin(tc.challenge, tc.key, tc.host, tc.sig); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := d.SignLogin(challenge[:3], "example.org"); !errors.Is(err, ErrInput) {
		t.Errorf("signing a short challenge: %v", err)
	}
}

func TestAdmission(t *testing.T) {
	d, other := testDevice(t, 1), testDevice(t, 2)
	admission := ed25519.NewKeyFromSeed(fill(7, 32))
	pub := admission.Public().(ed25519.PublicKey)
	otherPub := ed25519.NewKeyFromSeed(fill(8, 32)).Public().(ed25519.PublicKey)
	call, challenge := CallID(pub), fill(0xcc, ChallengeLen)
	sig, err := SignAdmission(admission, challenge, d.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	login, err := d.SignLogin(challenge, "example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name      string
		call      ID
		key       ed25519.PublicKey
		challenge []byte
		device    ed25519.PublicKey
		sig       []byte
		want      error
	}{
		{"good", call, pub, challenge, d.PublicKey(), sig, nil},
		{"lent to another device", call, pub, challenge, other.PublicKey(), sig, ErrSignature},
		{"another challenge", call, pub, fill(0, ChallengeLen), d.PublicKey(), sig, ErrSignature},
		{"another call", CallID(otherPub), pub, challenge, d.PublicKey(), sig, ErrInput},
		{"another admission key under this call id", call, otherPub, challenge, d.PublicKey(), sig, ErrInput},
		{"another call altogether", CallID(otherPub), otherPub, challenge, d.PublicKey(), sig, ErrSignature},
		{"a login signature", call, pub, challenge, d.PublicKey(), login, ErrSignature},
		{"no key", call, nil, challenge, d.PublicKey(), sig, ErrInput},
		{"short challenge", call, pub, challenge[1:], d.PublicKey(), sig, ErrInput},
	} {
		if err := VerifyAdmission(tc.call, tc.key, tc.challenge, tc.device, tc.sig); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := SignAdmission(admission[:32], challenge, d.PublicKey()); !errors.Is(err, ErrInput) {
		t.Errorf("signing with half a key: %v", err)
	}
}

func TestSeeds(t *testing.T) {
	a, err := NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewSeed(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != SeedLen || bytes.Equal(a, b) {
		t.Error("seeds are not fresh")
	}
	if _, err := NewSeed(iotest.ErrReader(errors.New("dry"))); err == nil {
		t.Error("a failing source gave a seed")
	}
	if _, err := DeviceFromSeed(a[:31]); !errors.Is(err, ErrSeed) {
		t.Errorf("short seed: %v", err)
	}
}

func TestParseID(t *testing.T) {
	want := ID{0: 1, 15: 0xff}
	got, err := ParseID(want.String())
	if err != nil || got != want {
		t.Fatalf("%v, %v", got, err)
	}
	good := want.String()
	for _, s := range []string{
		"", good[:21], good + "A", good + "==", strings.Replace(good, "A", "+", 1),
		good[:21] + "x", // stray bits
		"\n" + good[:21], good[:10] + "\r\n" + good[:10],
	} {
		if id, err := ParseID(s); !errors.Is(err, ErrID) {
			t.Errorf("%q: %v, %v", s, id, err)
		}
	}
}

func TestCanonicalHost(t *testing.T) {
	for _, tc := range []struct {
		in     string
		secure bool
		want   string // empty: refused
	}{
		{"example.org", true, "example.org"},
		{"EXAMPLE.org:443", true, "example.org"},
		{"example.org:443", false, "example.org:443"},
		{"localhost:80", false, "localhost"},
		{"localhost:8443", true, "localhost:8443"},
		{"127.0.0.1:8080", false, "127.0.0.1:8080"},
		{"[::1]:8443", true, "[::1]:8443"},
		{"[0:0::1]", true, "[::1]"},
		{"[2001:DB8::1]:443", true, "[2001:db8::1]"},
		{"", true, ""},
		{":443", true, ""},
		{"example.org:", true, ""},
		{"example.org:0", true, ""},
		{"example.org:0443", true, ""},
		{"example.org:65536", true, ""},
		{"::1", true, ""},
		{"::1:443", true, ""},
		{"[::1", true, ""},
		{"[fe80::1%eth0]", true, ""},
		{"[::ffff:1.2.3.4]", true, ""},
		{"[1.2.3.4]", true, ""},
		{"user@example.org", true, ""},
		{"example.org/path", true, ""},
		{"exämple.org", true, ""},
		{"example.org:443:443", true, ""},
	} {
		got, err := CanonicalHost(tc.in, tc.secure)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%q (secure %v): %q, %v; want %q", tc.in, tc.secure, got, err, tc.want)
		}
	}
}

func FuzzCanonicalHost(f *testing.F) {
	for _, s := range []string{"example.org:443", "[::1]:8443", "::1", "[", "]:1", "a:b:c"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, secure bool) {
		host, err := CanonicalHost(s, secure)
		if err != nil {
			return
		}
		again, err := CanonicalHost(host, secure)
		if err != nil || again != host {
			t.Fatalf("%q -> %q -> %q, %v", s, host, again, err)
		}
		if _, err := LoginMessage(make([]byte, 32), make([]byte, 32), host); err != nil {
			t.Fatalf("%q -> %q does not fit a login: %v", s, host, err)
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add(ID{}.String())
	f.Add("AAAAAAAAAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseID(s); err == nil && id.String() != s {
			t.Fatalf("%q read as %v", s, id)
		}
	})
}
