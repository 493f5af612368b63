package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"unicode/utf8"
)

// fieldError tells where a message breaks its schema. It never quotes the
// value: what a peer sent does not belong in logs.
type fieldError struct {
	path    string
	problem string
	tooBig  bool
}

func (e *fieldError) Error() string { return e.path + ": " + e.problem }

func (e *fieldError) under(name string) *fieldError {
	switch {
	case e.path == "" || e.path[0] == '[':
		e.path = name + e.path
	default:
		e.path = name + "." + e.path
	}
	return e
}

func wrong(problem string) *fieldError  { return &fieldError{problem: problem} }
func tooBig(problem string) *fieldError { return &fieldError{problem: problem, tooBig: true} }

// validate walks one JSON value along its schema. With strict set, a field the
// schema does not know is refused; otherwise it is skipped, as a client must
// do with what a newer server adds. Keys match exactly and come once.
func validate(data []byte, s *Schema, strict bool) *fieldError {
	if !json.Valid(data) {
		return wrong("not JSON")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return walk(dec, s, strict)
}

func walk(dec *json.Decoder, s *Schema, strict bool) *fieldError {
	tok, err := dec.Token()
	if err != nil {
		return wrong("not JSON")
	}
	switch s.Shape {
	case ShapeObject:
		return walkObject(dec, tok, s, strict)
	case ShapeMap:
		return walkMap(dec, tok, s, strict)
	case ShapeList:
		return walkList(dec, tok, s, strict)
	case ShapeBool:
		if _, ok := tok.(bool); !ok {
			return wrong("not true or false")
		}
		return nil
	case ShapeInteger:
		n, ok := tok.(json.Number)
		if !ok {
			return wrong("not a number")
		}
		return checkInteger(string(n), s)
	default:
		text, ok := tok.(string)
		if !ok {
			return wrong("not a string")
		}
		return checkText(text, s)
	}
}

func walkObject(dec *json.Decoder, tok json.Token, s *Schema, strict bool) *fieldError {
	if tok != json.Delim('{') {
		return wrong("not an object")
	}
	seen := make([]bool, len(s.Fields))
	for dec.More() {
		name, err := key(dec)
		if err != nil {
			return wrong("not JSON")
		}
		i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
		if i < 0 {
			if strict {
				return unknownField(name)
			}
			if err := skip(dec); err != nil {
				return wrong("not JSON")
			}
			continue
		}
		if seen[i] {
			return wrong("comes twice").under(name)
		}
		seen[i] = true
		if err := walk(dec, s.Fields[i].Schema, strict); err != nil {
			return err.under(name)
		}
	}
	for i, f := range s.Fields {
		if !seen[i] && !f.Optional {
			return wrong("is missing").under(f.Name)
		}
	}
	_, _ = dec.Token() // the closing brace: json.Valid saw it
	return nil
}

// unknownField names the field to whoever writes the client, if it looks like
// a name at all.
func unknownField(name string) *fieldError {
	if len(name) <= 32 && isWord(name) {
		return wrong("is not a known field").under(name)
	}
	return wrong("has a field that is not known")
}

func walkMap(dec *json.Decoder, tok json.Token, s *Schema, strict bool) *fieldError {
	if tok != json.Delim('{') {
		return wrong("not an object")
	}
	var seen []string
	for dec.More() {
		name, err := key(dec)
		if err != nil {
			return wrong("not JSON")
		}
		if !slices.Contains(s.Values, name) {
			return wrong("has a key that is not known")
		}
		if slices.Contains(seen, name) {
			return wrong("comes twice").under(name)
		}
		seen = append(seen, name)
		if err := walk(dec, s.Item, strict); err != nil {
			return err.under(name)
		}
	}
	_, _ = dec.Token()
	return nil
}

func walkList(dec *json.Decoder, tok json.Token, s *Schema, strict bool) *fieldError {
	if tok != json.Delim('[') {
		return wrong("not a list")
	}
	var n int64
	for ; dec.More(); n++ {
		if n == s.Max {
			return tooBig("has more than " + strconv.FormatInt(s.Max, 10) + " entries")
		}
		if err := walk(dec, s.Item, strict); err != nil {
			return err.under("[" + strconv.FormatInt(n, 10) + "]")
		}
	}
	if n < s.Min {
		return wrong("has too few entries")
	}
	_, _ = dec.Token()
	return nil
}

var errNotKey = errors.New("not a key")

func key(dec *json.Decoder) (string, error) {
	tok, err := dec.Token()
	if err != nil {
		return "", err
	}
	name, ok := tok.(string)
	if !ok {
		return "", errNotKey
	}
	return name, nil
}

// skip reads over one value of any form.
func skip(dec *json.Decoder) error {
	depth := 0
	for {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func checkInteger(n string, s *Schema) *fieldError {
	v, err := strconv.ParseInt(n, 10, 64)
	if err != nil || n[0] == '-' && v == 0 {
		return wrong("not an integer in range")
	}
	if v < s.Min || v > s.Max {
		return wrong("not from " + strconv.FormatInt(s.Min, 10) + " to " + strconv.FormatInt(s.Max, 10))
	}
	return nil
}

func checkText(text string, s *Schema) *fieldError {
	size := int64(len(text))
	switch s.Shape {
	case ShapeEnum:
		if !slices.Contains(s.Values, text) {
			return wrong("not one of the values known")
		}
		return nil
	case ShapeOpen:
		if !isWord(text) || size > s.Max {
			return wrong("not a lower-case word")
		}
		return nil
	case ShapeID:
		if raw, err := strictBase64.DecodeString(text); err != nil || len(raw) != 16 || len(text) != 22 {
			return wrong("not an id (base64url of 16 bytes)")
		}
		return nil
	case ShapeBytes:
		// base64 decoders skip line breaks, so the length must agree as well.
		raw, err := strictBase64.DecodeString(text)
		if err != nil || strictBase64.EncodedLen(len(raw)) != len(text) {
			return wrong("not base64url without padding")
		}
		size = int64(len(raw))
	case ShapeASCII:
		for i := range len(text) {
			if text[i] < 0x20 || text[i] > 0x7e {
				return wrong("not printable ASCII")
			}
		}
	default:
		if !utf8.ValidString(text) {
			return wrong("not UTF-8")
		}
	}
	switch {
	case size > s.Max:
		return tooBig("has more than " + strconv.FormatInt(s.Max, 10) + " bytes")
	case size < s.Min:
		return wrong("has fewer than " + strconv.FormatInt(s.Min, 10) + " bytes")
	}
	return nil
}

func isWord(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != ""
}
