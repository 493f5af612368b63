package call

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

func testSecret(t testing.TB, fill byte) Secret {
	t.Helper()
	s, err := SecretFromBytes(bytes.Repeat([]byte{fill}, SecretLen))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// hkdfExpand is one block of HKDF-Expand written out (RFC 5869 §2.3).
func hkdfExpand(prk []byte, info string) []byte {
	m := hmac.New(sha256.New, prk)
	m.Write([]byte(info + "\x01"))
	return m.Sum(nil)
}

func TestDerivations(t *testing.T) {
	s := testSecret(t, 5)
	key := ed25519.NewKeyFromSeed(hkdfExpand(s.Bytes(), "sotto/1 admission"))
	if !s.AdmissionKey().Equal(key) {
		t.Error("admission key")
	}
	sum := sha256.Sum256(append([]byte("sotto/1 call id"), key.Public().(ed25519.PublicKey)...))
	if want := base64.RawURLEncoding.EncodeToString(sum[:16]); s.CallID().String() != want {
		t.Errorf("call id %v, want %s", s.CallID(), want)
	}
}

func TestSecretHidesItself(t *testing.T) {
	s := testSecret(t, 'A')
	l := Link{Secure: true, Host: "example.org", Secret: s}
	for _, shown := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprint(l), fmt.Sprintf("%v %s", &l, l),
	} {
		if strings.Contains(shown, s.text()) || strings.Contains(shown, "AAAA") || strings.Contains(shown, "65, 65") || strings.Contains(shown, "0x41") {
			t.Errorf("the secret shows in %q", shown)
		}
	}
}

func TestNewSecret(t *testing.T) {
	a, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a == b || a == (Secret{}) {
		t.Error("secrets are not fresh")
	}
	if _, err := NewSecret(iotest.ErrReader(errors.New("dry"))); err == nil {
		t.Error("a failing source gave a secret")
	}
	if _, err := SecretFromBytes(make([]byte, 31)); !errors.Is(err, ErrSecret) {
		t.Errorf("31 bytes: %v", err)
	}
	c := a.Bytes()
	c[0] ^= 1
	if bytes.Equal(c, a.Bytes()) {
		t.Error("Bytes gives the secret's own memory")
	}
}

func TestLink(t *testing.T) {
	s := testSecret(t, 5)
	id, text := s.CallID().String(), s.text()
	for _, tc := range []struct{ name, in, reveal string }{
		{"plain", "https://example.org/c/" + id + "#" + text, "https://example.org/c/" + id + "#" + text},
		{"blanks", " \thttps://example.org/c/" + id + "#" + text + "\n", "https://example.org/c/" + id + "#" + text},
		{"query", "https://example.org/c/" + id + "?codec=vp9&name=Bob#" + text, "https://example.org/c/" + id + "#" + text},
		{"port, case", "HTTPS://Example.org:8443/c/" + id + "#" + text, "https://example.org:8443/c/" + id + "#" + text},
		{"default port", "https://example.org:443/c/" + id + "#" + text, "https://example.org/c/" + id + "#" + text},
		{"loopback", "http://127.0.0.1:8080/c/" + id + "#" + text, "http://127.0.0.1:8080/c/" + id + "#" + text},
		{"IPv6", "http://[::1]:8080/c/" + id + "#" + text, "http://[::1]:8080/c/" + id + "#" + text},
	} {
		l, err := ParseLink(tc.in)
		if err != nil || l.Reveal() != tc.reveal || l.Secret != s {
			t.Errorf("%s: %v, %v", tc.name, l, err)
		}
	}
	other := testSecret(t, 6)
	for name, in := range map[string]string{
		"empty":                "",
		"a word":               "hello",
		"another scheme":       "ftp://example.org/c/" + id + "#" + text,
		"no scheme":            "example.org/c/" + id + "#" + text,
		"a user":               "https://bob@example.org/c/" + id + "#" + text,
		"no host":              "https:///c/" + id + "#" + text,
		"bad port":             "https://example.org:99999/c/" + id + "#" + text,
		"another path":         "https://example.org/d/" + id + "#" + text,
		"path goes on":         "https://example.org/c/" + id + "/x#" + text,
		"id cut short":         "https://example.org/c/" + id[:21] + "#" + text,
		"no fragment":          "https://example.org/c/" + id,
		"empty fragment":       "https://example.org/c/" + id + "#",
		"fragment cut short":   "https://example.org/c/" + id + "#" + text[:40],
		"fragment goes on":     "https://example.org/c/" + id + "#" + text + "A",
		"full stop added":      "https://example.org/c/" + id + "#" + text + ".",
		"percent-encoded":      "https://example.org/c/" + id + "#%42" + text[1:],
		"stray bits":           "https://example.org/c/" + id + "#" + text[:42] + "V",
		"another call's":       "https://example.org/c/" + other.CallID().String() + "#" + text,
		"control byte in host": "https://exa\x00mple.org/c/" + id + "#" + text,
		"huge":                 "https://example.org/c/" + id + "?" + strings.Repeat("x", 3000) + "#" + text,
	} {
		_, err := ParseLink(in)
		if !errors.Is(err, ErrLink) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), text[:20]) {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	s := testSecret(f, 5)
	f.Add(Link{Secure: true, Host: "example.org", Secret: s}.Reveal())
	f.Add("https://[::1]:1/c/#")
	f.Fuzz(func(t *testing.T, in string) {
		l, err := ParseLink(in)
		if err != nil {
			return
		}
		again, err := ParseLink(l.Reveal())
		if err != nil || again != l {
			t.Fatalf("%q -> %q -> %v, %v", in, l.Reveal(), again, err)
		}
	})
}

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"Alice":                          "Alice",
		"  Alice \t\n B. ":               "Alice B.",
		"Zoë 你好 👩\u200d🚀":                "Zoë 你好 👩\u200d🚀",
		"a\x00b\u202ec\u2066d\ufeffe":    "abcde",
		"bad\xffutf8":                    "badutf8",
		strings.Repeat("ä", 40):          strings.Repeat("ä", 32),
		strings.Repeat("x", 63) + "ä":    strings.Repeat("x", 63),
		strings.Repeat("x", 64) + " yes": strings.Repeat("x", 64),
		"\u200d\u200c":                   "",
		"":                               "",
	} {
		if got := CleanName(in); got != want {
			t.Errorf("%q -> %q, want %q", in, got, want)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("  Alice \u202e\xff ")
	f.Fuzz(func(t *testing.T, s string) {
		got := CleanName(s)
		if len(got) > MaxNameLen || CleanName(got) != got {
			t.Fatalf("%q -> %q -> %q", s, got, CleanName(got))
		}
	})
}

func TestKID(t *testing.T) {
	if got := KID(0xa1b2c3d4, Screen, 0x105); got != 0xa1b2c3d4_02_05 {
		t.Errorf("%x", got)
	}
	if got := ContextOf(0xa1b2c3d4_02_05); got != Screen {
		t.Errorf("context %d", got)
	}
	if KID(1<<32-1, 255, 255) >= 1<<53 {
		t.Error("a KID must be exact in JavaScript")
	}
}
