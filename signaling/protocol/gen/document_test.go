package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

func readDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every message, code and close code is in the document. The tables are
// generated; the chapter on all messages is written by hand.
func TestDocumentIsComplete(t *testing.T) {
	text := readDocument(t)
	for _, m := range protocol.Messages {
		row := "| `" + m.Type + "` |"
		if m.Kind != protocol.KindReply && !strings.Contains(text, row) {
			t.Errorf("no row %s", row)
		}
		if !strings.Contains(text, "\n#### "+m.Body.Name()+"\n") {
			t.Errorf("no fields of %s", m.Body.Name())
		}
	}
	for _, c := range protocol.Codes {
		if !strings.Contains(text, "| `"+string(c)+"` |") {
			t.Errorf("no row for error %s", c)
		}
	}
	for line := range strings.Lines(codeTable(mustComments(t))) {
		if strings.Contains(line, "|  |") {
			t.Errorf("a code without a meaning: %s", line)
		}
	}
}

func mustComments(t *testing.T) map[string]string {
	t.Helper()
	comments, err := readComments(filepath.Join(root, sourceDir))
	if err != nil {
		t.Fatal(err)
	}
	return comments
}

// The transcript is of a real run: each line must still be a message.
func TestTranscript(t *testing.T) {
	_, rest, ok := strings.Cut(readDocument(t), "<!-- transcript -->\n```text\n")
	transcript, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatal("no transcript")
	}
	seen := map[string]bool{}
	for line := range strings.Lines(transcript) {
		arrow, message, _ := strings.Cut(strings.TrimSpace(line), " ")
		var env protocol.Envelope
		var refusal *protocol.Error
		switch arrow {
		case "→":
			env, _, refusal = protocol.DecodeRequest([]byte(message))
		case "←":
			env, _, refusal = protocol.DecodeServerMessage([]byte(message))
		case "!":
			continue
		default:
			t.Errorf("neither side says %q", line)
		}
		if refusal != nil {
			t.Errorf("%s: %v", line, refusal)
		}
		seen[arrow+env.Type] = true
	}
	for _, m := range protocol.Messages {
		arrow := map[protocol.Kind]string{protocol.KindRequest: "→", protocol.KindReply: "←", protocol.KindEvent: "←"}[m.Kind]
		switch m.Type {
		case protocol.TypeMediaRestart, protocol.TypeCallLeave, protocol.TypeMediaFailed, protocol.TypeServerShutdown:
			continue // not part of a session that goes well
		}
		if !seen[arrow+m.Type] {
			t.Errorf("the transcript shows no %s %s", m.Type, m.Kind)
		}
	}
}

// The worked example, made with the standard library alone, agrees with the
// package that clients and server use.
func TestExampleAgreesWithIdentity(t *testing.T) {
	e := newExample()
	if err := identity.VerifyLogin(e.challenge, []byte(e.aliceKey), exampleHost, e.login); err != nil {
		t.Errorf("login: %v", err)
	}
	call, err := identity.ParseID(string(e.call))
	if err != nil {
		t.Fatal(err)
	}
	if err := identity.VerifyAdmission(call, []byte(e.admissionKey), e.challenge, []byte(e.aliceKey), e.admission); err != nil {
		t.Errorf("admission: %v", err)
	}
	if got := identity.DeviceID([]byte(e.aliceKey)).String(); got != string(e.device) {
		t.Errorf("device id %s, want %s", got, e.device)
	}
}
