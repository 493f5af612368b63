package signaling

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestBucket(t *testing.T) {
	now := time.UnixMilli(0)
	b := newBucket(10, 3, now)
	for range 3 {
		if _, ok := b.take(1, now); !ok {
			t.Fatal("the burst is not granted")
		}
	}
	if wait, ok := b.take(1, now); ok || wait != 100*time.Millisecond {
		t.Errorf("wait %v, %v", wait, ok)
	}
	if _, ok := b.take(1, now.Add(-time.Hour)); ok {
		t.Error("a clock that went back gave a token")
	}
	if _, ok := b.take(1, now.Add(100*time.Millisecond)); !ok {
		t.Error("the wait it told was too short")
	}
	if _, ok := b.take(4, now.Add(time.Hour)); ok {
		t.Error("more than the burst was granted")
	}
}

func TestDoor(t *testing.T) {
	d := newDoor(Limits{Connections: 3, ConnectionsPerIP: 2})
	ip := netip.MustParseAddr
	for _, tc := range []struct {
		ip   string
		want bool
	}{
		{"2001:db8::1", true},
		{"2001:db8::ffff", true},
		{"2001:db8:0:0:9::1", false}, // the same /64
		{"192.0.2.1", true},
		{"192.0.2.2", false}, // three in all
	} {
		if got := d.enter(ip(tc.ip)); got != tc.want {
			t.Errorf("%s: %v", tc.ip, got)
		}
	}
	for _, a := range []string{"2001:db8::1", "2001:db8::ffff", "192.0.2.1"} {
		d.leave(ip(a))
	}
	if d.open != 0 || len(d.byIP) != 0 {
		t.Errorf("left over: %d, %v", d.open, d.byIP)
	}
	if !d.enter(netip.Addr{}) {
		t.Error("a connection of unknown origin")
	}
}

// The stream, driven at random: what a client handles, over any series of
// lost connections, is every event once and in order, or the session is known
// to be lost. Nothing here knows how the stream works.
func TestStreamProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStream(Limits{
			ReplayEvents: rapid.IntRange(1, 12).Draw(t, "events"),
			ReplayBytes:  rapid.IntRange(100, 600).Draw(t, "bytes"),
		})
		var (
			pushed   int      // events so far; event n carries the number n
			wire     [][]byte // on the way to the client
			handled  int      // newest event the client handled
			attached = true
			lost     bool
		)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				pushed++
				body := fmt.Sprintf(`{"n":%d,"pad":"%0*d"}`, pushed, rapid.IntRange(1, 80).Draw(t, "pad"), 0)
				event, l := s.push("x", []byte(body), attached)
				lost = lost || l
				if attached {
					wire = append(wire, event)
				}
			},
			"handle": func(t *rapid.T) {
				for range min(len(wire), rapid.IntRange(0, 5).Draw(t, "n")) {
					var env protocol.Envelope
					var body struct{ N int }
					if err := json.Unmarshal(wire[0], &env); err != nil {
						t.Fatal(err)
					}
					if err := json.Unmarshal(env.Body, &body); err != nil {
						t.Fatal(err)
					}
					if body.N != handled+1 || env.Seq != uint64(handled+1) {
						t.Fatalf("event %d with seq %d after %d", body.N, env.Seq, handled)
					}
					handled++
					wire = wire[1:]
				}
			},
			"drop": func(*rapid.T) { attached, wire = false, nil },
			"resume": func(t *rapid.T) {
				if attached {
					return
				}
				missed, ok := s.replay(uint64(handled))
				if lost && ok {
					t.Fatal("resumed although an event is lost")
				}
				if ok && len(missed) != pushed-handled {
					t.Fatalf("%d events replayed, want %d", len(missed), pushed-handled)
				}
				if ok {
					attached, wire = true, append([][]byte(nil), missed...)
				}
				if _, ok := s.replay(uint64(pushed + 1)); ok {
					t.Fatal("replayed from the future")
				}
			},
			"": func(t *rapid.T) {
				if len(s.kept) > s.maxEvents || s.bytes > s.maxBytes {
					t.Fatalf("keeps %d events, %d bytes", len(s.kept), s.bytes)
				}
			},
		})
	})
}

// The room, driven at random against a model: every member can reconstruct
// from its reply to joining and its events exactly who is there and how.
func TestRoomProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRoom(100)
		type viewer struct {
			m    *member
			view map[protocol.ParticipantID]protocol.Participant
		}
		var people []*viewer
		count := 0
		pick := func(t *rapid.T) *viewer {
			if len(people) == 0 {
				t.Skip()
			}
			return people[rapid.IntRange(0, len(people)-1).Draw(t, "who")]
		}
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				count++
				v := &viewer{view: make(map[protocol.ParticipantID]protocol.Participant)}
				v.m = &member{
					id: protocol.ParticipantID(fmt.Sprint("p", count)), connected: true,
					sources: make(map[protocol.Source]protocol.SourceState),
				}
				v.m.send = func(name string, body []byte) {
					switch name {
					case protocol.TypeParticipantJoined, protocol.TypeParticipantUpdated:
						var e protocol.ParticipantUpdatedEvent
						if err := json.Unmarshal(body, &e); err != nil {
							t.Fatal(err)
						}
						if _, known := v.view[e.Participant.ID]; known != (name == protocol.TypeParticipantUpdated) {
							t.Fatalf("%s of %s, known: %v", name, e.Participant.ID, known)
						}
						v.view[e.Participant.ID] = e.Participant
					case protocol.TypeParticipantLeft:
						var e protocol.ParticipantLeftEvent
						if err := json.Unmarshal(body, &e); err != nil {
							t.Fatal(err)
						}
						if _, known := v.view[e.Participant]; !known {
							t.Fatalf("%s left, who was not there", e.Participant)
						}
						delete(v.view, e.Participant)
					}
				}
				for _, p := range r.add(v.m) {
					v.view[p.ID] = p
				}
				people = append(people, v)
			},
			"leave": func(t *rapid.T) {
				v := pick(t)
				if !r.remove(v.m, protocol.ReasonLeft) || r.remove(v.m, protocol.ReasonLeft) {
					t.Fatal("not removed exactly once")
				}
				for i := range people {
					if people[i] == v {
						people = append(people[:i], people[i+1:]...)
						break
					}
				}
			},
			"source": func(t *rapid.T) {
				r.setSource(pick(t).m, rapid.SampledFrom(protocol.Sources).Draw(t, "source"),
					rapid.SampledFrom([]protocol.SourceState{protocol.StateOff, protocol.StateLive, protocol.StateMuted}).Draw(t, "state"))
			},
			"connected": func(t *rapid.T) { r.setConnected(pick(t).m, rapid.Bool().Draw(t, "connected")) },
			"": func(t *rapid.T) {
				for _, v := range people {
					if len(v.view) != len(people)-1 {
						t.Fatalf("%s sees %d of %d others", v.m.id, len(v.view), len(people)-1)
					}
					for _, o := range people {
						if o != v && fmt.Sprint(v.view[o.m.id]) != fmt.Sprint(o.m.describe()) {
							t.Fatalf("%s sees %v, which is %v", v.m.id, v.view[o.m.id], o.m.describe())
						}
					}
				}
			},
		})
	})
}

func TestOutboxOrder(t *testing.T) {
	o := newOutbox(Limits{QueueMessages: 3, QueueBytes: 100})
	for _, m := range []string{"a", "b"} {
		o.put([]byte(m))
	}
	if !o.close(4400, "x") || o.close(4401, "y") {
		t.Error("the first reason does not stay")
	}
	o.put([]byte("too late"))
	for _, want := range []string{"a", "b"} {
		if m, end := o.next(); string(m) != want || end != nil {
			t.Errorf("%q, %v", m, end)
		}
	}
	if m, end := o.next(); m != nil || end == nil || end.code != 4400 {
		t.Errorf("%q, %v", m, end)
	}
}

func TestOutboxBounds(t *testing.T) {
	for name, l := range map[string]Limits{
		"messages": {QueueMessages: 2, QueueBytes: 100},
		"bytes":    {QueueMessages: 100, QueueBytes: 11},
	} {
		o := newOutbox(l)
		for range 2 {
			if !o.put(make([]byte, 5)) {
				t.Errorf("%s: full too early", name)
			}
		}
		if o.put(make([]byte, 5)) {
			t.Errorf("%s: holds more than it may", name)
		}
		if m, end := o.next(); m != nil || end == nil || end.code != protocol.CloseSlow {
			t.Errorf("%s: %q, %v", name, m, end)
		}
	}
}
