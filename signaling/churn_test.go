package signaling

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Over real sockets, with connections lost at random moments on both sides:
// everybody gets every message exactly once and in order. The client of the
// test checks that event numbers have no gaps and no repeats.
func TestResumeUnderChurn(t *testing.T) {
	b := startServer(t)
	a := newCall(t)
	const people, rounds = 3, 400
	crowd := make([]*client, people)
	for i := range crowd {
		crowd[i] = b.client().login()
		crowd[i].create(a).join(a)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	// One outside sender, never dropped, numbers its messages to everybody.
	sender := b.client().login()
	sender.join(a)
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range uint64(rounds) {
			messages := make([]protocol.SealedMessage, 0, people)
			for _, c := range crowd {
				messages = append(messages, protocol.SealedMessage{To: c.self, Payload: binary.BigEndian.AppendUint64(nil, n)})
			}
			got, err := sender.try(protocol.TypeCallSend, protocol.CallSendRequest{Messages: messages})
			if err != nil || len(got.(*protocol.CallSendReply).Undelivered) > 0 {
				t.Errorf("message %d: %+v, %v", n, got, err)
				return
			}
		}
	})
	const drops = 60
	for range drops {
		c := crowd[rng.IntN(people)]
		time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond) // any moment is as good
		_ = c.ws.NetConn().Close()
		<-c.ended
		if !c.resume().Resumed {
			t.Fatal("not resumed")
		}
	}
	wg.Wait()
	for i, c := range crowd {
		must[protocol.PingReply](c, protocol.TypePing, protocol.PingRequest{})
		var next uint64
		c.mu.Lock()
		for _, e := range c.events {
			if m, ok := e.body.(*protocol.CallMessageEvent); ok {
				if got := binary.BigEndian.Uint64(m.Payload); got != next {
					t.Errorf("client %d: message %d, want %d", i, got, next)
				}
				next++
			}
		}
		c.mu.Unlock()
		if next != rounds {
			t.Errorf("client %d got %d of %d messages over %d drops", i, next, rounds, drops)
		}
	}
}
