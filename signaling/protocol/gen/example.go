package main

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// exampleHost is the host the worked example logs in to.
const exampleHost = "call.example.org"

// example holds the values of the golden files and of the worked example in
// docs/PROTOCOL.md. All follow from fixed seeds by the documented rules, which
// are spelled out here with the standard library alone so that the document is
// checked by a second implementation.
type example struct {
	callSecret, challenge          []byte
	admissionSeed                  []byte
	aliceKey, bobKey, admissionKey protocol.Bytes
	loginMessage, admissionMessage []byte
	login, admission, sealed       protocol.Bytes
	deviceRaw, callRaw, aliceRaw   []byte
	alice, bob                     protocol.ParticipantID
	device                         protocol.DeviceID
	session                        protocol.SessionID
	call                           protocol.CallID
}

// sequence is n bytes counting up from first.
func sequence(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func id(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func hash16(label string, key []byte) []byte {
	sum := sha256.Sum256(append([]byte(label), key...))
	return sum[:16]
}

func newExample() example {
	alice := ed25519.NewKeyFromSeed(sequence(0x00, 32))
	bob := ed25519.NewKeyFromSeed(sequence(0x20, 32))
	e := example{callSecret: sequence(0x40, 32), challenge: sequence(0x60, 32)}
	e.aliceKey = protocol.Bytes(alice.Public().(ed25519.PublicKey))
	e.bobKey = protocol.Bytes(bob.Public().(ed25519.PublicKey))

	e.loginMessage = append([]byte("sotto/1 login\x00"), e.challenge...)
	e.loginMessage = append(e.loginMessage, e.aliceKey...)
	e.loginMessage = append(e.loginMessage, exampleHost...)
	e.login = ed25519.Sign(alice, e.loginMessage)

	seed, err := hkdf.Expand(sha256.New, e.callSecret, "sotto/1 admission", 32)
	if err != nil {
		panic(err) // 32 bytes of SHA-256 output always exist
	}
	e.admissionSeed = seed
	admission := ed25519.NewKeyFromSeed(seed)
	e.admissionKey = protocol.Bytes(admission.Public().(ed25519.PublicKey))
	e.callRaw = hash16("sotto/1 call id", e.admissionKey)
	e.call = protocol.CallID(id(e.callRaw))
	e.admissionMessage = append([]byte("sotto/1 admission\x00"), e.callRaw...)
	e.admissionMessage = append(e.admissionMessage, e.challenge...)
	e.admissionMessage = append(e.admissionMessage, e.aliceKey...)
	e.admission = ed25519.Sign(admission, e.admissionMessage)

	e.deviceRaw = hash16("sotto/1 device id", e.aliceKey)
	e.device = protocol.DeviceID(id(e.deviceRaw))
	e.aliceRaw = sequence(0x80, 16)
	e.alice = protocol.ParticipantID(id(e.aliceRaw))
	e.bob = protocol.ParticipantID(id(sequence(0x90, 16)))
	e.session = protocol.SessionID(id(sequence(0xa0, 16)))
	e.sealed = append([]byte{0x01}, sequence(0xb0, 60)...)
	return e
}
