package signaling

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	hostileMessages    = 10_000
	hostileConnections = 6
)

// TestHostileClients sends ten thousand malformed, oversized, out-of-order and
// repeated messages over several connections, while another call goes on. Every
// one is answered, with a known code if it is refused, or the connection is
// closed with a code that says why; the call is undisturbed, memory stays
// flat, and nothing is left running.
func TestHostileClients(t *testing.T) {
	b := startServer(t, func(c *Config) {
		c.Now = time.Now
		c.Limits = Limits{ConnectionsPerIP: 1000, CreateBurst: 1 << 20}
		c.Timing = Timing{Resume: 500 * time.Millisecond}
	})
	call := startUndisturbedCall(t, b)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tally := &tally{refusals: map[protocol.Code]int{}, closes: map[int]int{}}
	before := runtime.NumGoroutine()
	var heap [2]uint64
	for half := range heap { // the first half warms up
		var wg sync.WaitGroup
		for i := range hostileConnections {
			rng := rand.New(rand.NewPCG(seed, uint64(half*100+i)))
			a := &attacker{t: t, b: b, rng: rng, goldens: goldenRequests(t), tally: tally}
			wg.Go(func() { a.run((hostileMessages/2 + hostileConnections - 1) / hostileConnections) })
		}
		wg.Wait()
		eventually(t, "the attackers are gone", func() bool { return b.Metrics().Connections == 2 && b.Metrics().Sessions == 2 })
		heap[half] = heapInUse()
	}
	call.stop()

	if n := tally.sent.Load(); n < hostileMessages {
		t.Errorf("only %d messages were sent", n)
	}
	if heap[1] > heap[0]+4<<20 {
		t.Errorf("the heap grew from %d to %d KiB", heap[0]>>10, heap[1]>>10)
	}
	eventually(t, "no goroutine is left over", func() bool { return runtime.NumGoroutine() <= before+2 })
	for _, code := range []protocol.Code{
		protocol.CodeBadJSON, protocol.CodeBadRequest, protocol.CodeUnknownType, protocol.CodeNotReady,
		protocol.CodeAlreadyDone, protocol.CodeBadSignature, protocol.CodeDuplicateID, protocol.CodeTooLarge,
	} {
		if tally.refusals[code] == 0 {
			t.Errorf("nothing was refused with %s", code)
		}
	}
	for _, code := range []int{websocket.CloseMessageTooBig, protocol.CloseProtocol, protocol.CloseUnauthorized} {
		if tally.closes[code] == 0 {
			t.Errorf("no connection was closed with %d", code)
		}
	}
	if n := b.Metrics().Panics; n != 0 {
		t.Errorf("%d bugs were hit:\n%s", n, b.logs)
	}
	t.Logf("%d messages sent, %d answered well, refused %v, closed %v; heap %d → %d KiB; the other call: %d messages, slowest %v",
		tally.sent.Load(), tally.fine, tally.refusals, tally.closes, heap[0]>>10, heap[1]>>10, call.delivered, call.slowest)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // sync.Pool lets go at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// undisturbedCall is a call of two that must not notice anything.
type undisturbedCall struct {
	stopping  atomic.Bool
	done      chan struct{}
	delivered int
	slowest   time.Duration
}

func (u *undisturbedCall) stop() {
	u.stopping.Store(true)
	<-u.done
}

func startUndisturbedCall(t *testing.T, b *bench) *undisturbedCall {
	alice, bob, _ := b.pair()
	u := &undisturbedCall{done: make(chan struct{})}
	go func() {
		defer close(u.done)
		for ; !u.stopping.Load(); u.delivered++ {
			start := time.Now()
			payload := binary.BigEndian.AppendUint64(nil, uint64(u.delivered))
			ch := alice.start(protocol.TypeCallSend, protocol.CallSendRequest{Messages: []protocol.SealedMessage{{To: bob.self, Payload: payload}}})
			select {
			case r := <-ch:
				if r.err != nil {
					t.Errorf("the other call: %v", r.err)
					return
				}
			case <-time.After(patience):
				t.Error("the other call stands still")
				return
			}
			for got := false; !got; time.Sleep(100 * time.Microsecond) {
				bob.mu.Lock()
				if got = len(bob.events) > bob.seen; got {
					m, ok := bob.events[bob.seen].body.(*protocol.CallMessageEvent)
					if !ok || !bytes.Equal(m.Payload, payload) {
						t.Errorf("the other call got %+v", bob.events[bob.seen])
					}
					bob.events, bob.seen = nil, 0
				}
				bob.mu.Unlock()
				if time.Since(start) > patience {
					t.Error("a message of the other call was not delivered")
					return
				}
			}
			u.slowest = max(u.slowest, time.Since(start))
			time.Sleep(25 * time.Millisecond) // within the rate of a well-behaved client
		}
		if alice.code() != 0 || bob.code() != 0 {
			t.Errorf("the other call was cut: %d, %d", alice.code(), bob.code())
		}
	}()
	return u
}

type tally struct {
	sent     atomic.Int64
	mu       sync.Mutex
	fine     int
	refusals map[protocol.Code]int
	closes   map[int]int
}

// attacker is one hostile client.
type attacker struct {
	t       *testing.T
	b       *bench
	rng     *rand.Rand
	goldens [][]byte
	tally   *tally
	ws      *websocket.Conn
	last    []byte
}

func (a *attacker) run(messages int) {
	for messages > 0 {
		a.connect()
		// One connection sends in bursts until it is closed, or it has enough.
		for quota := min(messages, 50+a.rng.IntN(300)); quota > 0; {
			n := min(quota, 1+a.rng.IntN(20))
			sent, open := a.burst(n)
			messages -= sent
			quota -= sent
			if !open {
				break
			}
		}
		_ = a.ws.Close()
	}
}

// connect opens a connection, as far as the attacker cares to come: greeted,
// logged in, or in a call of its own.
func (a *attacker) connect() {
	c := newClient(a.t, a.b.url)
	ws, _, err := (&websocket.Dialer{Subprotocols: []string{protocol.Subprotocol}}).Dial(c.url, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.ws = ws
	id := uint64(1 << 40)
	ask := func(name string, body any) protocol.Envelope {
		raw, _ := json.Marshal(body)
		id++
		data, _ := json.Marshal(protocol.Envelope{ID: id, Type: name, Body: raw})
		if err := ws.WriteMessage(websocket.TextMessage, data); err != nil {
			a.t.Fatal(err)
		}
		_, data, err := ws.ReadMessage()
		if err != nil {
			a.t.Fatal(err)
		}
		env, _, perr := protocol.DecodeServerMessage(data)
		if perr != nil || env.Error != nil {
			a.t.Fatalf("%s: %v, %v", name, perr, env.Error)
		}
		return env
	}
	far := a.rng.IntN(6)
	if far == 0 {
		return
	}
	var h protocol.HelloReply
	_ = json.Unmarshal(ask(protocol.TypeHello, protocol.HelloRequest{Client: "evil"}).Body, &h)
	if far == 1 {
		return
	}
	ask(protocol.TypeLogin, c.loginRequest(h.Challenge))
	if far == 2 {
		return
	}
	own := newCall(a.t)
	ask(protocol.TypeCallCreate, own.create())
	var ch protocol.CallChallengeReply
	_ = json.Unmarshal(ask(protocol.TypeCallLookup, protocol.CallChallengeRequest{Call: own.id}).Body, &ch)
	ask(protocol.TypeCallJoin, protocol.CallJoinRequest{Call: own.id, Signature: signAdmission(a.t, own, ch.Challenge, c)})
}

// burst sends messages and then reads as many answers. It reports how many
// were sent and whether the connection is still open.
func (a *attacker) burst(n int) (sent int, open bool) {
	for range n {
		kind, data := a.message()
		_ = a.ws.SetWriteDeadline(time.Now().Add(patience))
		if err := a.ws.WriteMessage(kind, data); err != nil {
			break // closed on us: reading tells why
		}
		a.tally.sent.Add(1)
		sent++
	}
	for answered := 0; answered < sent; {
		_ = a.ws.SetReadDeadline(time.Now().Add(patience))
		_, data, err := a.ws.ReadMessage()
		if err != nil {
			a.ended(err)
			return sent, false
		}
		env, _, perr := protocol.DecodeServerMessage(data)
		if perr != nil {
			a.t.Errorf("the server sent %s: %v", data, perr)
		}
		if env.Seq != 0 {
			continue
		}
		answered++
		a.tally.mu.Lock()
		if env.Error == nil {
			a.tally.fine++
		} else if !slices.Contains(protocol.Codes, env.Error.Code) || env.Error.Message == "" {
			a.t.Errorf("refused with %+v", env.Error)
		} else {
			a.tally.refusals[env.Error.Code]++
		}
		a.tally.mu.Unlock()
	}
	return sent, true
}

func (a *attacker) ended(err error) {
	code := -1
	if ce, ok := err.(*websocket.CloseError); ok {
		code = ce.Code
	}
	known := false
	for _, c := range protocol.CloseCodes {
		known = known || c.Code == code
	}
	if !known {
		a.t.Errorf("the connection ended with %v", err)
	}
	a.tally.mu.Lock()
	a.tally.closes[code]++
	a.tally.mu.Unlock()
}

// message makes up the next message.
func (a *attacker) message() (kind int, data []byte) {
	golden := a.goldens[a.rng.IntN(len(a.goldens))]
	kind = websocket.TextMessage
	switch a.rng.IntN(18) {
	case 0: // noise
		data = make([]byte, a.rng.IntN(200))
		for i := range data {
			data[i] = byte(a.rng.Uint32())
		}
	case 1: // cut short
		data = golden[:a.rng.IntN(len(golden))]
	case 2, 3: // a few bytes changed
		data = bytes.Clone(golden)
		for range 1 + a.rng.IntN(4) {
			data[a.rng.IntN(len(data))] = byte(0x20 + a.rng.IntN(0x60))
		}
	case 4: // the same again, or what came before
		data = a.last
		if data == nil {
			data = golden
		}
	case 5: // deep
		data = []byte(fmt.Sprintf(`{"id":1,"type":"ping","body":%s}`, strings.Repeat(`{"a":[`, 1+a.rng.IntN(2000))))
	case 6: // of no or strange type
		data = []byte(fmt.Sprintf(`{"id":%d,"type":%q}`, 1+a.rng.IntN(100), strings.Repeat("x", a.rng.IntN(50))))
	case 7: // large, rarely too large
		size := a.rng.IntN(20_000)
		if a.rng.IntN(10) == 0 {
			size = 256<<10 + a.rng.IntN(1<<20)
		}
		data = append([]byte(`{"id":5,"type":"hello","body":{"client":"`), bytes.Repeat([]byte("y"), size)...)
		data = append(data, `"}}`...)
	case 8:
		kind, data = websocket.BinaryMessage, golden
	default: // good in itself, at the wrong time and with any id
		var env protocol.Envelope
		if err := json.Unmarshal(golden, &env); err != nil {
			a.t.Fatal(err)
		}
		env.ID = 1 + a.rng.Uint64N(5)
		data, _ = json.Marshal(env)
	}
	a.last = data
	return kind, data
}
