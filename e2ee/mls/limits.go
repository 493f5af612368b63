package mls

import (
	"errors"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Limits on what is parsed and kept. They bound memory and work an attacker can cause with one
// message; each has its own error.
const (
	// MaxMessageSize is the largest MLSMessage in bytes. A GroupInfo that carries the tree of
	// MaxLeaves members of the hybrid suite is about 12 MiB.
	MaxMessageSize = 16 << 20
	// MaxLeaves is the largest number of leaves of a tree, blank ones included.
	MaxLeaves = 4096
	// MaxGroupIDSize is in bytes; ours are 32.
	MaxGroupIDSize = 1024
	// MaxFieldSize bounds in bytes every other short field: keys, signatures, identities, tags.
	// The largest of them are certificate chains and KEM outputs.
	MaxFieldSize = 64 << 10
	// MaxApplicationDataSize is in bytes; larger data belongs beside the group, encrypted under a
	// key sent through it.
	MaxApplicationDataSize = 1 << 20
	// MaxExtensions is the number of extensions in one list.
	MaxExtensions = 64
	// MaxExtensionSize is in bytes and holds for every extension but ratchet_tree.
	MaxExtensionSize = 64 << 10
	// MaxCapabilities is the number of entries in one list of a leaf's capabilities.
	MaxCapabilities = 256
	// MaxProposals is the number of proposals in one commit: enough to add everybody at once.
	MaxProposals = MaxLeaves
	// MaxPSKs is the number of pre-shared keys in one commit or Welcome.
	MaxPSKs = 64
	// MaxPathNodes is the number of parents above a leaf of a tree of MaxLeaves.
	MaxPathNodes = 12
	// MaxWelcomeSecrets is the number of recipients of one Welcome.
	MaxWelcomeSecrets = MaxLeaves
	// MaxExternalSenders is the number of entries in an external_senders extension.
	MaxExternalSenders = 16
	// MaxCachedProposals is the number of uncommitted proposals kept in one epoch.
	MaxCachedProposals = 1024
	// MaxGenerationsAhead is how far a message may be ahead of the last one of its sender: each
	// step costs three key derivations.
	MaxGenerationsAhead = 1000
	// MaxSkippedKeys is the number of keys of messages not yet received that are kept for one
	// sender; beyond it the oldest are deleted.
	MaxSkippedKeys = 1000
)

// Errors for exceeded limits.
var (
	ErrMessageTooLarge         = errors.New("mls: message larger than MaxMessageSize")
	ErrTooManyLeaves           = errors.New("mls: tree larger than MaxLeaves")
	ErrGroupIDTooLong          = errors.New("mls: group id longer than MaxGroupIDSize")
	ErrFieldTooLong            = errors.New("mls: field longer than MaxFieldSize")
	ErrApplicationDataTooLarge = errors.New("mls: application data larger than MaxApplicationDataSize")
	ErrTooManyExtensions       = errors.New("mls: more than MaxExtensions extensions")
	ErrExtensionTooLarge       = errors.New("mls: extension larger than MaxExtensionSize")
	ErrTooManyCapabilities     = errors.New("mls: more than MaxCapabilities capabilities")
	ErrTooManyProposals        = errors.New("mls: more than MaxProposals proposals in a commit")
	ErrTooManyPSKs             = errors.New("mls: more than MaxPSKs pre-shared keys")
	ErrPathTooLong             = errors.New("mls: update path longer than MaxPathNodes")
	ErrTooManyCiphertexts      = errors.New("mls: more path secrets than leaves")
	ErrTooManyWelcomeSecrets   = errors.New("mls: more than MaxWelcomeSecrets recipients in a Welcome")
	ErrTooManyExternalSenders  = errors.New("mls: more than MaxExternalSenders external senders")
	ErrTooManyCachedProposals  = errors.New("mls: more than MaxCachedProposals uncommitted proposals")
	ErrGenerationTooFarAhead   = errors.New("mls: message more than MaxGenerationsAhead ahead")
	ErrSkippedKeyEvicted       = errors.New("mls: key was deleted because MaxSkippedKeys were kept")
	ErrPathSecretsTooLarge     = errors.New("mls: update path larger than MaxMessageSize")
)

var (
	boundGroupID    = wire.Bound{Max: MaxGroupIDSize, Err: ErrGroupIDTooLong}
	boundField      = wire.Bound{Max: MaxFieldSize, Err: ErrFieldTooLong}
	boundData       = wire.Bound{Max: MaxApplicationDataSize, Err: ErrApplicationDataTooLarge}
	boundCiphertext = wire.Bound{Max: MaxMessageSize, Err: ErrMessageTooLarge}
	boundMessage    = wire.Bound{Max: MaxMessageSize, Err: ErrMessageTooLarge}
	boundExtensions = wire.Bound{Max: MaxMessageSize, Err: ErrMessageTooLarge}
	boundExtension  = wire.Bound{Max: MaxExtensionSize, Err: ErrExtensionTooLarge}
	boundCaps       = wire.Bound{Max: 2 * MaxCapabilities, Err: ErrTooManyCapabilities}
)
