package mls

import (
	"fmt"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
)

// CipherSuite numbers a ciphersuite (RFC 9420 §17.1).
type CipherSuite uint16

// The ciphersuites of this package.
const (
	// X25519AES128 is MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519, mandatory in RFC 9420.
	X25519AES128 CipherSuite = 0x0001
	// P256AES128 is MLS_128_DHKEMP256_AES128GCM_SHA256_P256.
	P256AES128 CipherSuite = 0x0002
	// X25519ChaCha is MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519.
	X25519ChaCha CipherSuite = 0x0003
	// Hybrid is MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519 of
	// draft-ietf-mls-pq-ciphersuites under a private code point: safe against an attacker who
	// records now and has a quantum computer later, as long as either half holds.
	Hybrid CipherSuite = 0xF002
)

// String returns the IANA name.
func (c CipherSuite) String() string {
	switch c {
	case X25519AES128:
		return "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
	case P256AES128:
		return "MLS_128_DHKEMP256_AES128GCM_SHA256_P256"
	case X25519ChaCha:
		return "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519"
	case Hybrid:
		return "MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519"
	default:
		return fmt.Sprintf("ciphersuite %#04x", uint16(c))
	}
}

func (c CipherSuite) get() (*suite.Suite, error) {
	s, err := suite.Get(uint16(c))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupportedCipherSuite, err)
	}
	return s, nil
}

// LeafIndex is the position of a member in the tree, from 0. It is stable while the member stays
// and is reused after it leaves.
type LeafIndex uint32

// ProtocolVersion numbers a version of MLS.
type ProtocolVersion uint16

// MLS10 is the version of RFC 9420, the only one there is.
const MLS10 ProtocolVersion = 1

// ProposalType numbers a kind of proposal (RFC 9420 §17.4).
type ProposalType uint16

// The proposal types of RFC 9420.
const (
	ProposalAdd                    ProposalType = 1
	ProposalUpdate                 ProposalType = 2
	ProposalRemove                 ProposalType = 3
	ProposalPSK                    ProposalType = 4
	ProposalReInit                 ProposalType = 5
	ProposalExternalInit           ProposalType = 6
	ProposalGroupContextExtensions ProposalType = 7
)

// String names the type.
func (t ProposalType) String() string {
	names := [...]string{
		"", "add", "update", "remove", "psk", "reinit", "external_init", "group_context_extensions",
	}
	if t > 0 && int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("proposal type %#04x", uint16(t))
}

// ExtensionType numbers an extension (RFC 9420 §17.3).
type ExtensionType uint16

// The extension types of RFC 9420.
const (
	ExtensionApplicationID        ExtensionType = 1
	ExtensionRatchetTree          ExtensionType = 2
	ExtensionRequiredCapabilities ExtensionType = 3
	ExtensionExternalPub          ExtensionType = 4
	ExtensionExternalSenders      ExtensionType = 5
)

// isDefault reports whether every implementation supports the type, so that no capability need
// name it (RFC 9420 §7.2).
func (t ExtensionType) isDefault() bool {
	return t >= ExtensionApplicationID && t <= ExtensionExternalSenders
}

func (t ProposalType) isDefault() bool {
	return t >= ProposalAdd && t <= ProposalGroupContextExtensions
}

// CredentialType numbers a kind of credential (RFC 9420 §17.5).
type CredentialType uint16

// The credential types of RFC 9420.
const (
	CredentialBasic CredentialType = 1
	CredentialX509  CredentialType = 2
)
