package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const document = "docs/PROTOCOL.md"

// renderDocument fills the generated parts of the document, each between
// <!-- begin NAME --> and <!-- end NAME -->, and leaves the prose alone.
func renderDocument(root string, comments map[string]string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(document)))
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		"fields": fieldTables(comments), "codes": codeTable(comments),
		"close codes": closeTable(), "example": workedExample(),
	} {
		begin, end := []byte("<!-- begin "+name+" -->\n"), []byte("<!-- end "+name+" -->\n")
		before, rest, ok1 := bytes.Cut(text, begin)
		_, after, ok2 := bytes.Cut(rest, end)
		if !ok1 || !ok2 {
			return nil, fmt.Errorf("%s has no part %q", document, name)
		}
		text = bytes.Join([][]byte{before, begin, []byte(content), end, after}, nil)
	}
	return text, nil
}

func fieldTables(comments map[string]string) string {
	var b strings.Builder
	for _, s := range structs() {
		fmt.Fprintf(&b, "\n#### %s\n\n", s.Name)
		if doc := comments[s.Name]; doc != "" {
			fmt.Fprintf(&b, "%s\n\n", doc)
		}
		if len(s.Fields) == 0 {
			b.WriteString("No fields: the body may be left out.\n")
			continue
		}
		b.WriteString("| field | form | |\n|---|---|---|\n")
		for _, f := range s.Fields {
			name := "`" + f.Name + "`"
			if f.Optional {
				name += " (optional)"
			}
			meaning := comments[s.Name+"."+f.GoName]
			if rest, ok := strings.CutPrefix(meaning, f.GoName+" "); ok {
				meaning = "`" + f.Name + "` " + rest
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", name, form(f.Schema), meaning)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// form describes a schema in words.
func form(s *protocol.Schema) string {
	switch s.Shape {
	case protocol.ShapeObject:
		anchor := strings.ToLower(s.Name)
		if anchor == "limits" {
			anchor += "-1" // there is a chapter of that name before
		}
		return "[" + s.Name + "](#" + anchor + ")"
	case protocol.ShapeList:
		return "list of " + limits(s) + " " + form(s.Item)
	case protocol.ShapeMap:
		return "object: " + quoted(s.Values) + " → " + form(s.Item)
	case protocol.ShapeInteger:
		return "integer, " + limits(s)
	case protocol.ShapeBool:
		return "true or false"
	case protocol.ShapeText:
		return "text, " + limits(s) + " bytes"
	case protocol.ShapeASCII:
		return "printable ASCII, " + limits(s) + " bytes"
	case protocol.ShapeBytes:
		return "base64url of " + limits(s) + " bytes"
	case protocol.ShapeID:
		return "id"
	default:
		suffix := ""
		if s.Shape == protocol.ShapeOpen {
			suffix = ", or a newer word"
		}
		if len(s.Values) > 8 {
			return "one of the error codes" + suffix
		}
		return quoted(s.Values) + suffix
	}
}

func limits(s *protocol.Schema) string {
	if s.Min == s.Max {
		return strconv.FormatInt(s.Min, 10)
	}
	last := strconv.FormatInt(s.Max, 10)
	if s.Max == protocol.MaxInteger {
		last = "2^53-1"
	}
	return strconv.FormatInt(s.Min, 10) + " to " + last
}

func quoted(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

func codeTable(comments map[string]string) string {
	var b strings.Builder
	b.WriteString("| code | retryable | meaning |\n|---|---|---|\n")
	for _, c := range protocol.Codes {
		again := "no"
		if c.Retryable() {
			again = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c, again, comments[strconv.Quote(string(c))])
	}
	return b.String()
}

func closeTable() string {
	var b strings.Builder
	b.WriteString("| code | why | what the client does |\n|---|---|---|\n")
	for _, c := range protocol.CloseCodes {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", c.Code, c.Meaning, c.Action)
	}
	return b.String()
}

func workedExample() string {
	e := newExample()
	var b strings.Builder
	b.WriteString("```text\n")
	row := func(name string, v []byte) {
		text := hex.EncodeToString(v)
		for i := 0; i < len(text); i += 64 {
			fmt.Fprintf(&b, "%-20s %s\n", name, text[i:min(len(text), i+64)])
			name = ""
		}
	}
	row("device seed", sequence(0, 32))
	row("device key", e.aliceKey)
	row("device id", e.deviceRaw)
	fmt.Fprintf(&b, "%-20s %s\n", "  as text", e.device)
	row("challenge", e.challenge)
	fmt.Fprintf(&b, "%-20s %s\n", "host", exampleHost)
	row("login message", e.loginMessage)
	row("login signature", e.login)
	b.WriteString("\n")
	row("call secret", e.callSecret)
	row("admission seed", e.admissionSeed)
	row("admission key", e.admissionKey)
	row("call id", e.callRaw)
	fmt.Fprintf(&b, "%-20s %s\n", "  as text", e.call)
	fmt.Fprintf(&b, "%-20s https://%s/c/%s#%s\n", "link", exampleHost, e.call, id(e.callSecret))
	row("admission message", e.admissionMessage)
	row("admission signature", e.admission)
	b.WriteString("```\n")
	return b.String()
}
