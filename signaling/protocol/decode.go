package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"unicode/utf8"
)

// MaxDepth is how deep a message may nest objects and lists, the envelope
// being the first level. It is checked before any JSON is decoded.
const MaxDepth = 16

// MaxServerMessage is the largest message, in bytes, that a client must
// accept. A server never sends a larger one.
const MaxServerMessage = 1 << 20

// envelopeSchema leaves the body out: that has the schema of its type.
var envelopeSchema = SchemaOf(reflect.TypeFor[Envelope]())

// DecodeRequest reads one message of a client: strict in every way. On
// failure the envelope still carries the id, when that could be read, so that
// the refusal can name it; the body is the decoded struct, e.g.
// *[HelloRequest].
func DecodeRequest(data []byte) (Envelope, any, *Error) {
	env, perr := decodeEnvelope(data, true)
	if perr != nil {
		return env, nil, perr
	}
	if env.ID == 0 || env.Re != 0 || env.Seq != 0 || env.Error != nil {
		return env, nil, Refuse(CodeBadRequest, "a request has an id and neither re, seq nor error")
	}
	msg, ok := Lookup(env.Type, KindRequest)
	if !ok {
		return env, nil, Refuse(CodeUnknownType, "no such request")
	}
	body, perr := decodeBody(env.Body, msg, true)
	return env, body, perr
}

// DecodeServerMessage reads one message of a server, for clients written in
// Go: it checks all that it knows and skips fields it does not. For a reply of
// success or an event the body is the decoded struct; for a refusal it is nil
// and Envelope.Error is set. An event of unknown type has a nil body and no
// error: the caller counts its Seq and goes on.
func DecodeServerMessage(data []byte) (Envelope, any, *Error) {
	if len(data) > MaxServerMessage {
		return Envelope{}, nil, Refuse(CodeTooLarge, "message too large")
	}
	env, perr := decodeEnvelope(data, false)
	if perr != nil {
		return env, nil, perr
	}
	switch {
	case env.ID != 0 || env.Re != 0 && env.Seq != 0:
		return env, nil, Refuse(CodeBadRequest, "neither a reply nor an event")
	case env.Error != nil && env.Seq == 0:
		return env, nil, nil
	case env.Error != nil || env.Re == 0 && env.Seq == 0:
		return env, nil, Refuse(CodeBadRequest, "neither a reply nor an event")
	}
	kind := KindReply
	if env.Seq != 0 {
		kind = KindEvent
	}
	msg, ok := Lookup(env.Type, kind)
	if !ok {
		if kind == KindEvent {
			return env, nil, nil
		}
		return env, nil, Refuse(CodeUnknownType, "no such reply")
	}
	body, perr := decodeBody(env.Body, msg, false)
	return env, body, perr
}

func decodeEnvelope(data []byte, strict bool) (Envelope, *Error) {
	var env Envelope
	switch {
	case !utf8.Valid(data):
		return env, Refuse(CodeBadJSON, "not UTF-8")
	case tooDeep(data, MaxDepth):
		return env, Refuse(CodeBadJSON, "nested too deep")
	}
	// The body is looked at under its own schema once the type is known.
	fields, perr := splitObject(data)
	if perr != nil {
		return env, perr
	}
	// The id alone first, so that a refusal can carry it.
	if id := fields["id"]; id != nil && checkInteger(string(id), &Schema{Min: 1, Max: MaxInteger}) == nil {
		_ = json.Unmarshal(id, &env.ID)
	}
	env.Body = fields["body"]
	if env.Body != nil && env.Body[0] != '{' {
		return env, Refuse(CodeBadRequest, "body: not an object")
	}
	delete(fields, "body")
	head, err := json.Marshal(fields)
	if err != nil {
		return env, Refuse(CodeBadJSON, "not JSON")
	}
	if ferr := validate(head, envelopeSchema, strict); ferr != nil {
		return env, ferr.refusal(CodeBadRequest)
	}
	body := env.Body
	if err := json.Unmarshal(head, &env); err != nil {
		return env, Refuse(CodeBadRequest, "not an envelope")
	}
	env.Body = body
	return env, nil
}

// splitObject takes a JSON object apart into its fields, refusing a repeated
// one and anything after the object.
func splitObject(data []byte) (map[string]json.RawMessage, *Error) {
	if !json.Valid(data) {
		return nil, Refuse(CodeBadJSON, "not JSON")
	}
	fields, ok := fieldsOf(data)
	if !ok {
		return nil, Refuse(CodeBadJSON, "not an object, or a field comes twice")
	}
	return fields, nil
}

func decodeBody(data json.RawMessage, msg Message, strict bool) (any, *Error) {
	if data == nil {
		data = json.RawMessage("{}")
	}
	if ferr := validate(data, SchemaOf(msg.Body), strict); ferr != nil {
		return nil, ferr.under("body").refusal(CodeBadRequest)
	}
	body := reflect.New(msg.Body).Interface()
	if err := json.Unmarshal(data, body); err != nil {
		return nil, Refuse(CodeBadRequest, "body: not readable")
	}
	return body, nil
}

func (e *fieldError) refusal(code Code) *Error {
	if e.tooBig {
		code = CodeTooLarge
	}
	if e.path == "" {
		e.path = "message"
	}
	return Refuse(code, e.Error())
}

// tooDeep counts brackets outside strings. It allocates nothing, so hostile
// nesting costs one pass over the bytes and no stack.
func tooDeep(data []byte, limit int) bool {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

// fieldsOf splits the object; false when data is none or repeats a key.
func fieldsOf(data []byte) (map[string]json.RawMessage, bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return nil, false
	}
	fields := make(map[string]json.RawMessage)
	for dec.More() {
		name, err := key(dec)
		if err != nil {
			return nil, false
		}
		if _, twice := fields[name]; twice {
			return nil, false
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, false
		}
		fields[name] = value
	}
	return fields, true
}
