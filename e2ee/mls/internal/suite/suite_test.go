package suite

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
	"testing"
)

func all(t *testing.T) []*Suite {
	t.Helper()
	var list []*Suite
	for _, id := range []uint16{1, 2, 3, 0xF002} {
		s, err := Get(id)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

func signer(t *testing.T, s *Suite) crypto.Signer {
	t.Helper()
	if s.ID == 2 {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestUnknownSuite(t *testing.T) {
	for _, id := range []uint16{0, 4, 7, 0xF001} {
		if _, err := Get(id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%d: %v", id, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	for _, s := range all(t) {
		k := signer(t, s)
		pub, err := s.SignerPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckSignatureKey(pub); err != nil {
			t.Error(err)
		}
		if s.CheckSignatureKey(pub[1:]) == nil {
			t.Error("short key accepted")
		}
		sig, err := s.SignWithLabel(rand.Reader, k, "label", []byte("content"))
		if err != nil {
			t.Fatal(err)
		}
		for name, ok := range map[string]bool{
			"right":         s.VerifyWithLabel(pub, "label", []byte("content"), sig),
			"wrong label":   !s.VerifyWithLabel(pub, "Label", []byte("content"), sig),
			"wrong content": !s.VerifyWithLabel(pub, "label", []byte("Content"), sig),
			"short key":     !s.VerifyWithLabel(pub[1:], "label", []byte("content"), sig),
			"no signature":  !s.VerifyWithLabel(pub, "label", []byte("content"), nil),
		} {
			if !ok {
				t.Errorf("suite %d: %s", s.ID, name)
			}
		}
		for _, other := range all(t) {
			_, err := other.SignerPublicKey(k)
			if fits := (s.ID == 2) == (other.ID == 2); fits != (err == nil) {
				t.Errorf("signer of %d in %d: %v", s.ID, other.ID, err)
			}
		}
		if _, err := s.SignerPublicKey(nil); !errors.Is(err, ErrSigner) {
			t.Error("no signer accepted")
		}
	}
}

func TestEncryption(t *testing.T) {
	for _, s := range all(t) {
		priv, pub, err := s.GenerateKeyPair(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CheckPublicKey(pub); err != nil {
			t.Error(err)
		}
		again, err := s.PublicFromPrivate(priv)
		if err != nil || !bytes.Equal(again, pub) {
			t.Errorf("public key of private: %v", err)
		}
		pk, err := s.ParsePublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		kem, ct, err := s.EncryptWithLabel(pk, "label", []byte("context"), []byte("plain"))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := s.DecryptWithLabel(priv, "label", []byte("context"), kem, ct); err != nil || string(plain) != "plain" {
			t.Errorf("%q %v", plain, err)
		}
		for name, f := range map[string]func() error{
			"label":      func() error { _, err := s.DecryptWithLabel(priv, "x", []byte("context"), kem, ct); return err },
			"context":    func() error { _, err := s.DecryptWithLabel(priv, "label", nil, kem, ct); return err },
			"kem output": func() error { _, err := s.DecryptWithLabel(priv, "label", []byte("context"), kem[1:], ct); return err },
			"key":        func() error { _, err := s.DecryptWithLabel(nil, "label", []byte("context"), kem, ct); return err },
			"parse":      func() error { _, err := s.ParsePublicKey(pub[1:]); return err },
			"check":      func() error { return s.CheckPublicKey(pub[1:]) },
			"zeros":      func() error { return s.CheckPublicKey(make([]byte, len(pub))) },
			"private":    func() error { _, err := s.PublicFromPrivate(priv[1:]); return err },
			"external":   func() error { _, _, err := s.ExternalInit(pub[1:]); return err },
			"low order":  func() error { _, _, err := s.ExternalInit(make([]byte, len(pub))); return err },
			"randomness": func() error { _, _, err := s.GenerateKeyPair(bytes.NewReader(nil)); return err },
			"aead key":   func() error { _, err := s.Seal(nil, nil, nil, nil); return err },
			"aead key 2": func() error { _, err := s.Open(nil, nil, nil, nil); return err },
		} {
			if err := f(); err == nil {
				t.Errorf("suite %d: wrong %s accepted", s.ID, name)
			}
		}
		secret := bytes.Repeat([]byte{7}, s.Nh)
		_, ext, err := s.DeriveKeyPair(secret)
		if err != nil {
			t.Fatal(err)
		}
		kem, a, err := s.ExternalInit(ext)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := s.OpenExternalInit(secret, kem); err != nil || !bytes.Equal(a, b) {
			t.Errorf("external init: %v", err)
		}
		if _, err := s.OpenExternalInit(secret, kem[1:]); err == nil {
			t.Error("short kem output accepted")
		}
	}
}

// TestCheckPublicKey: the quick check accepts just what encapsulation accepts.
func TestCheckPublicKey(t *testing.T) {
	for _, s := range all(t) {
		usable := func(b []byte) bool {
			pk, err := s.ParsePublicKey(b)
			if err != nil {
				return false
			}
			_, _, err = s.EncryptWithLabel(pk, "x", nil, nil)
			return err == nil
		}
		_, pub, err := s.GenerateKeyPair(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		cases := [][]byte{pub, nil, pub[1:], append(bytes.Clone(pub), 0), make([]byte, len(pub)), bytes.Repeat([]byte{0xff}, len(pub))}
		for _, bad := range lowOrder {
			for _, top := range []byte{0, 0x80} {
				b := bytes.Clone(bad[:])
				b[31] |= top
				cases = append(cases, b, append(bytes.Clone(pub[:len(pub)-min(32, len(pub))]), b...))
			}
		}
		for i := 0; i < len(pub); i += max(1, len(pub)/50) {
			b := bytes.Clone(pub)
			b[i] = 0xff
			if i+1 < len(pub) {
				b[i+1] = 0xff
			}
			cases = append(cases, b)
		}
		for _, b := range cases {
			if have, want := s.CheckPublicKey(b) == nil, usable(b); have != want {
				t.Errorf("suite %d: key %x: check says %v, encapsulation %v", s.ID, b, have, want)
			}
		}
	}
}

type shortReader struct{}

func (shortReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestHashes(t *testing.T) {
	for _, s := range all(t) {
		if len(s.Hash()) != s.Nh || len(s.MAC(nil, nil)) != s.Nh || len(s.Extract(nil, nil)) != s.Nh {
			t.Errorf("suite %d: sizes", s.ID)
		}
		if !s.VerifyMAC([]byte("k"), []byte("d"), s.MAC([]byte("k"), []byte("d"))) || s.VerifyMAC([]byte("k"), []byte("d"), nil) {
			t.Errorf("suite %d: MAC", s.ID)
		}
		if _, _, err := s.GenerateKeyPair(shortReader{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	}
}
