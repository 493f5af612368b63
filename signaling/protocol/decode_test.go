package protocol_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func TestEveryMessageHasASchema(t *testing.T) {
	for _, m := range protocol.Messages {
		s := protocol.SchemaOf(m.Body) // panics on what cannot travel
		if s.Shape != protocol.ShapeObject || s.Name != m.Body.Name() {
			t.Errorf("%s %s: schema %+v", m.Type, m.Kind, s)
		}
		if m.Kind == protocol.KindRequest {
			if _, ok := protocol.Lookup(m.Type, protocol.KindReply); !ok {
				t.Errorf("%s has no reply", m.Type)
			}
		}
	}
}

// The constants of the package are all in its lists, which documentation and
// generated code are made from.
func TestListsAreComplete(t *testing.T) {
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range protocol.Codes {
		if !strings.Contains(string(source), `"`+string(code)+`"`) {
			t.Errorf("%s is listed but not declared", code)
		}
	}
	if n := strings.Count(string(source), " Code = \""); n != len(protocol.Codes) {
		t.Errorf("%d codes are declared, %d listed", n, len(protocol.Codes))
	}
	declared := 0
	for line := range strings.Lines(string(source)) {
		if strings.HasPrefix(strings.TrimSpace(line), "Close") {
			declared++
		}
	}
	private := 0
	for _, c := range protocol.CloseCodes {
		if c.Code >= 4000 {
			private++
		}
	}
	if declared != private {
		t.Errorf("%d close codes are declared, %d listed", declared, private)
	}
}

func TestDecodeRequestDepth(t *testing.T) {
	nested := func(n int) string {
		return `{"id":1,"type":"ping","body":{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}}`
	}
	// The envelope and the body are two levels.
	if _, _, err := protocol.DecodeRequest([]byte(nested(14))); err == nil || err.Code != protocol.CodeBadRequest {
		t.Errorf("at the limit: %v, want bad_request for the field", err)
	}
	for _, n := range []int{15, 1000, 1_000_000} {
		if _, _, err := protocol.DecodeRequest([]byte(nested(n))); err == nil || err.Code != protocol.CodeBadJSON {
			t.Errorf("%d deeper: %v, want bad_json", n, err)
		}
	}
	inText := `{"id":1,"type":"hello","body":{"client":"` + strings.Repeat("[{", 30) + `\"["}}`
	if _, _, err := protocol.DecodeRequest([]byte(inText)); err != nil {
		t.Errorf("brackets in a string: %v", err)
	}
}

// A refusal names the request if it can, tells the place, and never quotes.
func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		data    string
		id      uint64
		code    protocol.Code
		message string
	}{
		{`{"id":7,"type":"login","body":{"device_key":"AA","signature":"SECRET"}}`, 7, protocol.CodeBadRequest, "body.device_key: has fewer than 32 bytes"},
		{`{"id":7,"type":"call.send","body":{"messages":[{"to":"SECRET","payload":"AA"}]}}`, 7, protocol.CodeBadRequest, "body.messages[0].to: not an id (base64url of 16 bytes)"},
		{`{"id":7,"type":"ping","body":{"nick":1}}`, 7, protocol.CodeBadRequest, "body.nick: is not a known field"},
		{`{"id":7,"type":"ping","body":{"SECRET":1}}`, 7, protocol.CodeBadRequest, "body: has a field that is not known"},
		{`{"type":"ping","id":7,"SECRET":1}`, 7, protocol.CodeBadRequest, "message: has a field that is not known"},
		{`{"id":7,"type":"login","body":{"signature":"AA"}}`, 7, protocol.CodeBadRequest, "body.signature: has fewer than 64 bytes"},
		{`{"id":7,"type":"login"}`, 7, protocol.CodeBadRequest, "body.device_key: is missing"},
		{`{"id":7.0,"type":"ping"}`, 0, protocol.CodeBadRequest, "id: not an integer in range"},
		{`{"id":7,"type":"SECRET"}`, 7, protocol.CodeUnknownType, "no such request"},
		{`{"id":7,"type":"ping"`, 0, protocol.CodeBadJSON, "not JSON"},
	} {
		env, body, err := protocol.DecodeRequest([]byte(tc.data))
		if err == nil || env.ID != tc.id || err.Code != tc.code || err.Message != tc.message || body != nil {
			t.Errorf("%s: id %d, %v; want id %d, %s: %s", tc.data, env.ID, err, tc.id, tc.code, tc.message)
		}
	}
}

// A client takes a newer server's messages as far as it knows them.
func TestDecodeServerMessageIsLenient(t *testing.T) {
	env, body, err := protocol.DecodeServerMessage([]byte(`{"seq":4,"type":"moon.rises","body":{"deep":[{}]},"new":[1,{"a":2}]}`))
	if err != nil || body != nil || env.Seq != 4 {
		t.Errorf("an unknown event: %+v, %v, %v", env, body, err)
	}
	_, body, err = protocol.DecodeServerMessage([]byte(`{"re":1,"type":"call.create","body":{"created":true,"new":{"a":[1]},"expires_at":5}}`))
	if want := (&protocol.CallCreateReply{Created: true, ExpiresAt: 5}); err != nil || !reflect.DeepEqual(body, want) {
		t.Errorf("an unknown field: %+v, %v", body, err)
	}
	_, body, err = protocol.DecodeServerMessage([]byte(`{"seq":1,"type":"participant.left","body":{"participant":"AAAAAAAAAAAAAAAAAAAAAA","reason":"abducted"}}`))
	if err != nil || body.(*protocol.ParticipantLeftEvent).Reason != "abducted" {
		t.Errorf("an unknown reason: %+v, %v", body, err)
	}
	for _, bad := range []string{
		`{"type":"ping"}`, `{"re":1,"seq":1,"type":"ping"}`, `{"id":1,"re":1,"type":"ping"}`, `{"re":1,"type":"moon.rises"}`,
		`{"seq":1,"type":"media.failed","body":{"reason":"` + strings.Repeat("x", 201) + `"}}`,
		`{"seq":1,"error":{"code":"x","message":"","retryable":true}}`,
		`{"re":1,"error":{"code":"<b>","message":"","retryable":true}}`,
		strings.Repeat(" ", protocol.MaxServerMessage) + `{}`,
	} {
		if env, body, err := protocol.DecodeServerMessage([]byte(bad)); err == nil {
			t.Errorf("%.60s was taken for %+v, %+v", bad, env, body)
		}
	}
}

func TestBytesAreStrict(t *testing.T) {
	for _, bad := range []string{`"AA=="`, `"AB"`, `"A"`, `"AA\n"`, `"A+/A"`, `"é"`, `1`} {
		var b protocol.Bytes
		if err := json.Unmarshal([]byte(bad), &b); err == nil {
			t.Errorf("%s was taken for %x", bad, b)
		}
	}
	for n := range 70 {
		in := make(protocol.Bytes, n)
		for i := range in {
			in[i] = byte(255 - i)
		}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out protocol.Bytes
		if err := json.Unmarshal(data, &out); err != nil || string(out) != string(in) {
			t.Errorf("%x came back as %x, %v", in, out, err)
		}
	}
}

func addGoldens(f *testing.F) {
	names, err := filepath.Glob(filepath.Join(goldenDir, "*.json"))
	if err != nil || len(names) == 0 {
		f.Fatal("no golden messages")
	}
	for _, name := range names {
		f.Add(readGolden(f, filepath.Base(name)))
	}
	for _, s := range []string{``, `{}`, `{"id":1,"type":"ping","body":null}`, `{"id":1,"id":1}`, `[[[[`, `{"id":9007199254740992}`} {
		f.Add([]byte(s))
	}
}

// What decodes is valid by its schema: encoded again, it decodes to the same.
func FuzzDecodeRequest(f *testing.F) {
	addGoldens(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkDecoder(t, data, protocol.DecodeRequest)
	})
}

// FuzzDecodeServerMessage is the same for what clients receive.
func FuzzDecodeServerMessage(f *testing.F) {
	addGoldens(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		checkDecoder(t, data, protocol.DecodeServerMessage)
	})
}

func checkDecoder(t *testing.T, data []byte, decode func([]byte) (protocol.Envelope, any, *protocol.Error)) {
	env, body, refusal := decode(data)
	if refusal != nil {
		if body != nil || refusal.Code == "" || refusal.Message == "" || !utf8.ValidString(refusal.Message) || len(refusal.Message) > 200 {
			t.Fatalf("refused with %+v, body %v", refusal, body)
		}
		return
	}
	if body == nil {
		return // a refusal or an event of a newer server
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	env.Body = raw
	again, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	env2, body2, refusal := decode(again)
	if refusal != nil {
		t.Fatalf("%s was taken, but %s is refused: %v", data, again, refusal)
	}
	if !reflect.DeepEqual(body, body2) || env.ID != env2.ID || env.Re != env2.Re || env.Seq != env2.Seq || env.Type != env2.Type {
		t.Fatalf("%s decodes to %+v and then to %+v", data, body, body2)
	}
}
