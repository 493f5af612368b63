package identity

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
)

const (
	// ChallengeLen is the length in bytes of every challenge.
	ChallengeLen = 32
	// maxHostLen bounds the host: a DNS name has at most 253 characters, and a
	// colon and five digits may follow.
	maxHostLen = 253 + 6
)

// The labels that separate the kinds of signatures.
const (
	labelLogin     = "sotto/1 login\x00"
	labelAdmission = "sotto/1 admission\x00"
)

// Errors of this file.
var (
	// ErrSignature: it does not verify.
	ErrSignature = errors.New("identity: bad signature")
	// ErrInput: a part of the message to sign has the wrong form; an error of the
	// caller's when signing, of the other side's when verifying.
	ErrInput = errors.New("identity: malformed input")
)

// LoginMessage is what a device signs to log in: label ‖ challenge ‖ device key ‖
// host. The host is that of the URL the client dialled, as [CanonicalHost] spells it;
// with it inside, a server cannot pass its challenge on to the client of another
// and log in there. Error: ErrInput.
func LoginMessage(challenge []byte, device ed25519.PublicKey, host string) ([]byte, error) {
	if err := checkSizes(challenge, device); err != nil {
		return nil, err
	}
	if host == "" || len(host) > maxHostLen || host != strings.ToLower(host) {
		return nil, fmt.Errorf("%w: host %q", ErrInput, host)
	}
	msg := make([]byte, 0, len(labelLogin)+len(challenge)+len(device)+len(host))
	msg = append(msg, labelLogin...)
	msg = append(msg, challenge...)
	msg = append(msg, device...)
	return append(msg, host...), nil
}

// VerifyLogin checks a login. Errors: ErrInput, ErrSignature.
func VerifyLogin(challenge []byte, device ed25519.PublicKey, host string, signature []byte) error {
	msg, err := LoginMessage(challenge, device, host)
	if err != nil {
		return err
	}
	return verify(device, msg, signature)
}

// AdmissionMessage is what holders of a call's secret sign, with the admission key that
// the secret yields, to let one device in: label ‖ call id ‖ challenge ‖ device
// key. Error: ErrInput.
func AdmissionMessage(call ID, challenge []byte, device ed25519.PublicKey) ([]byte, error) {
	if err := checkSizes(challenge, device); err != nil {
		return nil, err
	}
	msg := make([]byte, 0, len(labelAdmission)+len(call)+len(challenge)+len(device))
	msg = append(msg, labelAdmission...)
	msg = append(msg, call[:]...)
	msg = append(msg, challenge...)
	return append(msg, device...), nil
}

// SignAdmission signs with a call's private admission key (package call derives it).
// Error: ErrInput.
func SignAdmission(admission ed25519.PrivateKey, challenge []byte, device ed25519.PublicKey) ([]byte, error) {
	if len(admission) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: admission key of %d bytes", ErrInput, len(admission))
	}
	call := CallID(admission.Public().(ed25519.PublicKey))
	msg, err := AdmissionMessage(call, challenge, device)
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(admission, msg), nil
}

// VerifyAdmission checks that the holder of call's secret lets device in. It
// checks also that the call id commits to the admission key. Errors: ErrInput, ErrSignature.
func VerifyAdmission(call ID, admission ed25519.PublicKey, challenge []byte, device ed25519.PublicKey, signature []byte) error {
	if len(admission) != ed25519.PublicKeySize || CallID(admission) != call {
		return fmt.Errorf("%w: the call id is not that of the admission key", ErrInput)
	}
	msg, err := AdmissionMessage(call, challenge, device)
	if err != nil {
		return err
	}
	return verify(admission, msg, signature)
}

func checkSizes(challenge []byte, device ed25519.PublicKey) error {
	if len(challenge) != ChallengeLen {
		return fmt.Errorf("%w: challenge of %d bytes", ErrInput, len(challenge))
	}
	if len(device) != ed25519.PublicKeySize {
		return fmt.Errorf("%w: device key of %d bytes", ErrInput, len(device))
	}
	return nil
}

// verify guards ed25519.Verify, which panics on keys of the wrong length.
func verify(key ed25519.PublicKey, msg, signature []byte) error {
	if len(key) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize || !ed25519.Verify(key, msg, signature) {
		return ErrSignature
	}
	return nil
}
