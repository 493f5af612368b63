package protocol_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const goldenDir = "../../testdata/protocol"

func readGolden(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every message of the registry has a golden file that decodes strictly and
// encodes to the same JSON again.
func TestGoldenRoundTrip(t *testing.T) {
	for _, m := range protocol.Messages {
		name := m.Type + "." + string(m.Kind) + ".json"
		t.Run(name, func(t *testing.T) {
			data := readGolden(t, name)
			decode := protocol.DecodeServerMessage
			if m.Kind == protocol.KindRequest {
				decode = protocol.DecodeRequest
			}
			env, body, perr := decode(data)
			if perr != nil {
				t.Fatal(perr)
			}
			if got := reflect.TypeOf(body).Elem(); got != m.Body {
				t.Fatalf("decoded a %v, want %v", got, m.Body)
			}
			if env.Body != nil {
				raw, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				env.Body = raw
			}
			again, err := json.Marshal(env)
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := json.Compact(&want, data); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, want.Bytes()) {
				t.Errorf("encodes to\n%s\nwant\n%s", again, want.Bytes())
			}
		})
	}
}

func TestGoldenRefusal(t *testing.T) {
	env, body, perr := protocol.DecodeServerMessage(readGolden(t, "error.reply.json"))
	if perr != nil || body != nil {
		t.Fatalf("body %v, refusal %v", body, perr)
	}
	want := protocol.Error{Code: protocol.CodeRateLimited, Message: "too many requests", Retryable: true, RetryAfterMillis: 250}
	if env.Error == nil || *env.Error != want {
		t.Errorf("got %+v, want %+v", env.Error, want)
	}
}
