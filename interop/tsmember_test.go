//go:build interop

package interop

import (
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/mls"
)

// tsMember is a member played by ts-mls.
type tsMember struct {
	label  string
	suite  mls.CipherSuite
	peer   *peer
	public bool
}

func newTSMember(t testing.TB, cs mls.CipherSuite, name string) *tsMember {
	t.Helper()
	return &tsMember{label: name + " (ts-mls)", suite: cs, peer: peers.take(t)}
}

func (m *tsMember) name() string { return m.label }

// must is call for what may not be refused.
func (m *tsMember) must(t testing.TB, r request, out any) {
	t.Helper()
	if err := m.peer.call(t, r, out); err != nil {
		t.Fatalf("%s, %v: %v", m.label, r["op"], err)
	}
}

func (m *tsMember) fresh(t testing.TB) []byte {
	t.Helper()
	now := time.Now()
	var reply struct{ KeyPackage string }
	// The lifetime is given: the default of ts-mls never ends, which strict peers refuse.
	m.must(t, request{
		"op": "init", "suite": uint16(m.suite), "identity": hexOf([]byte(m.label)),
		"notBefore": now.Add(-time.Hour).Unix(), "notAfter": now.Add(mls.DefaultLifetime).Unix(),
		"extensions": []uint16{uint16(extSettings)},
	}, &reply)
	return unhex(t, reply.KeyPackage)
}

func (m *tsMember) learn(t testing.TB, id, secret string) {
	t.Helper()
	m.must(t, request{"op": "psk", "id": hexOf([]byte(id)), "secret": hexOf([]byte(secret))}, nil)
}

func (m *tsMember) frame(_ testing.TB, f framing) { m.public = f == public }

func (m *tsMember) create(t testing.TB, extensions ...mls.Extension) {
	t.Helper()
	m.must(t, request{"op": "create", "groupId": hexOf([]byte(groupID)), "extensions": tsExtensions(extensions)}, nil)
}

func (m *tsMember) join(t testing.TB, welcome, tree []byte) error {
	t.Helper()
	return m.peer.call(t, request{"op": "join", "welcome": hexOf(welcome), "ratchetTree": hexOf(tree)}, nil)
}

// errTSNoExternalPSK is why ts-mls does not join by a PSK: it can only process that.
const errTSNoExternalPSK = "ts-mls cannot make an external commit with a PSK"

func (m *tsMember) externalJoin(t testing.TB, groupInfo []byte, o externalOptions) ([]byte, error) {
	t.Helper()
	if o.psk != "" {
		return nil, refusal{errTSNoExternalPSK}
	}
	return m.message(t, request{
		"op": "externalJoin", "groupInfo": hexOf(groupInfo), "ratchetTree": hexOf(o.tree), "resync": o.resync,
	})
}

func (m *tsMember) commit(t testing.TB, o commitOptions) (message, welcome []byte, err error) {
	t.Helper()
	list := make([]request, len(o.proposals))
	for i, p := range o.proposals {
		list[i] = m.proposal(p)
	}
	var reply struct{ Message, Welcome string }
	err = m.peer.call(t, request{
		"op": "commit", "proposals": list, "publicMessage": m.public, "treeInWelcome": !o.omitTree,
	}, &reply)
	return unhex(t, reply.Message), unhex(t, reply.Welcome), err
}

func (m *tsMember) merge(t testing.TB)   { t.Helper(); m.must(t, request{"op": "merge"}, nil) }
func (m *tsMember) discard(t testing.TB) { t.Helper(); m.must(t, request{"op": "discard"}, nil) }

func (m *tsMember) propose(t testing.TB, p proposal) ([]byte, error) {
	t.Helper()
	return m.message(t, request{"op": "propose", "proposal": m.proposal(p), "publicMessage": m.public})
}

func (m *tsMember) process(t testing.TB, message []byte) (received, error) {
	t.Helper()
	var reply struct{ Kind, Plaintext string }
	err := m.peer.call(t, request{"op": "process", "message": hexOf(message)}, &reply)
	return received{kind: reply.Kind, text: string(unhex(t, reply.Plaintext))}, err
}

func (m *tsMember) send(t testing.TB, text string) ([]byte, error) {
	t.Helper()
	return m.message(t, request{"op": "send", "plaintext": hexOf([]byte(text))})
}

func (m *tsMember) groupInfo(t testing.TB, withTree bool) []byte {
	t.Helper()
	b, err := m.message(t, request{"op": "groupInfo", "withTree": withTree})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *tsMember) ratchetTree(t testing.TB) []byte {
	t.Helper()
	var reply struct{ Tree string }
	m.must(t, request{"op": "tree"}, &reply)
	return unhex(t, reply.Tree)
}

func (m *tsMember) view(t testing.TB) view {
	t.Helper()
	var v view
	m.must(t, request{"op": "state"}, &v)
	return v
}

// message is call for what answers with one message.
func (m *tsMember) message(t testing.TB, r request) ([]byte, error) {
	t.Helper()
	var reply struct{ Message string }
	err := m.peer.call(t, r, &reply)
	return unhex(t, reply.Message), err
}

func (m *tsMember) proposal(p proposal) request {
	r := request{"type": p.kind}
	switch p.kind {
	case add:
		r["keyPackage"] = hexOf(p.keyPackage)
	case remove:
		r["leaf"] = p.leaf
	case psk:
		r["id"], r["nonce"] = hexOf([]byte(p.id)), m.nonce()
	case resumption:
		r["epoch"], r["nonce"] = p.epoch, m.nonce()
	case settings:
		r["extensions"] = tsExtensions(p.extensions)
	}
	return r
}

// nonce returns a PSK nonce, which is as long as the suite's hash (RFC 9420 §8.4).
func (m *tsMember) nonce() string {
	nonce := make([]byte, 32)
	if m.suite == mls.Hybrid {
		nonce = make([]byte, 48)
	}
	_, _ = rand.Read(nonce)
	return hexOf(nonce)
}

func tsExtensions(list []mls.Extension) []request {
	out := make([]request, len(list))
	for i, e := range list {
		out[i] = request{"type": e.Type, "data": hexOf(e.Data)}
	}
	return out
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
