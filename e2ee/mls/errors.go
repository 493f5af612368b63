package mls

import (
	"errors"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Errors of decoding (RFC 9420 §2.1). See also the limits.
var (
	ErrTruncated             = wire.ErrTruncated
	ErrTrailing              = wire.ErrTrailing
	ErrNonMinimal            = wire.ErrNonMinimal
	ErrPrefix                = wire.ErrPrefix
	ErrOptional              = wire.ErrOptional
	ErrUnknownVariant        = errors.New("mls: unknown variant")
	ErrVersion               = errors.New("mls: protocol version is not MLS 1.0")
	ErrWireFormat            = errors.New("mls: wrong wire format")
	ErrUnsupportedCredential = errors.New("mls: unsupported credential type")
	ErrUnsupportedProposal   = errors.New("mls: unsupported proposal type")
	ErrLeafSource            = errors.New("mls: wrong leaf node source")
	ErrTreeMalformed         = errors.New("mls: malformed ratchet tree")
)

// Errors of leaf, key package and tree validation (RFC 9420 §7.3, §7.9, §10.1, §12.4.3.1).
var (
	ErrUnsupportedCipherSuite = errors.New("mls: unsupported ciphersuite")
	ErrCipherSuiteMismatch    = errors.New("mls: ciphersuite does not match")
	ErrDuplicateExtension     = errors.New("mls: extension type occurs twice")
	ErrExtensionNotSupported  = errors.New("mls: extension is not supported")
	ErrExtensionPlacement     = errors.New("mls: extension does not belong here")
	ErrCapabilityMissing      = errors.New("mls: required capability is missing")
	ErrCredentialNotSupported = errors.New("mls: credential type is not supported by all members")
	ErrLifetime               = errors.New("mls: leaf is not within its lifetime")
	ErrLeafSignature          = errors.New("mls: leaf signature is invalid")
	ErrKeyPackageSignature    = errors.New("mls: key package signature is invalid")
	ErrInitKeyReused          = errors.New("mls: init key equals the leaf's encryption key")
	ErrPublicKey              = errors.New("mls: public key is unusable")
	ErrDuplicateSignatureKey  = errors.New("mls: signature key occurs twice")
	ErrDuplicateEncryptionKey = errors.New("mls: encryption key occurs twice")
	ErrEncryptionKeyUnchanged = errors.New("mls: encryption key was not renewed")
	ErrCredentialChanged      = errors.New("mls: a member's credential has changed")
	ErrLeafRejected           = errors.New("mls: leaf was rejected by the application")
	ErrParentHash             = errors.New("mls: parent hash is invalid")
	ErrUnmergedLeaves         = errors.New("mls: unmerged leaves are invalid")
	ErrTreeHash               = errors.New("mls: tree hash does not match")
)

// Errors of messages (RFC 9420 §6).
var (
	ErrGroupID             = errors.New("mls: message is for another group")
	ErrWrongEpoch          = errors.New("mls: message is for another epoch")
	ErrEpochExpired        = errors.New("mls: keys of the message's epoch are deleted")
	ErrMembershipTag       = errors.New("mls: membership tag is invalid")
	ErrMessageSignature    = errors.New("mls: message signature is invalid")
	ErrSender              = errors.New("mls: sender does not exist or may not send this")
	ErrOwnMessage          = errors.New("mls: message is our own")
	ErrApplicationInPublic = errors.New("mls: application data in a public message")
	ErrDecrypt             = errors.New("mls: decryption failed")
	ErrPadding             = errors.New("mls: padding is not zero")
	ErrGenerationUsed      = errors.New("mls: key of this generation was already used")
	ErrGenerationExhausted = errors.New("mls: sender has no generations left in this epoch")
	ErrHandshakePolicy     = errors.New("mls: handshake message in a wire format the group does not accept")
)

// Errors of proposals and commits (RFC 9420 §12.1, §12.2, §12.4).
var (
	ErrPSKUsage                = errors.New("mls: resumption PSK usage is not allowed here")
	ErrPSKNonce                = errors.New("mls: PSK nonce has the wrong length")
	ErrUnknownPSK              = errors.New("mls: pre-shared key is not available")
	ErrDuplicatePSK            = errors.New("mls: pre-shared key occurs twice")
	ErrUnknownProposal         = errors.New("mls: commit refers to a proposal we do not have")
	ErrDuplicateProposal       = errors.New("mls: commit refers to a proposal twice")
	ErrRemoveBlank             = errors.New("mls: remove of a leaf that does not exist")
	ErrRemoveCommitter         = errors.New("mls: commit removes its own sender")
	ErrUpdateByCommitter       = errors.New("mls: commit covers an update of its own sender")
	ErrConflictingProposals    = errors.New("mls: several updates or removes for one leaf")
	ErrDuplicateAdd            = errors.New("mls: client is added twice or already a member")
	ErrMultipleGCE             = errors.New("mls: several group context extensions proposals")
	ErrReInit                  = errors.New("mls: reinit is not supported")
	ErrExternalInitInMember    = errors.New("mls: external init in a member's commit or proposal")
	ErrExternalCommitProposals = errors.New("mls: proposals not allowed in an external commit")
	ErrProposalSender          = errors.New("mls: sender may not send this proposal")
	ErrPathRequired            = errors.New("mls: commit needs an update path")
	ErrPathMismatch            = errors.New("mls: update path does not fit the tree")
	ErrPathSecret              = errors.New("mls: path secret does not match the public key")
	ErrConfirmationTag         = errors.New("mls: confirmation tag is invalid")
	ErrCommitRejected          = errors.New("mls: commit was rejected by the application")
)

// Errors of joining (RFC 9420 §12.4.3).
var (
	ErrNotForUs           = errors.New("mls: welcome is not for this key package")
	ErrNoRatchetTree      = errors.New("mls: no ratchet tree")
	ErrNoExternalPub      = errors.New("mls: group info has no external public key")
	ErrGroupInfoSignature = errors.New("mls: group info signature is invalid")
	ErrGroupExists        = errors.New("mls: already a member of this group")
	ErrLeafNotFound       = errors.New("mls: our leaf is not in the tree")
	ErrKeyPackageUsed     = errors.New("mls: key package was already used")
)

// Errors of using a group.
var (
	ErrConfig           = errors.New("mls: configuration is incomplete")
	ErrSigner           = suite.ErrSigner // the signer's key is not of the ciphersuite's kind
	ErrRemoved          = errors.New("mls: we were removed from this group")
	ErrPendingCommit    = errors.New("mls: a commit is pending")
	ErrStalePending     = errors.New("mls: pending commit does not belong to the current epoch")
	ErrPendingProposals = errors.New("mls: proposals are waiting to be committed")
	ErrNotPersisted     = errors.New("mls: state was not taken before the message")
	ErrState            = errors.New("mls: serialised state is invalid")
	ErrStateVersion     = errors.New("mls: serialised state has an unknown version")
	ErrStateMismatch    = errors.New("mls: parts of the serialised state do not belong together")
	ErrExportLength     = errors.New("mls: exported secret would be too long")
)
