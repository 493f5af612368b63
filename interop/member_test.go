//go:build interop

package interop

import (
	"fmt"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// extSettings is an extension type that all clients here support.
const extSettings mls.ExtensionType = 0xF1A0

// member is a client that is, or will be, a member of one group. Two
// implementations of MLS stand behind it; whatever a test does through it, it
// does to both. An error means that the implementation refused, and that
// nothing has changed.
type member interface {
	name() string
	// fresh forgets the group and all keys and returns a new key package.
	fresh(t testing.TB) []byte
	// learn makes an external pre-shared key known.
	learn(t testing.TB, id, secret string)
	// frame chooses the form of the handshakes from now on.
	frame(t testing.TB, f framing)

	create(t testing.TB, extensions ...mls.Extension)
	// join enters by a Welcome; tree is for one that has none.
	join(t testing.TB, welcome, tree []byte) error
	// externalJoin prepares the commit by which we add ourselves. It takes effect with merge.
	externalJoin(t testing.TB, groupInfo []byte, o externalOptions) ([]byte, error)
	// commit prepares a commit. It takes effect with merge.
	commit(t testing.TB, o commitOptions) (message, welcome []byte, err error)
	merge(t testing.TB)
	discard(t testing.TB)

	propose(t testing.TB, p proposal) ([]byte, error)
	process(t testing.TB, message []byte) (received, error)
	send(t testing.TB, text string) ([]byte, error)
	groupInfo(t testing.TB, withTree bool) []byte
	ratchetTree(t testing.TB) []byte
	view(t testing.TB) view
}

// groupID is the id of every group of these tests.
const groupID = "interop group"

// framing is how handshakes travel (RFC 9420 §6).
type framing int

const (
	private framing = iota
	public
	// either sends private handshakes and takes both, which external commits to a group with
	// private handshakes need.
	either
)

func (f framing) String() string { return [...]string{"private", "public", "either"}[f] }

type proposalKind string

const (
	add        proposalKind = "add"
	update     proposalKind = "update"
	remove     proposalKind = "remove"
	psk        proposalKind = "psk"
	resumption proposalKind = "resumption"
	settings   proposalKind = "extensions"
)

// proposal is a proposal before either implementation has made it one.
type proposal struct {
	kind       proposalKind
	keyPackage []byte          // add
	leaf       uint32          // remove
	id         string          // psk
	epoch      uint64          // resumption
	extensions []mls.Extension // settings
}

type commitOptions struct {
	proposals []proposal
	omitTree  bool // from the Welcome
	omitPath  bool // where it may be; ts-mls always does so
}

type externalOptions struct {
	tree   []byte // for a group info that has none
	psk    string // id, if any
	resync bool
	leaf   uint32 // our old one, for resync
}

type received struct {
	kind string // "application", "proposal" or "commit"
	text string
}

// view is what a member thinks of its group.
type view struct {
	agreed
	Leaf    uint32
	Removed bool
	// Fingerprint is a hash of the whole state, secrets and counters included.
	Fingerprint string
}

// agreed is the part of a view in which the members of an epoch must not differ.
type agreed struct {
	Epoch                   uint64
	Exporter                string
	EpochAuthenticator      string
	TreeHash                string
	ConfirmedTranscriptHash string
	Extensions              string
	Members                 int
}

func (a agreed) String() string {
	return fmt.Sprintf("epoch %d with %d members\n  exporter   %s\n  authentic. %s\n  tree       %s\n  transcript %s\n  extensions %q",
		a.Epoch, a.Members, a.Exporter, a.EpochAuthenticator, a.TreeHash, a.ConfirmedTranscriptHash, a.Extensions)
}
