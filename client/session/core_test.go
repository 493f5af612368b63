package session

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const (
	idA = protocol.SessionID("AAAAAAAAAAAAAAAAAAAAAA")
	idB = protocol.SessionID("BBBBBBBBBBBBBBBBBBBBBA")
)

func encode(t interface{ Fatal(...any) }, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func replyTo(t interface{ Fatal(...any) }, re uint64, typ string, body any) []byte {
	return encode(t, protocol.Envelope{Re: re, Type: typ, Body: encode(t, body)})
}

func eventOf(t interface{ Fatal(...any) }, seq uint64) []byte {
	return encode(t, protocol.Envelope{
		Seq: seq, Type: protocol.TypeServerShutdown, Body: encode(t, protocol.ServerShutdownEvent{ReconnectMillis: int(seq)}),
	})
}

// outcome is what a request ended with; calls counts, because it must be once.
type outcome struct {
	calls int
	body  any
	err   error
}

func (o *outcome) done(body any, err error) { o.calls, o.body, o.err = o.calls+1, body, err }

func TestCoreReplies(t *testing.T) {
	for _, tc := range []struct {
		name   string
		frame  string
		code   Code // of the request's outcome; "" for success
		broken bool // the connection is to be given up
		open   bool // the request still waits
	}{
		{"success", `{"re":1,"type":"ping","body":{}}`, "", false, false},
		{"refusal", `{"re":1,"type":"ping","error":{"code":"internal","message":"x","retryable":true}}`, "internal", false, false},
		{"refusal of a code not known yet", `{"re":1,"type":"ping","error":{"code":"brand_new","message":"x","retryable":false}}`, "brand_new", false, false},
		{"rate limited", `{"re":1,"type":"ping","error":{"code":"rate_limited","message":"x","retryable":true,"retry_after_ms":70}}`, "", false, true},
		{"another type", `{"re":1,"type":"login","body":{"device":"AAAAAAAAAAAAAAAAAAAAAA","session":"AAAAAAAAAAAAAAAAAAAAAA","resumed":true}}`, CodeProtocol, true, false},
		{"to nobody", `{"re":9,"type":"ping","body":{}}`, "", false, true},
		{"about nothing", `{"error":{"code":"bad_json","message":"x","retryable":false}}`, "", true, true},
		{"not JSON", `{"re":1`, "", true, true},
		{"a request", `{"id":1,"type":"ping","body":{}}`, "", true, true},
		{"reply and event", `{"re":1,"seq":1,"type":"ping","body":{}}`, "", true, true},
		{"a body that does not fit", `{"re":1,"type":"hello","body":{"server":5}}`, "", true, true},
	} {
		c := newCore()
		var o outcome
		if _, err := c.request(protocol.TypePing, protocol.PingRequest{}, false, o.done); err != nil {
			t.Fatal(err)
		}
		_, err := c.receive([]byte(tc.frame))
		if (err != nil) != tc.broken || err != nil && CodeOf(err) != CodeProtocol {
			t.Errorf("%s: %v", tc.name, err)
		}
		if (o.calls == 0) != tc.open || o.calls > 1 {
			t.Errorf("%s: answered %d times", tc.name, o.calls)
		}
		if CodeOf(o.err) != tc.code {
			t.Errorf("%s: %v, want %q", tc.name, o.err, tc.code)
		}
	}
}

func TestCoreRateLimitGivesUp(t *testing.T) {
	c := newCore()
	var o outcome
	if _, err := c.request(protocol.TypePing, protocol.PingRequest{}, false, o.done); err != nil {
		t.Fatal(err)
	}
	limited := encode(t, protocol.Envelope{Re: 1, Type: protocol.TypePing, Error: &protocol.Error{
		Code: protocol.CodeRateLimited, Retryable: true, RetryAfterMillis: 3_600_000,
	}})
	retries := 0
	for o.calls == 0 && retries < 100 {
		r, err := c.receive(limited)
		if err != nil {
			t.Fatal(err)
		}
		if r.retry != nil {
			retries++
			if r.retry.afterMillis > 10_000 {
				t.Fatalf("told to wait %d ms, and would", r.retry.afterMillis)
			}
		}
	}
	if retries != maxTries || CodeOf(o.err) != Code(protocol.CodeRateLimited) {
		t.Errorf("%d retries, %v", retries, o.err)
	}
}

func TestCorePendingIsBounded(t *testing.T) {
	c := newCore()
	var err error
	n := 0
	for ; err == nil && n < 10*maxPending; n++ {
		_, err = c.request(protocol.TypePing, protocol.PingRequest{}, false, func(any, error) {})
	}
	if n != maxPending+1 || CodeOf(err) != CodeProtocol {
		t.Errorf("%d requests, %v", n, err)
	}
}

func TestCoreResume(t *testing.T) {
	c := newCore()
	var kept, once, lost outcome
	if _, err := c.opened(&protocol.LoginReply{Session: idA}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		once bool
		o    *outcome
	}{{false, &kept}, {true, &once}} {
		if _, err := c.request(protocol.TypePing, protocol.PingRequest{}, r.once, r.o.done); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.receive(eventOf(t, 1)); err != nil {
		t.Fatal(err)
	}
	c.dropped()
	if once.calls != 1 || CodeOf(once.err) != CodeUnreachable || kept.calls != 0 {
		t.Errorf("after the drop: %+v, %+v", once, kept)
	}
	if r := c.resume(); r == nil || r.Session != idA || r.LastSeq != 1 {
		t.Errorf("resume %+v", r)
	}
	// Resumed: what waits is sent again; the session it claims must be ours.
	if _, err := c.opened(&protocol.LoginReply{Session: idB, Resumed: true}); CodeOf(err) != CodeProtocol {
		t.Errorf("another session resumed: %v", err)
	}
	frames, err := c.opened(&protocol.LoginReply{Session: idA, Resumed: true})
	if err != nil || len(frames) != 1 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	if _, err := c.receive(replyTo(t, 1, protocol.TypePing, protocol.PingReply{})); err != nil || kept.calls != 1 || kept.err != nil {
		t.Errorf("%v, %+v", err, kept)
	}
	// Forgotten: what waits has failed, and events count from one again.
	if _, err := c.request(protocol.TypePing, protocol.PingRequest{}, false, lost.done); err != nil {
		t.Fatal(err)
	}
	epoch := c.epoch
	if frames, err = c.opened(&protocol.LoginReply{Session: idB}); err != nil || len(frames) != 0 {
		t.Errorf("%d frames, %v", len(frames), err)
	}
	if CodeOf(lost.err) != CodeSessionLost || c.epoch != epoch+1 {
		t.Errorf("%+v, epoch %d", lost, c.epoch)
	}
	if r, err := c.receive(eventOf(t, 1)); err != nil || r.event == nil {
		t.Errorf("the new session's first event: %+v, %v", r, err)
	}
}

// Whatever is dropped and repeated: events come out once each and in order, and a
// hole is noticed before anything after it comes out.
func TestCoreEventOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCore()
		var got []int
		next := uint64(1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			seq := uint64(max(1, int(next)+rapid.IntRange(-3, 2).Draw(t, "step")))
			r, err := c.receive(eventOf(t, seq))
			if (err != nil) != (seq > next) {
				t.Fatalf("event %d where %d is next: %v", seq, next, err)
			}
			if r.event != nil {
				got = append(got, r.event.body.(*protocol.ServerShutdownEvent).ReconnectMillis)
				next++
			}
		}
		for i, n := range got {
			if n != i+1 {
				t.Fatalf("order %v", got)
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	var got []string
	for n := range 7 {
		got = append(got, fmt.Sprint(backoff(n, 0.5)))
	}
	if want := []string{"100ms", "200ms", "400ms", "800ms", "1s", "1s", "1s"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if lo, hi := backoff(9, 0), backoff(9, 0.999); lo != 800*time.Millisecond || hi > 1200*time.Millisecond {
		t.Errorf("%v to %v", lo, hi)
	}
}

func TestEndpoints(t *testing.T) {
	for _, tc := range []struct {
		in, host string
		secure   bool
		loopback bool
		code     Code
	}{
		{"https://Call.Example.org", "call.example.org", true, false, ""},
		{" https://call.example.org:443/c/x#y ", "call.example.org", true, false, ""},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", false, true, ""},
		{"https://[::1]:8443", "[::1]:8443", true, true, ""},
		{"https://[::1]", "[::1]", true, true, ""},
		{"https://localhost", "localhost", true, true, ""},
		{"https://a.localhost:1", "a.localhost:1", true, true, ""},
		{"https://localhost.example.org", "localhost.example.org", true, false, ""},
		{"https://128.0.0.1", "128.0.0.1", true, false, ""},
		{"call.example.org", "", false, false, CodeBadURL},
		{"https://user@host", "", false, false, CodeBadURL},
		{"https://", "", false, false, CodeBadURL},
		{"https://a b", "", false, false, CodeBadURL},
	} {
		e, err := ParseEndpoint(tc.in)
		if CodeOf(err) != tc.code || e.Host != tc.host {
			t.Errorf("%q: %+v, %v", tc.in, e, err)
			continue
		}
		if err == nil && (e.Secure != tc.secure || e.Loopback() != tc.loopback) {
			t.Errorf("%q: %+v, loopback %v", tc.in, e, e.Loopback())
		}
	}
}

// FuzzReceive feeds a session's bookkeeping with what a hostile server might say.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"re":1,"type":"ping","body":{}}`), []byte(`{"seq":1,"type":"server.shutdown","body":{"reconnect_ms":5}}`))
	f.Add([]byte(`{"seq":1,"type":"participant.left","body":{"participant":"AAAAAAAAAAAAAAAAAAAAAA","reason":"left"}}`), []byte(`{"seq":3,"type":"x"}`))
	f.Add([]byte(`{"error":{"code":"bad_json","message":"","retryable":false}}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		c := newCore()
		var o outcome
		if _, err := c.request(protocol.TypePing, protocol.PingRequest{}, false, o.done); err != nil {
			t.Fatal(err)
		}
		events := 0
		for _, frame := range [][]byte{a, b, a} {
			r, err := c.receive(frame)
			if err != nil && (CodeOf(err) != CodeProtocol || r.event != nil || r.retry != nil) {
				t.Fatalf("%v, %+v", err, r)
			}
			if r.event != nil {
				events++
			}
		}
		if uint64(events) != c.lastSeq || o.calls > 1 {
			t.Fatalf("%d events, last %d, answered %d times", events, c.lastSeq, o.calls)
		}
	})
}
