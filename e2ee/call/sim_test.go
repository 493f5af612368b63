package call

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// member is a participant of the simulation: a session, and the media side that
// obeys it and complains when an event makes no sense.
type member struct {
	id   identity.ID
	s    *Session
	gone bool
	tick time.Time

	recv   map[uint64][]byte // receive keys now installed
	owner  map[uint64]identity.ID
	send   map[Context]KeyEvent
	sentBy map[string]bool // every base key ever sealed with
	known  map[string]bool // every base key of others ever seen
	names  map[string]bool // every name it ever had: a lost renaming is not noticed
	roster []Member
}

func (m *member) Install(kid uint64, base []byte, owner identity.ID) error {
	if _, ok := m.recv[kid]; ok {
		return fmt.Errorf("KID %x installed twice", kid)
	}
	if len(base) != baseKeyLen {
		return fmt.Errorf("base key of %d bytes", len(base))
	}
	m.recv[kid], m.owner[kid] = base, owner
	m.known[string(base)] = true
	return nil
}

func (m *member) Remove(kid uint64) {
	if _, ok := m.recv[kid]; !ok {
		panic(fmt.Sprintf("KID %x removed, but it is not there", kid))
	}
	delete(m.recv, kid)
	delete(m.owner, kid)
}

func (m *member) Send(ctx Context, kid uint64, base []byte) error {
	old, ok := m.send[ctx]
	if ok && (old.KID == kid || bytes.Equal(old.BaseKey, base)) {
		return fmt.Errorf("context %d told to use key %x again: its counter would start over", ctx, kid)
	}
	m.send[ctx] = KeyEvent{KID: kid, BaseKey: base}
	m.sentBy[string(base)] = true
	return nil
}

func (m *member) Roster(r []Member) { m.roster = r }

// mail is a payload under way.
type mail struct {
	from, to identity.ID
	payload  []byte
}

// world is a server that loses, repeats and reorders what it carries.
type world struct {
	t       fataler
	rand    *rand.ChaCha8
	secret  Secret
	now     time.Time
	members []*member
	flying  []mail
	history []mail
	nextID  byte
}

type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

func newWorld(t fataler, seed byte) *world {
	s, err := SecretFromBytes(bytes.Repeat([]byte{seed}, SecretLen))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return &world{t: t, rand: rand.NewChaCha8([32]byte{seed}), secret: s, now: time.Unix(1_800_000_000, 0)}
}

func (w *world) live() []*member {
	var out []*member
	for _, m := range w.members {
		if !m.gone {
			out = append(out, m)
		}
	}
	return out
}

func (w *world) join(name string) *member {
	w.nextID++
	m := &member{
		id: identity.ID{w.nextID}, recv: map[uint64][]byte{}, owner: map[uint64]identity.ID{},
		send: map[Context]KeyEvent{}, sentBy: map[string]bool{}, known: map[string]bool{}, names: map[string]bool{name: true},
	}
	var err error
	if m.s, err = NewSession(Config{Secret: w.secret, Self: m.id, Name: name, Rand: w.rand}); err != nil {
		w.t.Fatalf("%v", err)
	}
	others := w.live()
	w.members = append(w.members, m)
	w.take(m, m.s.Tick(w.now))
	for _, o := range others {
		w.take(m, m.s.Joined(o.id, w.now))
		w.take(o, o.s.Joined(m.id, w.now))
	}
	return m
}

func (w *world) leave(m *member) {
	m.gone = true
	for _, o := range w.live() {
		w.take(o, o.s.Left(m.id, w.now))
	}
}

// take obeys an output.
func (w *world) take(m *member, o Output) {
	w.t.Helper()
	if o.Refused != "" && len(o.Keys)+len(o.Messages) > 0 && o.Refused == RefusedAuth {
		w.t.Fatalf("an unauthentic input had effects: %+v", o)
	}
	batch := map[identity.ID]bool{}
	for _, msg := range o.Messages {
		if batch[msg.To] {
			w.t.Fatalf("two messages for one participant in a batch")
		}
		batch[msg.To] = true
		w.flying = append(w.flying, mail{from: m.id, to: msg.To, payload: msg.Payload})
	}
	if err := o.Apply(m); err != nil {
		w.t.Fatalf("member %v: %v", m.id[0], err)
	}
	if !o.NextTick.IsZero() && !o.NextTick.After(w.now) {
		w.t.Fatalf("asked for a tick in the past: %v, now %v", o.NextTick, w.now)
	}
	m.tick = o.NextTick
}

func (w *world) byID(id identity.ID) *member {
	for _, m := range w.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// deliver hands one piece of mail over; what is for the departed is lost.
func (w *world) deliver(x mail) Refusal {
	to := w.byID(x.to)
	if to == nil || to.gone {
		return RefusedUnknown
	}
	o := to.s.Message(x.from, x.payload, w.now)
	w.take(to, o)
	return o.Refused
}

// pass lets time go by, with a tick whenever a session asked for one.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		var next *member
		for _, m := range w.live() {
			if !m.tick.IsZero() && !m.tick.After(end) && (next == nil || m.tick.Before(next.tick)) {
				next = m
			}
		}
		if next == nil {
			w.now = end
			return
		}
		w.now = next.tick
		w.take(next, next.s.Tick(w.now))
	}
}

// settle delivers everything and lets time pass until the call is at rest.
func (w *world) settle() {
	for range 40 {
		for len(w.flying) > 0 {
			x := w.flying[0]
			w.flying = w.flying[1:]
			w.history = append(w.history, x)
			w.deliver(x)
		}
		w.pass(time.Second)
		// Members whose media does not open say so.
		for _, m := range w.live() {
			for _, o := range w.live() {
				if m != o && m.recv[o.send[Mic].KID] == nil {
					w.take(m, m.s.UnknownKID(o.id, w.now))
				}
			}
		}
	}
}

// check holds what must be true of a call at rest.
func (w *world) check() {
	w.t.Helper()
	live := w.live()
	for _, m := range live {
		if len(m.recv) != numContexts*(len(live)-1) {
			w.t.Fatalf("member %d holds %d receive keys with %d others", m.id[0], len(m.recv), len(live)-1)
		}
		if len(m.roster) != len(live)-1 && !(m.roster == nil && len(live) == 1) {
			w.t.Fatalf("member %d: roster %+v with %d others", m.id[0], m.roster, len(live)-1)
		}
		for _, line := range m.roster {
			if o := w.byID(line.Participant); o.gone || !line.HasKey || !o.names[line.Name] {
				w.t.Fatalf("member %d: roster line %+v", m.id[0], line)
			}
		}
		for _, o := range live {
			for ctx, key := range o.send {
				if o != m && (!bytes.Equal(m.recv[key.KID], key.BaseKey) || m.owner[key.KID] != o.id) {
					w.t.Fatalf("member %d cannot open context %d of member %d", m.id[0], ctx, o.id[0])
				}
			}
		}
		for _, g := range w.members {
			for _, key := range m.send {
				if g.gone && g.known[string(key.BaseKey)] {
					w.t.Fatalf("member %d has left and knows the key that member %d uses", g.id[0], m.id[0])
				}
			}
		}
	}
}

// Whatever the server does to the mail, once it carries mail again everybody can
// open everybody's frames, and nobody who left can.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Byte().Draw(t, "seed"))
		w.join("first")
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			live := w.live()
			pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
			switch rapid.SampledFrom([]string{"join", "leave", "deliver", "deliver", "deliver", "lose", "repeat", "old", "crossed", "time", "rename", "junk"}).Draw(t, "step") {
			case "join":
				if len(live) < 7 {
					w.join(fmt.Sprintf("member %d", w.nextID))
				}
			case "leave":
				if len(live) > 1 {
					w.leave(live[pick(len(live))])
				}
			case "deliver", "lose", "repeat":
				if len(w.flying) == 0 {
					continue
				}
				i := pick(len(w.flying))
				x := w.flying[i]
				w.flying = append(w.flying[:i], w.flying[i+1:]...)
				w.history = append(w.history, x)
				switch rapid.IntRange(0, 2).Draw(t, "fate") {
				case 0, 1:
					w.deliver(x)
				}
			case "old": // again, long after
				if len(w.history) > 0 {
					x := w.history[pick(len(w.history))]
					first := w.deliver(x)
					if again := w.deliver(x); first == "" && again == "" {
						t.Fatalf("the same payload was taken twice")
					}
				}
			case "crossed": // to the wrong one, or from the wrong one
				if len(w.history) > 0 && len(live) > 1 {
					x := w.history[pick(len(w.history))]
					y := mail{from: live[pick(len(live))].id, to: live[pick(len(live))].id, payload: x.payload}
					if got := w.deliver(y); got == "" && (y.from != x.from || y.to != x.to) {
						t.Fatalf("a payload was taken from another, or by another, than it was made for")
					}
				}
			case "time":
				w.pass(time.Duration(rapid.IntRange(1, 7000).Draw(t, "ms")) * time.Millisecond)
			case "rename":
				m := live[pick(len(live))]
				name := fmt.Sprintf("renamed %d", pick(100))
				m.names[name] = true
				w.take(m, m.s.SetName(name, w.now))
			case "junk":
				m := live[pick(len(live))]
				o := m.s.Message(live[pick(len(live))].id, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "junk"), w.now)
				if o.Refused == "" {
					t.Fatalf("junk was taken")
				}
				w.take(m, o)
			}
		}
		w.settle()
		w.check()
	})
}

// A larger call, in which people come and go and nothing is lost.
func TestTwentyMembers(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 20 {
		w.join(fmt.Sprintf("member %d", i))
	}
	w.settle()
	w.check()
	for i := range 5 {
		w.leave(w.members[3*i])
	}
	w.settle()
	w.check()
	if n := len(w.live()[0].roster); n != 14 {
		t.Fatalf("%d lines on the roster", n)
	}
}
