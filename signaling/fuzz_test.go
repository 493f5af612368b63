package signaling

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// goldenRequests are one good example of every request.
func goldenRequests(t testing.TB) [][]byte {
	t.Helper()
	names, err := filepath.Glob("../testdata/protocol/*.request.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden requests: %v", err)
	}
	var out [][]byte
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, bytes.ReplaceAll(data, []byte("\n"), nil))
	}
	return out
}

// FuzzSession feeds lines of input as messages to a connection that is logged
// in and in a call. Every message gets exactly one answer, which decodes, and
// no event reaches the other participant that does not decode.
func FuzzSession(f *testing.F) {
	all := goldenRequests(f)
	for _, data := range all {
		f.Add(data)
	}
	f.Add(bytes.Join(all, []byte("\n")))
	f.Add([]byte("{\"id\":1,\"type\":\"call.leave\"}\n{\"id\":1,\"type\":\"call.leave\"}\n{"))
	b := startServer(f, func(c *Config) {
		c.Timing.Sweep = time.Hour
		c.Limits.Strikes, c.Limits.MessageBurst, c.Limits.InFlight = 1<<20, 1<<20, 1<<10
	})
	f.Fuzz(func(t *testing.T, input []byte) {
		call := newCall(t)
		mallory, victim := seated(t, b, call), seated(t, b, call)
		defer b.detach(mallory.bound(), mallory, true)
		defer b.detach(victim.bound(), victim, true)
		answers(t, mallory)
		answers(t, victim)
		for line := range bytes.SplitSeq(input, []byte("\n")) {
			if len(line) > b.cfg.Limits.MessageBytes {
				continue // the socket's read limit is before this
			}
			mallory.receive(1, line, b.clock.Now())
			for len(mallory.queue) > 0 {
				mallory.carryOut(<-mallory.queue)
			}
			if n := answers(t, mallory); n != 1 {
				t.Fatalf("%q got %d answers", line, n)
			}
			answers(t, victim)
		}
		if b.Metrics().Panics != 0 {
			t.Fatal(b.logs.String())
		}
	})
}

// seated makes a connection without a socket whose session is in a call.
func seated(t *testing.T, b *bench, a aCall) *conn {
	c := newConn(b.Server, nil, "call.example.org")
	c.greeted.Store(true)
	device := newDevice(t)
	ss := &session{
		id: protocol.SessionID(drawID()), device: protocol.DeviceID(device.ID().String()), key: protocol.Bytes(device.PublicKey()),
		stream: newStream(b.cfg.Limits), challenges: challenges{limit: 1, lifetime: time.Minute},
	}
	b.hub.addSession(ss)
	work := &call{request: &request{conn: c, env: protocol.Envelope{ID: 1, Type: protocol.TypeLogin}}, server: b.Server, session: ss}
	if !work.take(ss, 0, false) {
		t.Fatal("no session")
	}
	work.env.Type = protocol.TypeCallJoin
	if refusal := work.takeSeat(a.id, a.create().AdmissionKey); refusal != nil {
		t.Fatal(refusal)
	}
	return c
}

// answers empties the outbox and counts what is not an event.
func answers(t *testing.T, c *conn) (n int) {
	for {
		message, end := c.out.next()
		if end != nil {
			t.Fatalf("hung up with %d", end.code)
		}
		if message == nil {
			return n
		}
		env, _, perr := protocol.DecodeServerMessage(message)
		if perr != nil {
			t.Fatalf("sent %s: %v", message, perr)
		}
		if env.Seq == 0 {
			n++
		}
	}
}
