//go:build interop

package interop

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// goMember is a member played by e2ee/mls.
type goMember struct {
	label    string
	suite    mls.CipherSuite
	cfg      *mls.Config
	psks     map[string]string
	own      *mls.OwnKeyPackage
	group    *mls.Group
	pending  *mls.Pending
	external *mls.ExternalJoin
}

func newGoMember(cs mls.CipherSuite, name string) *goMember {
	return &goMember{label: name + " (Go)", suite: cs, cfg: &mls.Config{
		Rand:            rand.Reader,
		ExternalCommits: mls.ExternalCommitsOpen,
		PastEpochs:      2, PastEpochLifetime: time.Hour, ResumptionEpochs: 2,
	}}
}

func (m *goMember) name() string { return m.label }

func (m *goMember) fresh(t testing.TB) []byte {
	t.Helper()
	m.group, m.pending, m.external, m.psks = nil, nil, nil, make(map[string]string)
	cfg := *m.cfg
	m.cfg = &cfg
	_, m.cfg.Signer, _ = ed25519.GenerateKey(rand.Reader)
	m.cfg.PSK = func(id mls.PreSharedKeyID) ([]byte, error) {
		if secret, ok := m.psks[string(id.ID)]; ok {
			return []byte(secret), nil
		}
		return nil, nil
	}
	m.cfg.CheckLeaf = func(e mls.LeafEvent) error {
		if e.Previous != nil && !e.Previous.Credential.Equal(&e.Leaf.Credential) {
			return errors.New("identity changed")
		}
		return nil
	}
	own, err := mls.NewKeyPackage(m.cfg, mls.KeyPackageOptions{CipherSuite: m.suite, Leaf: m.leaf()}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m.own = own
	return own.Public()
}

func (m *goMember) leaf() mls.LeafOptions {
	caps := mls.DefaultCapabilities(extSettings)
	return mls.LeafOptions{Credential: mls.BasicCredential([]byte(m.label)), Capabilities: &caps}
}

func (m *goMember) learn(_ testing.TB, id, secret string) { m.psks[id] = secret }

// frame changes the configuration, which a group in use does not allow: so it
// stores the group and restores it, and every change of framing tests that too.
func (m *goMember) frame(t testing.TB, f framing) {
	t.Helper()
	cfg := *m.cfg
	cfg.Handshakes = map[framing]mls.HandshakePolicy{
		private: mls.HandshakesPrivate, public: mls.HandshakesPublic, either: mls.HandshakesEither,
	}[f]
	m.cfg = &cfg
	if m.group != nil {
		m.restart(t)
	}
}

// restart stores the group and restores it, as after a crash.
func (m *goMember) restart(t testing.TB) {
	t.Helper()
	group, err := mls.Restore(m.cfg, m.group.State())
	if err != nil {
		t.Fatalf("%s restarts: %v", m.label, err)
	}
	m.group = group
}

func (m *goMember) create(t testing.TB, extensions ...mls.Extension) {
	t.Helper()
	group, err := mls.NewGroup(m.cfg, mls.GroupOptions{
		CipherSuite: m.suite, ID: []byte(groupID), Extensions: extensions, Leaf: m.leaf(),
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m.group = group
}

func (m *goMember) join(_ testing.TB, welcome, tree []byte) error {
	group, err := mls.Join(m.cfg, welcome, m.own, mls.JoinOptions{RatchetTree: tree}, time.Now())
	if err == nil {
		m.group = group
	}
	return err
}

func (m *goMember) externalJoin(_ testing.TB, groupInfo []byte, o externalOptions) ([]byte, error) {
	options := mls.ExternalJoinOptions{Leaf: m.leaf(), RatchetTree: o.tree}
	if o.psk != "" {
		options.PSKs = [][]byte{[]byte(o.psk)}
	}
	if o.resync {
		at := mls.LeafIndex(o.leaf)
		options.Resync = &at
	}
	join, err := mls.JoinExternal(m.cfg, groupInfo, options, time.Now())
	if err != nil {
		return nil, err
	}
	m.external = join
	return join.Commit(), nil
}

func (m *goMember) commit(_ testing.TB, o commitOptions) (message, welcome []byte, err error) {
	options := mls.CommitOptions{OmitPath: o.omitPath, OmitRatchetTree: o.omitTree}
	for _, p := range o.proposals {
		converted, err := m.proposal(p)
		if err != nil {
			return nil, nil, err
		}
		options.Proposals = append(options.Proposals, converted)
	}
	pending, err := m.group.Commit(options, time.Now())
	if err != nil {
		return nil, nil, err
	}
	m.pending = pending
	pending.State()
	message, err = pending.Release()
	return message, pending.Welcome(), err
}

func (m *goMember) merge(t testing.TB) {
	t.Helper()
	var err error
	if m.external != nil {
		m.group, err = m.external.Merge()
		m.external = nil
	} else {
		err = m.group.Merge(m.pending, time.Now())
	}
	if err != nil {
		t.Fatalf("%s merges: %v", m.label, err)
	}
	m.pending = nil
}

func (m *goMember) discard(t testing.TB) {
	t.Helper()
	if err := m.group.Discard(m.pending); err != nil {
		t.Fatalf("%s discards: %v", m.label, err)
	}
	m.pending = nil
}

func (m *goMember) propose(_ testing.TB, p proposal) ([]byte, error) {
	if p.kind == update {
		return release(m.group.ProposeUpdate(mls.LeafUpdate{}, time.Now()))
	}
	converted, err := m.proposal(p)
	if err != nil {
		return nil, err
	}
	return release(m.group.Propose(converted, time.Now()))
}

func (m *goMember) proposal(p proposal) (mls.Proposal, error) {
	switch p.kind {
	case add:
		k, err := mls.ParseKeyPackage(p.keyPackage)
		if err != nil {
			return mls.Proposal{}, err
		}
		return mls.AddMember(k), nil
	case remove:
		return mls.RemoveMember(mls.LeafIndex(p.leaf)), nil
	case psk:
		return mls.UsePSK([]byte(p.id)), nil
	case resumption:
		return mls.UseResumptionPSK(m.group.ID(), p.epoch), nil
	case settings:
		return mls.SetExtensions(p.extensions), nil
	default:
		return mls.Proposal{}, fmt.Errorf("no such proposal here: %s", p.kind)
	}
}

func (m *goMember) process(_ testing.TB, message []byte) (received, error) {
	r, err := m.group.Process(message, time.Now())
	if err != nil {
		return received{}, err
	}
	kind := map[mls.ContentType]string{
		mls.ContentApplication: "application", mls.ContentProposal: "proposal", mls.ContentCommit: "commit",
	}[r.Type]
	return received{kind: kind, text: string(r.Application)}, nil
}

func (m *goMember) send(_ testing.TB, text string) ([]byte, error) {
	return release(m.group.Seal([]byte(text), mls.SealOptions{}))
}

// release lets a message out in the order that Outgoing demands.
func release(o *mls.Outgoing, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	o.State()
	return o.Release()
}

func (m *goMember) groupInfo(t testing.TB, withTree bool) []byte {
	t.Helper()
	info, err := m.group.GroupInfo(mls.GroupInfoOptions{ExternalPub: true, RatchetTree: withTree})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (m *goMember) ratchetTree(testing.TB) []byte { return m.group.RatchetTree() }

func (m *goMember) view(t testing.TB) view {
	t.Helper()
	state := m.group.State()
	sum := sha256.Sum256(append(append([]byte(nil), state.Group...), state.Messages...))
	v := view{Leaf: uint32(m.group.OwnLeaf()), Removed: m.group.Removed(), Fingerprint: hexOf(sum[:])}
	if v.Removed {
		return v // nothing else is left of it
	}
	exporter, err := m.group.Export("SFrame 1.0 Base Key", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	authenticator, err := m.group.EpochAuthenticator()
	if err != nil {
		t.Fatal(err)
	}
	var extensions []string
	for _, e := range m.group.Extensions() {
		extensions = append(extensions, hexOf(e.Data))
	}
	v.agreed = agreed{
		Epoch: m.group.Epoch(), Exporter: hexOf(exporter), EpochAuthenticator: hexOf(authenticator),
		TreeHash:                hexOf(m.group.TreeHash()),
		ConfirmedTranscriptHash: hexOf(confirmedTranscript(t, m.group)),
		Extensions:              strings.Join(extensions, " "),
		Members:                 len(m.group.Members()),
	}
	return v
}

// confirmedTranscript reads the confirmed transcript hash, which the package
// does not give away by itself, from a GroupInfo: it follows version, wire
// format, version, suite, group id, epoch and tree hash (RFC 9420 §8.1).
func confirmedTranscript(t testing.TB, g *mls.Group) []byte {
	t.Helper()
	info, err := g.GroupInfo(mls.GroupInfoOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rest := info[8:]
	vector := func() []byte {
		n, size := int(rest[0]), 1 // RFC 9420 §2.1.2
		if n >= 0x40 {
			n, size = int(binary.BigEndian.Uint16(rest)&0x3fff), 2
		}
		v := rest[size : size+n]
		rest = rest[size+n:]
		return v
	}
	vector() // group id
	rest = rest[8:]
	vector() // tree hash
	return vector()
}
