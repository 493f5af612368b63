package sframe

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// vectorsDir holds the official test vectors of RFC 9605. They live beside the
// repository, not in it.
const vectorsDir = "../../../shared/vectors/sframe"

// hexBytes is a byte string written in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) error {
	out, err := hex.DecodeString(string(b))
	*h = out
	return err
}

type headerVector struct {
	KID     uint64   `json:"kid"`
	CTR     uint64   `json:"ctr"`
	Encoded hexBytes `json:"encoded"`
}

type ctrHMACVector struct {
	Suite   Suite    `json:"cipher_suite"`
	Key     hexBytes `json:"key"`
	EncKey  hexBytes `json:"enc_key"`
	AuthKey hexBytes `json:"auth_key"`
	Nonce   hexBytes `json:"nonce"`
	AAD     hexBytes `json:"aad"`
	PT      hexBytes `json:"pt"`
	CT      hexBytes `json:"ct"`
}

type frameVector struct {
	Suite     Suite    `json:"cipher_suite"`
	KID       uint64   `json:"kid"`
	CTR       uint64   `json:"ctr"`
	BaseKey   hexBytes `json:"base_key"`
	KeyLabel  hexBytes `json:"sframe_key_label"`
	SaltLabel hexBytes `json:"sframe_salt_label"`
	Key       hexBytes `json:"sframe_key"`
	Salt      hexBytes `json:"sframe_salt"`
	Metadata  hexBytes `json:"metadata"`
	Nonce     hexBytes `json:"nonce"`
	AAD       hexBytes `json:"aad"`
	PT        hexBytes `json:"pt"`
	CT        hexBytes `json:"ct"`
}

// readVectors decodes one file, or skips the test where the vectors are absent.
func readVectors(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorsDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("RFC 9605 vectors not present (%s)", filepath.Join("../shared/vectors/sframe", name))
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

func TestVectors(t *testing.T) {
	var file struct {
		Header []headerVector  `json:"header"`
		CTR128 []ctrHMACVector `json:"aes_ctr_hmac"`
		CTR256 []ctrHMACVector `json:"aes_256_ctr_hmac"`
		SFrame []frameVector   `json:"sframe"`
	}
	readVectors(t, "test-vectors.json", &file)
	for _, v := range file.Header {
		checkHeaderVector(t, v)
	}
	for _, v := range append(file.CTR128, file.CTR256...) {
		checkCTRHMACVector(t, v)
	}
	for _, v := range file.SFrame {
		checkFrameVector(t, v)
	}
	if len(file.Header) != 289 || len(file.CTR128)+len(file.CTR256) != 6 || len(file.SFrame) != 5 {
		t.Errorf("unexpected counts: the file has changed")
	}
	if !t.Failed() {
		t.Logf("test-vectors.json: %d headers, %d AES-CTR-HMAC, %d frames passed",
			len(file.Header), len(file.CTR128)+len(file.CTR256), len(file.SFrame))
	}
}

func TestVectorsAES256(t *testing.T) {
	var file struct {
		SFrame []frameVector `json:"sframe_aes_256_ctr_hmac"`
	}
	readVectors(t, "test-vectors-aes256.json", &file)
	for _, v := range file.SFrame {
		checkFrameVector(t, v)
	}
	if len(file.SFrame) != 3 {
		t.Errorf("unexpected count %d: the file has changed", len(file.SFrame))
	}
	if !t.Failed() {
		t.Logf("test-vectors-aes256.json: %d frames passed", len(file.SFrame))
	}
}

func checkHeaderVector(t *testing.T, v headerVector) {
	t.Helper()
	want := Header{KID: v.KID, CTR: v.CTR}
	if got := want.Append(nil); !bytes.Equal(got, v.Encoded) {
		t.Errorf("%+v encodes to %x, want %x", want, got, []byte(v.Encoded))
	}
	if want.Len() != len(v.Encoded) {
		t.Errorf("%+v: Len %d, want %d", want, want.Len(), len(v.Encoded))
	}
	got, n, err := ParseHeader(append(v.Encoded, 0xff)) // one byte of ciphertext follows
	if err != nil || got != want || n != len(v.Encoded) {
		t.Errorf("%x decodes to %+v, %d, %v; want %+v", []byte(v.Encoded), got, n, err, want)
	}
}

func checkCTRHMACVector(t *testing.T, v ctrHMACVector) {
	t.Helper()
	p, err := v.Suite.params()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(v.Key[:p.encKey], v.EncKey) || !bytes.Equal(v.Key[p.encKey:], v.AuthKey) {
		t.Errorf("suite %v: subkeys differ", v.Suite)
	}
	aead, err := newCTRHMAC(p, v.Key)
	if err != nil {
		t.Fatal(err)
	}
	if got := aead.Seal(nil, v.Nonce, v.PT, v.AAD); !bytes.Equal(got, v.CT) {
		t.Errorf("suite %v: sealed %x, want %x", v.Suite, got, []byte(v.CT))
	}
	if got, err := aead.Open(nil, v.Nonce, v.CT, v.AAD); err != nil || !bytes.Equal(got, v.PT) {
		t.Errorf("suite %v: opened %x, %v", v.Suite, got, err)
	}
}

func checkFrameVector(t *testing.T, v frameVector) {
	t.Helper()
	if got := label(labelKey, v.KID, v.Suite); got != string(v.KeyLabel) {
		t.Errorf("%v: key label %x", v.Suite, got)
	}
	if got := label(labelSalt, v.KID, v.Suite); got != string(v.SaltLabel) {
		t.Errorf("%v: salt label %x", v.Suite, got)
	}
	key, salt, err := derive(v.Suite, v.KID, v.BaseKey)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key, v.Key) || !bytes.Equal(salt, v.Salt) {
		t.Errorf("%v: derived key %x salt %x", v.Suite, key, salt)
	}
	fk, err := newFrameKey(v.Suite, v.KID, v.BaseKey)
	if err != nil {
		t.Fatal(err)
	}
	if got := fk.seal(nil, v.CTR, v.Metadata, v.PT); !bytes.Equal(got, v.CT) {
		t.Errorf("%v: sealed %x, want %x", v.Suite, got, []byte(v.CT))
	}
	if !bytes.Equal(fk.nonce[:], v.Nonce) || !bytes.Equal(fk.aad, v.AAD) {
		t.Errorf("%v: nonce %x aad %x", v.Suite, fk.nonce, fk.aad)
	}
	r, err := NewReceiver(v.Suite, v.KID, v.BaseKey)
	if err != nil {
		t.Fatal(err)
	}
	got, ctr, err := r.Open(nil, v.Metadata, v.CT)
	if err != nil || ctr != v.CTR || !bytes.Equal(got, v.PT) {
		t.Errorf("%v: opened %x, ctr %d, %v", v.Suite, got, ctr, err)
	}
}
