package call_test

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// printer is a media side that only tells what it is asked to do.
type printer string

func (p printer) Install(kid uint64, _ []byte, _ identity.ID) error {
	if call.ContextOf(kid) == call.Camera {
		fmt.Println(p, "can open the other's camera")
	}
	return nil
}
func (p printer) Remove(uint64)                           {}
func (p printer) Send(call.Context, uint64, []byte) error { return nil }
func (p printer) Roster(list []call.Member) {
	for _, m := range list {
		if m.HasKey {
			fmt.Println(p, "sees", m.Name)
		}
	}
}

// Two people meet. The loop plays server and clock.
func Example() {
	secret, err := call.NewSecret(rand.Reader) // from the founder, or from a link
	if err != nil {
		panic(err)
	}
	now := time.Now()
	ids := []identity.ID{{1}, {2}} // drawn by the server
	names := []string{"Alice", "Bob"}
	var sessions []*call.Session
	var mail []call.Message
	var from []identity.ID
	take := func(i int, o call.Output) {
		if err := o.Apply(printer(names[i])); err != nil {
			panic(err)
		}
		for _, m := range o.Messages {
			mail, from = append(mail, m), append(from, ids[i])
		}
	}
	for i := range ids {
		s, err := call.NewSession(call.Config{Secret: secret, Self: ids[i], Name: names[i], Rand: rand.Reader})
		if err != nil {
			panic(err)
		}
		sessions = append(sessions, s)
		take(i, s.Joined(ids[1-i], now))
	}
	for range 10 { // 10 ms each
		now = now.Add(10 * time.Millisecond)
		delivery, senders := mail, from
		mail, from = nil, nil
		for n, m := range delivery {
			to := int(m.To[0]) - 1
			take(to, sessions[to].Message(senders[n], m.Payload, now))
		}
		for i, s := range sessions {
			take(i, s.Tick(now))
		}
	}
	// Unordered output:
	// Alice can open the other's camera
	// Alice sees Bob
	// Bob can open the other's camera
	// Bob sees Alice
}
