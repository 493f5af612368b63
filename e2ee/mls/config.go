package mls

import (
	"crypto"
	"fmt"
	"io"
	"time"
)

// LeafReason says why a leaf is about to enter a tree.
type LeafReason uint8

// The reasons a leaf is checked.
const (
	// LeafCreated is our own leaf in a group or key package that we create.
	LeafCreated LeafReason = iota + 1
	// LeafAdded is the leaf of a key package in an Add proposal.
	LeafAdded
	// LeafUpdated is the new leaf of a member in an Update proposal.
	LeafUpdated
	// LeafCommitted is the new leaf of a member in the path of its commit.
	LeafCommitted
	// LeafJoinedExternally is the leaf of somebody who adds itself by an external commit.
	LeafJoinedExternally
	// LeafInJoinedTree is a leaf of the tree of a group that we join.
	LeafInJoinedTree
)

// LeafEvent is a question to the application: may this leaf enter the tree?
type LeafEvent struct {
	Reason  LeafReason
	GroupID []byte
	Leaf    *LeafNode
	// Index is the leaf's place. It is not known yet for LeafAdded.
	Index LeafIndex
	// Previous is the leaf that is replaced, for LeafUpdated, LeafCommitted and, where a member
	// replaces its lost self, LeafJoinedExternally. Its credential and the new one must be
	// acceptable for the same member (RFC 9420 §5.3.1).
	Previous *LeafNode
	Now      time.Time
}

// HandshakePolicy says in which form proposals and commits of members travel.
type HandshakePolicy uint8

const (
	// HandshakesPrivate encrypts our handshakes and refuses those of others that are not. The
	// delivery service sees neither who changes what nor the tree. Proposals of external senders
	// come in the clear all the same. It is the default.
	HandshakesPrivate HandshakePolicy = iota
	// HandshakesPublic sends signed and MACed but readable handshakes and refuses encrypted ones.
	// External commits need it.
	HandshakesPublic
	// HandshakesEither sends private ones and accepts both.
	HandshakesEither
)

// ExternalCommitPolicy says who may add itself to the group.
type ExternalCommitPolicy uint8

const (
	// ExternalCommitsRefused is the default: only members add members.
	ExternalCommitsRefused ExternalCommitPolicy = iota
	// ExternalCommitsWithPSK accepts an external commit only if it includes the external PSK with
	// the id ExternalCommitPSK. Without this demand whoever holds a group info can join: a commit
	// that names no PSK is valid in itself.
	ExternalCommitsWithPSK
	// ExternalCommitsOpen accepts whom the leaf check accepts.
	ExternalCommitsOpen
)

// Config is what a group needs from its application. It is not part of the serialised state and
// must not be changed while a group uses it.
type Config struct {
	// Signer holds the signature key of our leaf. Required. Ed25519 for suites 1, 3 and Hybrid,
	// ECDSA on P-256 for suite 2.
	Signer crypto.Signer
	// Rand is the source of all randomness but the ephemeral keys of HPKE, which come from the
	// process's CSPRNG. Required.
	Rand io.Reader
	// CheckLeaf authenticates a leaf: does the signature key belong to the identity, is the
	// certificate valid, is the identity still that of the leaf it replaces? It is called for
	// every leaf before it is installed and must not use the group. Required.
	CheckLeaf func(LeafEvent) error
	// CheckCommit may refuse a commit for reasons of policy: who may add, remove or change
	// extensions. It is called after all other checks, before the state changes. Optional.
	CheckCommit func(*CommitInfo) error
	// PSK returns an external pre-shared key, or a resumption PSK of another group. Without it no
	// such PSK is available.
	PSK func(PreSharedKeyID) ([]byte, error)
	// KnownGroup reports whether the client is already in a group with this id; joining it again
	// is refused (RFC 9420 §12.4.3). Optional: nil means in none.
	KnownGroup func(groupID []byte) bool

	Handshakes      HandshakePolicy
	ExternalCommits ExternalCommitPolicy
	// ExternalCommitPSK is the PSK id demanded by ExternalCommitsWithPSK.
	ExternalCommitPSK []byte

	// PadTo rounds the size of encrypted content up to a multiple of this many bytes.
	// 0 means DefaultPadding, 1 none.
	PadTo int
	// PastEpochs is how many past epochs' application messages can still be received, for
	// PastEpochLifetime after the epoch has ended. Their keys are kept for it, so both weaken
	// forward secrecy. 0 keeps none.
	PastEpochs        int
	PastEpochLifetime time.Duration
	// ResumptionEpochs is how many past epochs' resumption PSKs are kept.
	ResumptionEpochs int
	// TolerateExpiredLeaves accepts leaves past their lifetime in the tree of a group that we
	// join: somebody who was added long ago and has not committed since has one.
	TolerateExpiredLeaves bool
	// AllowCredentialChange leaves it to CheckLeaf alone whether a member may present another
	// credential than before. Without it a leaf that replaces another must keep its credential.
	AllowCredentialChange bool
	// Ephemeral declares that the group's state is never stored: a crash loses the membership.
	// Messages can then be released without taking the state first.
	Ephemeral bool
}

// DefaultPadding is the padding granularity in bytes.
const DefaultPadding = 64

func (c *Config) check() error {
	switch {
	case c == nil:
		return fmt.Errorf("%w: it is nil", ErrConfig)
	case c.Signer == nil:
		return fmt.Errorf("%w: Signer", ErrConfig)
	case c.Rand == nil:
		return fmt.Errorf("%w: Rand", ErrConfig)
	case c.CheckLeaf == nil:
		return fmt.Errorf("%w: CheckLeaf", ErrConfig)
	case c.ExternalCommits == ExternalCommitsWithPSK && len(c.ExternalCommitPSK) == 0:
		return fmt.Errorf("%w: ExternalCommitPSK", ErrConfig)
	case c.PadTo < 0 || c.PastEpochs < 0 || c.PastEpochLifetime < 0 || c.ResumptionEpochs < 0:
		return fmt.Errorf("%w: a negative number", ErrConfig)
	default:
		return nil
	}
}

func (c *Config) padding() int {
	if c.PadTo == 0 {
		return DefaultPadding
	}
	return c.PadTo
}
