package call

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// Run with -update after a deliberate change of a format.
var update = flag.Bool("update", false, "rewrite testdata/call/vectors.json")

const (
	vectorsFile = "../../testdata/call/vectors.json"
	docsFile    = "../../docs/call-keys.md"
)

// vectors are one call's derivations and messages, for whoever writes another
// client. Byte strings are hexadecimal, ids and links as on the wire.
type vectors struct {
	About string `json:"about"`

	Secret        string `json:"call_secret"`
	AdmissionSeed string `json:"admission_seed"`
	AdmissionKey  string `json:"admission_key"`
	CallID        string `json:"call_id"`
	Link          string `json:"link"`

	DeviceSeed string `json:"device_seed"`
	DeviceKey  string `json:"device_key"`
	DeviceID   string `json:"device_id"`
	Challenge  string `json:"challenge"`
	Host       string `json:"host"`

	LoginMessage       string `json:"login_message"`
	LoginSignature     string `json:"login_signature"`
	AdmissionMessage   string `json:"admission_message"`
	AdmissionSignature string `json:"admission_signature"`

	From     string          `json:"from"`
	To       string          `json:"to"`
	PairKey  string          `json:"pair_key"`
	PairAAD  string          `json:"pair_aad"`
	Payloads []payloadVector `json:"payloads"`
}

type payloadVector struct {
	Plaintext string `json:"plaintext"` // before padding with spaces
	Length    int    `json:"padded_length"`
	Nonce     string `json:"nonce"`
	Payload   string `json:"payload"`
}

func count(start byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = start + byte(i)
	}
	return b
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	secret, err := SecretFromBytes(count(0, 32))
	if err != nil {
		t.Fatal(err)
	}
	device, err := identity.DeviceFromSeed(count(0x20, 32))
	if err != nil {
		t.Fatal(err)
	}
	challenge, host := count(0x40, 32), "localhost:8443"
	admission := secret.AdmissionKey()
	link := Link{Secure: true, Host: host, Secret: secret}
	must := func(b []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	var from, to identity.ID
	copy(from[:], count(0x60, 16))
	copy(to[:], count(0x70, 16))
	ch := newChannel(secret, secret.CallID(), from, to)
	callID := secret.CallID()
	v := vectors{
		About:         "Derivations and messages of docs/call-keys.md. Written by: go test ./e2ee/call -run TestVectors -update",
		Secret:        hex.EncodeToString(secret.Bytes()),
		AdmissionSeed: hex.EncodeToString(admission.Seed()),
		AdmissionKey:  hex.EncodeToString(admission.Public().(ed25519.PublicKey)),
		CallID:        callID.String(),
		Link:          link.Reveal(),

		DeviceSeed: hex.EncodeToString(count(0x20, 32)),
		DeviceKey:  hex.EncodeToString(device.PublicKey()),
		DeviceID:   device.ID().String(),
		Challenge:  hex.EncodeToString(challenge),
		Host:       host,

		LoginMessage:       must(identity.LoginMessage(challenge, device.PublicKey(), host)),
		LoginSignature:     must(device.SignLogin(challenge, host)),
		AdmissionMessage:   must(identity.AdmissionMessage(callID, challenge, device.PublicKey())),
		AdmissionSignature: must(identity.SignAdmission(admission, challenge, device.PublicKey())),

		From:    from.String(),
		To:      to.String(),
		PairKey: hex.EncodeToString(hkdfExpand(secret.Bytes(), labelSenderKey+string(callID[:])+string(from[:])+string(to[:]))),
		PairAAD: hex.EncodeToString(ch.aad),
	}
	for i, m := range []message{
		{T: typeNeedKey, N: 1, Session: count(0x90, 16)},
		{T: typeKey, N: 2, For: count(0xa0, 16), Gen: 3, BaseKey: count(0xb0, 32), KIDPrefix: 0xa1b2c3d4, Name: "Zoë"},
	} {
		nonce, plain := count(0xd0+byte(i)*0x10, 12), m.encode()
		v.Payloads = append(v.Payloads, payloadVector{
			Plaintext: strings.TrimRight(string(plain), " "), Length: len(plain), Nonce: hex.EncodeToString(nonce),
			Payload: hex.EncodeToString(ch.seal(bytes.NewReader(nonce), plain)),
		})
	}
	return v
}

func TestVectors(t *testing.T) {
	v := makeVectors(t)
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(vectorsFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, out.Bytes()) {
		t.Errorf("a format no longer matches %s; if that is meant, run with -update", filepath.Base(vectorsFile))
	}
}

// The worked example in the documentation is this file's.
func TestDocsExample(t *testing.T) {
	doc, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	v := makeVectors(t)
	for what, want := range map[string]string{
		"call secret": v.Secret, "admission key": v.AdmissionKey, "call id": v.CallID, "link": v.Link,
		"device key": v.DeviceKey, "device id": v.DeviceID, "login signature": v.LoginSignature,
		"admission signature": v.AdmissionSignature, "pair key": v.PairKey, "request": v.Payloads[0].Plaintext, "key message": v.Payloads[1].Plaintext,
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("docs/call-keys.md does not show the %s %s", what, want)
		}
	}
	for _, code := range []Refusal{
		RefusedClosed, RefusedUnknown, RefusedReused, RefusedTooMany, RefusedMalformed, RefusedAuth,
		RefusedReplayed, RefusedOldKey, RefusedKeyConflict, RefusedKIDTaken,
	} {
		if !strings.Contains(string(doc), "`"+string(code)+"`") {
			t.Errorf("docs/call-keys.md does not explain the refusal %q", code)
		}
	}
}
