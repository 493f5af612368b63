package call

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

var (
	alice = identity.ID{1}
	bob   = identity.ID{2}
	carol = identity.ID{3}
	start = time.Unix(1_800_000_000, 0)
)

// newSession makes a session whose randomness differs with seed.
func newSession(t testing.TB, secret Secret, self identity.ID, seed byte) *Session {
	t.Helper()
	s, err := NewSession(Config{Secret: secret, Self: self, Name: "name of " + string('a'+seed), Rand: rand.NewChaCha8([32]byte{seed})})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// only returns the single message of an output.
func only(t testing.TB, o Output) Message {
	t.Helper()
	if len(o.Messages) != 1 || o.Refused != "" {
		t.Fatalf("want one message, have %d, refused %q", len(o.Messages), o.Refused)
	}
	return o.Messages[0]
}

// joined has a session meet a participant, and returns its request for a key.
func joined(t testing.TB, s *Session, id identity.ID, now time.Time) Message {
	t.Helper()
	if o := s.Joined(id, now); o.Refused != "" || len(o.Messages) > 0 || o.NextTick != now.Add(gather) {
		t.Fatalf("joining: %+v", o)
	}
	return only(t, s.Tick(now.Add(gather)))
}

// answer has a session take a request in, and returns the key it sends.
func answer(t testing.TB, s *Session, from identity.ID, request []byte, now time.Time) Message {
	t.Helper()
	if o := s.Message(from, request, now); o.Refused != "" {
		t.Fatalf("request refused: %q", o.Refused)
	}
	return only(t, s.Tick(now.Add(gather)))
}

// openPayload undoes the sealing with nothing but the standard library.
func openPayload(t testing.TB, secret Secret, from, to identity.ID, payload []byte) map[string]any {
	t.Helper()
	call := secret.CallID()
	names := string(call[:]) + string(from[:]) + string(to[:])
	block, err := aes.NewCipher(hkdfExpand(secret.Bytes(), "sotto/1 sender key"+names))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	if payload[0] != 1 {
		t.Fatalf("version %d", payload[0])
	}
	plain, err := gcm.Open(nil, payload[1:13], payload[13:], []byte("sotto/1 sender key\x01"+names))
	if err != nil {
		t.Fatal(err)
	}
	if len(plain)%256 != 0 {
		t.Errorf("plaintext of %d bytes is not padded", len(plain))
	}
	var m map[string]any
	if err := json.Unmarshal(plain, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// forge seals a message as the given participant would.
func forge(secret Secret, from, to identity.ID, m message) []byte {
	return newChannel(secret, secret.CallID(), from, to).seal(rand.NewChaCha8([32]byte{99}), m.encode())
}

// The wire format of the package comment, from outside.
func TestWireFormat(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	sendKeys := a.Tick(start).Keys
	b64 := base64.RawURLEncoding.EncodeToString

	ask := joined(t, b, alice, start)
	got := openPayload(t, secret, bob, alice, ask.Payload)
	if ask.To != alice || len(got) != 3 || got["t"] != "need_key" || got["n"] != 1.0 || got["session"] != b64(b.id[:]) {
		t.Errorf("request %v", got)
	}
	joined(t, a, bob, start)
	key := answer(t, a, bob, ask.Payload, start)
	got = openPayload(t, secret, alice, bob, key.Payload)
	if got["t"] != "key" || got["n"] != 2.0 || got["for"] != b64(b.id[:]) || got["gen"] != nil ||
		got["base_key"] != b64(sendKeys[0].BaseKey) || got["name"] != "name of a" {
		t.Errorf("key %v", got)
	}
	prefix := uint32(got["kid_prefix"].(float64))

	o := b.Message(alice, key.Payload, start)
	if len(o.Keys) != 4 || len(o.Roster) != 1 || o.Roster[0] != (Member{alice, "name of a", true}) {
		t.Fatalf("%+v", o)
	}
	for i, e := range o.Keys {
		send := sendKeys[i]
		if e.Op != OpInstall || e.Participant != alice || e.KID != KID(prefix, Context(i), 0) || e.Context != Context(i) ||
			send.Op != OpSend || send.KID != e.KID || send.Context != e.Context || !bytes.Equal(send.BaseKey, e.BaseKey) {
			t.Errorf("event %d: %+v against %+v", i, e, send)
		}
	}
}

// pairUp brings two sessions to where b has a's key, and returns that key's message.
func pairUp(t *testing.T, a, b *Session) Message {
	t.Helper()
	joined(t, a, b.self, start)
	key := answer(t, a, b.self, joined(t, b, a.self, start).Payload, start)
	if o := b.Message(a.self, key.Payload, start); o.Refused != "" {
		t.Fatalf("refused %q", o.Refused)
	}
	return key
}

func TestRefusals(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	key := pairUp(t, a, b)
	before := b.roster()
	base := bytes.Repeat([]byte{7}, 32)
	good := message{T: typeKey, N: 100, For: b.id[:], Gen: 1, BaseKey: base, KIDPrefix: a.prefix}
	with := func(f func(*message)) []byte {
		m := good
		f(&m)
		return forge(secret, alice, bob, m)
	}
	ch := newChannel(secret, secret.CallID(), alice, bob)
	r := rand.NewChaCha8([32]byte{})
	flipped := slices.Clone(key.Payload)
	flipped[20] ^= 1
	version := slices.Clone(key.Payload)
	version[0] = 2
	for _, tc := range []struct {
		name    string
		from    identity.ID
		payload []byte
		want    Refusal
	}{
		{"repeated", alice, key.Payload, RefusedReplayed},
		{"from a stranger", carol, key.Payload, RefusedUnknown},
		{"a bit flipped", alice, flipped, RefusedAuth},
		{"another version", alice, version, RefusedMalformed},
		{"empty", alice, nil, RefusedMalformed},
		{"too short for a tag", alice, key.Payload[:28], RefusedMalformed},
		{"too long", alice, make([]byte, maxPayloadLen+1), RefusedMalformed},
		{"another call's secret", alice, forge(testSecret(t, 6), alice, bob, good), RefusedAuth},
		{"meant for carol", alice, forge(secret, alice, carol, good), RefusedAuth},
		{"reflected", alice, forge(secret, bob, alice, good), RefusedAuth},
		{"not JSON", alice, ch.seal(r, []byte("{")), RefusedMalformed},
		{"JSON and more", alice, ch.seal(r, []byte(`{"t":"x","n":9} x`)), RefusedMalformed},
		{"negative number", alice, ch.seal(r, []byte(`{"t":"x","n":-1}`)), RefusedMalformed},
		{"padded base64", alice, ch.seal(r, []byte(`{"t":"need_key","n":9,"session":"AAAAAAAAAAAAAAAAAAAAAA=="}`)), RefusedMalformed},
		{"no number", alice, with(func(m *message) { m.N = 0 }), RefusedReplayed},
		{"number does not count up", alice, with(func(m *message) { m.N = 2 }), RefusedReplayed},
		{"for an earlier session", alice, with(func(m *message) { m.For = make([]byte, 16) }), RefusedReplayed},
		{"for no session", alice, with(func(m *message) { m.For = nil }), RefusedMalformed},
		{"short base key", alice, with(func(m *message) { m.BaseKey = base[:31] }), RefusedMalformed},
		{"short session", alice, with(func(m *message) { m.T, m.Session = typeNeedKey, base[:15] }), RefusedMalformed},
		{"another key in the same generation", alice, with(func(m *message) { m.Gen = 0 }), RefusedKeyConflict},
		{"another prefix", alice, with(func(m *message) { m.KIDPrefix++ }), RefusedKeyConflict},
	} {
		if o := b.Message(tc.from, tc.payload, start); o.Refused != tc.want || len(o.Keys)+len(o.Messages) > 0 || o.Roster != nil {
			t.Errorf("%s: %+v, want %q", tc.name, o, tc.want)
		}
	}
	if !slices.Equal(before, b.roster()) {
		t.Error("a refused message changed the roster")
	}
	if o := b.Message(alice, with(func(*message) {}), start); o.Refused != "" || len(o.Keys) != 4 {
		t.Errorf("the good one after all that: %+v", o)
	}
	if o := b.Message(alice, with(func(m *message) { m.N, m.Gen = 101, 0 }), start); o.Refused != RefusedOldKey {
		t.Errorf("generation down: %q", o.Refused)
	}
	if o := b.Message(alice, with(func(m *message) { m.N, m.T = 102, "from the future" }), start); o.Refused != "" || len(o.Keys) != 0 {
		t.Errorf("unknown type: %+v", o)
	}
	if o := b.Message(alice, with(func(m *message) { m.N, m.T = 102, "again" }), start); o.Refused != RefusedReplayed {
		t.Errorf("unknown types count too: %q", o.Refused)
	}
}

// A server that gives out the same participant ids again cannot bring back the
// messages of the earlier session.
func TestNoReplayAcrossSessions(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	old := pairUp(t, a, b)
	again := newSession(t, secret, bob, 2)
	again.Joined(alice, start)
	if o := again.Message(alice, old.Payload, start); o.Refused != RefusedReplayed || len(o.Keys) > 0 {
		t.Fatalf("%+v", o)
	}
}

func TestPrefixOfAnother(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	pairUp(t, a, b)
	b.Joined(carol, start)
	for _, prefix := range []uint32{a.prefix, b.prefix} {
		o := b.Message(carol, forge(secret, carol, bob, message{
			T: typeKey, N: 1, For: b.id[:], BaseKey: make([]byte, 32), KIDPrefix: prefix,
		}), start)
		if o.Refused != RefusedKIDTaken || len(o.Keys) > 0 {
			t.Errorf("prefix %x: %+v", prefix, o)
		}
	}
}

func TestLeaveRotates(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	pairUp(t, b, a) // a has b's key
	pairUp(t, a, newSession(t, secret, carol, 2))
	// b asks too, so that it has a's key to begin with.
	first := answer(t, a, bob, forge(secret, bob, alice, message{T: typeNeedKey, N: 50, Session: b.id[:]}), start)
	if o := b.Message(alice, first.Payload, start); o.Refused != "" {
		t.Fatalf("refused %q", o.Refused)
	}

	start := start.Add(100 * time.Millisecond)
	o := a.Left(carol, start)
	if len(o.Roster) != 1 || o.NextTick != start.Add(switchDelay) {
		t.Fatalf("%+v", o)
	}
	for _, e := range o.Keys {
		if e.Op != OpRemove {
			t.Errorf("at once, but for removals: %+v", e)
		}
	}
	msg := only(t, o)
	got := openPayload(t, secret, alice, bob, msg.Payload)
	if got["gen"] != 1.0 {
		t.Errorf("generation %v", got["gen"])
	}
	ob := b.Message(alice, msg.Payload, start)
	if len(ob.Keys) != 4 || ob.Keys[0].Op != OpInstall || ob.Roster != nil || ob.NextTick != start.Add(retireDelay) {
		t.Fatalf("receiver: %+v", ob)
	}

	// Somebody else leaves meanwhile: the switch keeps its moment.
	a.Joined(identity.ID{9}, start)
	a.peers[1].answered = true
	if o := a.Left(identity.ID{9}, start.Add(switchDelay/2)); o.NextTick != start.Add(switchDelay) {
		t.Errorf("switch moved: %v", o.NextTick)
	}
	if o := a.Tick(start.Add(switchDelay - 1)); len(o.Keys) > 0 {
		t.Errorf("switched early: %+v", o.Keys)
	}
	o = a.Tick(start.Add(switchDelay))
	if len(o.Keys) != 4 || o.Keys[0].Op != OpSend || o.Keys[0].KID != KID(a.prefix, Mic, 2) {
		t.Errorf("switch: %+v", o.Keys)
	}

	if o := b.Tick(start.Add(retireDelay - 1)); len(o.Keys) > 0 {
		t.Errorf("retired early: %+v", o.Keys)
	}
	o = b.Tick(start.Add(retireDelay))
	if len(o.Keys) != 4 || o.Keys[0].Op != OpRemove || o.Keys[0].KID != KID(a.prefix, Mic, 0) {
		t.Errorf("retirement: %+v", o.Keys)
	}
}

// Who never proved to hold the secret never got a key, so nothing changes when it goes.
func TestGhostLeaves(t *testing.T) {
	a := newSession(t, testSecret(t, 5), alice, 0)
	a.Tick(start)
	a.Joined(bob, start)
	if o := a.Left(bob, start); len(o.Messages)+len(o.Keys) > 0 || !o.NextTick.IsZero() {
		t.Errorf("%+v", o)
	}
	if o := a.Joined(bob, start); o.Refused != RefusedReused {
		t.Errorf("back again: %q", o.Refused)
	}
}

func TestAsking(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	first := joined(t, b, alice, start)
	now := start.Add(gather)
	o := b.Tick(now)
	var waits []time.Duration
	for range 6 {
		waits = append(waits, o.NextTick.Sub(now))
		if early := b.Tick(o.NextTick.Add(-1)); len(early.Messages) > 0 {
			t.Fatal("asked early")
		}
		now = o.NextTick
		o = b.Tick(now)
		only(t, o)
	}
	want := []time.Duration{1e9, 2e9, 4e9, 8e9, 16e9, 16e9}
	if !slices.Equal(waits, want) {
		t.Errorf("waits %v", waits)
	}

	// The answer ends it.
	joined(t, a, bob, now)
	key := answer(t, a, bob, first.Payload, now)
	if o = b.Message(alice, key.Payload, now); !o.NextTick.IsZero() || len(o.Keys) != 4 {
		t.Fatalf("%+v", o)
	}
	// Unknown KIDs: at once if the last request is a second old, else then.
	now = now.Add(time.Second)
	second := only(t, b.UnknownKID(alice, now))
	for range 5 {
		if o = b.UnknownKID(alice, now.Add(time.Millisecond)); len(o.Messages) > 0 || o.NextTick != now.Add(askEvery) {
			t.Fatalf("%+v", o)
		}
	}
	// Repeats in haste are not answered, later ones are.
	if o := a.Message(alice, nil, now); o.Refused != RefusedUnknown {
		t.Errorf("from ourselves: %+v", o)
	}
	a.peers[0].hasKey = true // so that a does not ask in between
	answer(t, a, bob, second.Payload, now)
	now = now.Add(gather)
	for n, tc := range []struct {
		after time.Duration
		want  int
	}{{answerEvery - 1, 0}, {answerEvery, 1}} {
		again := forge(secret, bob, alice, message{T: typeNeedKey, N: uint64(500 + n), Session: b.id[:]})
		if o := a.Message(bob, again, now.Add(tc.after)); o.Refused != "" {
			t.Fatalf("%+v", o)
		}
		if o := a.Tick(now.Add(tc.after + gather)); len(o.Messages) != tc.want {
			t.Errorf("asked again after %v: %d answers", tc.after, len(o.Messages))
		}
	}
}

// A hundred requests that come together are answered together, and one batch
// never has two messages for the same participant.
func TestBatches(t *testing.T) {
	secret := testSecret(t, 5)
	a := newSession(t, secret, alice, 0)
	var ids []identity.ID
	for i := range 100 {
		ids = append(ids, identity.ID{20, byte(i)})
		if o := a.Joined(ids[i], start); len(o.Messages) > 0 {
			t.Fatal("asked alone")
		}
	}
	if o := a.Tick(start.Add(gather)); len(o.Messages) != 100 {
		t.Fatalf("%d requests in the batch", len(o.Messages))
	}
	// The answers are due in the same moment as the next requests.
	now := start.Add(gather + askEvery - gather)
	for _, id := range ids {
		a.Message(id, forge(secret, id, alice, message{T: typeNeedKey, N: 1, Session: a.id[:]}), now)
	}
	total := 0
	for range 3 {
		now = now.Add(gather)
		o := a.Tick(now)
		seen := map[identity.ID]bool{}
		for _, m := range o.Messages {
			if seen[m.To] {
				t.Fatal("two messages for one participant in a batch")
			}
			seen[m.To] = true
		}
		total += len(o.Messages)
	}
	if total != 200 {
		t.Errorf("%d messages, want 100 answers and 100 requests", total)
	}
}

// A member that rotates without end can neither fill the key table nor reuse a
// KID that is still installed.
func TestRotationStorm(t *testing.T) {
	secret := testSecret(t, 5)
	m := &member{recv: map[uint64][]byte{}, owner: map[uint64]identity.ID{}, known: map[string]bool{}}
	b := newSession(t, secret, bob, 1)
	b.Joined(alice, start)
	b.started = true
	gen, n := uint64(0), uint64(0)
	for _, step := range []uint64{0, 1, 1, 1, 1, 1, 254, 255, 256, 257, 1 << 62} {
		gen, n = gen+step, n+1
		base := bytes.Repeat([]byte{byte(n)}, 32)
		o := b.Message(alice, forge(secret, alice, bob, message{T: typeKey, N: n, For: b.id[:], Gen: gen, BaseKey: base, KIDPrefix: 3}), start)
		if o.Refused != "" {
			t.Fatalf("generation %d: %q", gen, o.Refused)
		}
		if err := o.Apply(m); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.recv[KID(3, Camera, gen)], base) {
			t.Fatalf("generation %d is not installed", gen)
		}
		if len(m.recv) > numContexts*(1+maxRetiring) {
			t.Fatalf("%d keys installed", len(m.recv))
		}
	}
	o := b.Left(alice, start)
	if err := o.Apply(m); err != nil || len(m.recv) != 0 {
		t.Errorf("%d keys left behind, %v", len(m.recv), err)
	}
}

func TestLimitsAndClose(t *testing.T) {
	s := newSession(t, testSecret(t, 5), alice, 0)
	if o := s.Joined(alice, start); o.Refused != RefusedUnknown {
		t.Errorf("our own id: %q", o.Refused)
	}
	for i := range MaxParticipants {
		id := identity.ID{10, byte(i), byte(i >> 8)}
		if o := s.Joined(id, start); o.Refused != "" {
			t.Fatalf("participant %d: %q", i, o.Refused)
		}
		if o := s.Joined(id, start); o.Refused != "" || len(o.Messages) > 0 || o.Roster != nil {
			t.Fatalf("said twice: %+v", o)
		}
	}
	if o := s.Joined(identity.ID{11}, start); o.Refused != RefusedTooMany {
		t.Errorf("one too many: %q", o.Refused)
	}
	for name, o := range map[string]Output{
		"left": s.Left(identity.ID{11}, start), "unknown KID": s.UnknownKID(identity.ID{11}, start),
	} {
		if o.Refused != RefusedUnknown {
			t.Errorf("%s: %q", name, o.Refused)
		}
	}
	base := s.newest.base
	s.Close()
	if s.secret != (Secret{}) || !bytes.Equal(base, make([]byte, 32)) {
		t.Error("secrets not erased")
	}
	for name, o := range map[string]Output{
		"tick": s.Tick(start), "joined": s.Joined(bob, start), "message": s.Message(bob, nil, start), "name": s.SetName("x", start),
	} {
		if o.Refused != RefusedClosed || len(o.Keys)+len(o.Messages) > 0 {
			t.Errorf("%s after Close: %+v", name, o)
		}
	}
	if _, err := NewSession(Config{}); !errors.Is(err, ErrNoRand) {
		t.Errorf("no randomness: %v", err)
	}
}

func TestSetName(t *testing.T) {
	secret := testSecret(t, 5)
	a, b := newSession(t, secret, alice, 0), newSession(t, secret, bob, 1)
	pairUp(t, a, b)
	if o := a.SetName("name of a", start); len(o.Messages) > 0 {
		t.Error("an unchanged name was told")
	}
	o := b.Message(alice, only(t, a.SetName(" Alice\u202e "+strings.Repeat("x", 100), start)).Payload, start)
	if len(o.Keys) > 0 || len(o.Roster) != 1 || o.Roster[0].Name != "Alice "+strings.Repeat("x", 58) {
		t.Errorf("%+v", o)
	}
}

// FuzzMessage: whatever a holder of the secret may send, in plaintext, nothing
// panics, and refusals change nothing.
func FuzzMessage(f *testing.F) {
	secret := testSecret(f, 5)
	f.Add([]byte(`{"t":"need_key","n":1,"session":"AAAAAAAAAAAAAAAAAAAAAA"}`))
	f.Add([]byte(`{"t":"key","n":2,"for":"AAAAAAAAAAAAAAAAAAAAAA","gen":0,"base_key":"","kid_prefix":7,"name":"x"}`))
	f.Add([]byte(`{"t":"key","n":1e400}`))
	f.Add([]byte("[]   "))
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		b := newSession(t, secret, bob, 1)
		b.Tick(start)
		b.Joined(alice, start)
		payload := newChannel(secret, secret.CallID(), alice, bob).seal(rand.NewChaCha8([32]byte{}), plaintext)
		o := b.Message(alice, payload, start)
		if o.Refused != "" && (len(o.Keys)+len(o.Messages) > 0 || o.Roster != nil) {
			t.Fatalf("refused, and yet: %+v", o)
		}
		if o.Refused == "" && b.Message(alice, payload, start).Refused == "" {
			t.Fatal("taken twice")
		}
	})
}

// FuzzPayload: bytes from a server without the secret are never taken.
func FuzzPayload(f *testing.F) {
	secret := testSecret(f, 5)
	f.Add(forge(testSecret(f, 6), alice, bob, message{T: typeNeedKey, N: 1, Session: make([]byte, 16)}))
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, payload []byte) {
		b := newSession(t, secret, bob, 1)
		b.Joined(alice, start)
		if o := b.Message(alice, payload, start); o.Refused == "" || len(o.Keys)+len(o.Messages) > 0 {
			t.Fatalf("%x: %+v", payload, o)
		}
	})
}
