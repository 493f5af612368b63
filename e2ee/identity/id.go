package identity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
)

// IDLen is the length of a raw id in bytes; its text form has 22 characters.
const IDLen = 16

// ErrID: not the text form of an id.
var ErrID = errors.New("identity: not an id")

// The labels that separate the kinds of ids.
const (
	labelDeviceID = "sotto/1 device id"
	labelCallID   = "sotto/1 call id"
)

// ID is 16 bytes that name a device, a call or a participant. Its text form,
// used on the wire, is base64url without padding.
type ID [IDLen]byte

// String is the text form, 22 characters.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reads the text form, strictly: one id has one spelling. Error: ErrID.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != base64.RawURLEncoding.EncodedLen(IDLen) {
		return ID{}, ErrID
	}
	// The decoder skips line breaks; with the length checked above, any it skipped
	// show in the count of bytes.
	n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(s))
	if err != nil || n != IDLen {
		return ID{}, ErrID
	}
	return id, nil
}

// DeviceID names the device that holds the private half of key: the first 16
// bytes of SHA-256("sotto/1 device id" ‖ key).
func DeviceID(key ed25519.PublicKey) ID { return hashID(labelDeviceID, key) }

// CallID names the call whose admission key is key: the first 16 bytes of
// SHA-256("sotto/1 call id" ‖ key). Whoever serves a call under another key
// therefore serves another call.
func CallID(key ed25519.PublicKey) ID { return hashID(labelCallID, key) }

func hashID(label string, key ed25519.PublicKey) ID {
	h := sha256.New()
	h.Write([]byte(label))
	h.Write(key)
	var id ID
	copy(id[:], h.Sum(nil))
	return id
}
