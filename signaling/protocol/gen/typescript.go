package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

const header = "// Code generated from signaling/protocol by `go generate ./signaling/...`. DO NOT EDIT.\n\n"

// structs lists the schemas of all structs on the wire, inner ones first.
func structs() []*protocol.Schema {
	var out []*protocol.Schema
	var visit func(*protocol.Schema)
	visit = func(s *protocol.Schema) {
		if s == nil || slices.ContainsFunc(out, func(o *protocol.Schema) bool { return o.Name != "" && o.Name == s.Name }) {
			return
		}
		for _, f := range s.Fields {
			visit(f.Schema)
		}
		visit(s.Item)
		if s.Shape == protocol.ShapeObject {
			out = append(out, s)
		}
	}
	visit(protocol.SchemaOf(reflect.TypeFor[protocol.Error]()))
	for _, m := range protocol.Messages {
		visit(protocol.SchemaOf(m.Body))
	}
	return out
}

func typescriptTypes(comments map[string]string) []byte {
	var b bytes.Buffer
	b.WriteString(header)
	fmt.Fprintf(&b, "export const SUBPROTOCOL = %q;\nexport const PATH = %q;\n", protocol.Subprotocol, protocol.Path)
	fmt.Fprintf(&b, "/** The largest message of a server, in UTF-8 bytes. */\nexport const MAX_SERVER_MESSAGE = %d;\n", protocol.MaxServerMessage)
	fmt.Fprintf(&b, "export const MAX_DEPTH = %d;\n\n", protocol.MaxDepth)
	b.WriteString("/** Opaque bytes, base64url without padding. */\nexport type Bytes = string;\n")
	for _, id := range []string{"CallID", "ParticipantID", "DeviceID", "SessionID"} {
		doc(&b, "", comments[id])
		fmt.Fprintf(&b, "export type %s = string;\n", id)
	}
	enum(&b, comments, "Source", protocol.SchemaOf(reflect.TypeFor[protocol.SourceUpdateRequest]()).Fields[0].Schema)
	enum(&b, comments, "SourceState", protocol.SchemaOf(reflect.TypeFor[protocol.SourceUpdateRequest]()).Fields[1].Schema)
	enum(&b, comments, "MediaKind", &protocol.Schema{Values: []string{string(protocol.KindAudio), string(protocol.KindVideo)}})
	enum(&b, comments, "LeaveReason", protocol.SchemaOf(reflect.TypeFor[protocol.ParticipantLeftEvent]()).Fields[1].Schema)
	enum(&b, comments, "Code", protocol.SchemaOf(reflect.TypeFor[protocol.Error]()).Fields[0].Schema)
	b.WriteString("\n/** WebSocket close codes with which the server says why it hung up. */\nexport const CloseCode = {\n")
	for _, c := range protocol.CloseCodes {
		fmt.Fprintf(&b, "  %s: %d,\n", c.Name, c.Code)
	}
	b.WriteString("} as const;\n")
	for _, s := range structs() {
		writeInterface(&b, comments, s)
	}
	writeMaps(&b)
	return b.Bytes()
}

func doc(b *bytes.Buffer, indent, text string) {
	if text != "" {
		fmt.Fprintf(b, "%s/** %s */\n", indent, text)
	}
}

func enum(b *bytes.Buffer, comments map[string]string, name string, s *protocol.Schema) {
	b.WriteString("\n")
	doc(b, "", comments[name])
	quoted := make([]string, 0, len(s.Values)+1)
	for _, v := range s.Values {
		quoted = append(quoted, fmt.Sprintf("%q", v))
	}
	if s.Shape == protocol.ShapeOpen { // a newer server may say more; keeps completion in editors
		quoted = append(quoted, "(string & {})")
	}
	fmt.Fprintf(b, "export type %s = %s;\n", name, strings.Join(quoted, " | "))
}

func writeInterface(b *bytes.Buffer, comments map[string]string, s *protocol.Schema) {
	b.WriteString("\n")
	doc(b, "", comments[s.Name])
	if len(s.Fields) == 0 {
		fmt.Fprintf(b, "export type %s = Record<never, never>;\n", tsName(s.Name))
		return
	}
	fmt.Fprintf(b, "export interface %s {\n", tsName(s.Name))
	t := goType(s.Name)
	for _, f := range s.Fields {
		doc(b, "  ", comments[s.Name+"."+f.GoName])
		field, _ := t.FieldByName(f.GoName)
		optional := ""
		if f.Optional {
			optional = "?"
		}
		fmt.Fprintf(b, "  %s%s: %s;\n", f.Name, optional, tsType(field.Type))
	}
	b.WriteString("}\n")
}

// goType finds a wire struct by name, from the registry down.
func goType(name string) reflect.Type {
	found := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(t.Elem())
		case reflect.Struct:
			if found[t.Name()] == nil {
				found[t.Name()] = t
				for i := range t.NumField() {
					visit(t.Field(i).Type)
				}
			}
		}
	}
	visit(reflect.TypeFor[protocol.Error]())
	for _, m := range protocol.Messages {
		visit(m.Body)
	}
	return found[name]
}

// tsName is a Go type's name in TypeScript, where Error is taken.
func tsName(goName string) string {
	if goName == "Error" {
		return "WireError"
	}
	return goName
}

func tsType(t reflect.Type) string {
	if t == reflect.TypeFor[protocol.Bytes]() {
		return "Bytes"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return tsType(t.Elem())
	case reflect.Slice:
		return tsType(t.Elem()) + "[]"
	case reflect.Map:
		return fmt.Sprintf("Partial<Record<%s, %s>>", tsType(t.Key()), tsType(t.Elem()))
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "number"
	default:
		if t.PkgPath() == "" {
			return "string"
		}
		return tsName(t.Name())
	}
}

func writeMaps(b *bytes.Buffer) {
	b.WriteString("\n/** Every request with its reply. */\nexport interface Requests {\n")
	for _, m := range protocol.Messages {
		if m.Kind == protocol.KindRequest {
			reply, _ := protocol.Lookup(m.Type, protocol.KindReply)
			fmt.Fprintf(b, "  %q: { request: %s; reply: %s };\n", m.Type, m.Body.Name(), reply.Body.Name())
		}
	}
	b.WriteString("}\nexport type RequestType = keyof Requests;\n\n/** Every event. */\nexport interface Events {\n")
	for _, m := range protocol.Messages {
		if m.Kind == protocol.KindEvent {
			fmt.Fprintf(b, "  %q: %s;\n", m.Type, m.Body.Name())
		}
	}
	b.WriteString("}\nexport type EventType = keyof Events;\n")
}

// tsSchema is a schema as the page's validator reads it: see validate.ts.
type tsSchema struct {
	Shape    protocol.Shape       `json:"shape"`
	Ref      string               `json:"ref,omitempty"` // instead of fields, in another struct
	Min      int64                `json:"min,omitempty"`
	Max      int64                `json:"max,omitempty"`
	Values   []string             `json:"values,omitempty"`
	Item     *tsSchema            `json:"item,omitempty"`
	Fields   map[string]*tsSchema `json:"fields,omitempty"`
	Optional bool                 `json:"optional,omitempty"`
}

func convert(s *protocol.Schema, top bool) *tsSchema {
	if s == nil {
		return nil
	}
	out := &tsSchema{Shape: s.Shape, Min: s.Min, Max: s.Max}
	switch {
	case s.Shape == protocol.ShapeObject && !top:
		out.Ref = tsName(s.Name)
	case s.Shape == protocol.ShapeObject:
		out.Fields = map[string]*tsSchema{}
		for _, f := range s.Fields {
			field := convert(f.Schema, false)
			field.Optional = f.Optional
			out.Fields[f.Name] = field
		}
	case s.Shape == protocol.ShapeEnum || s.Shape == protocol.ShapeMap:
		out.Values, out.Item = s.Values, convert(s.Item, false)
	default:
		out.Item = convert(s.Item, false)
	}
	return out
}

func typescriptSchema() []byte {
	var b bytes.Buffer
	b.WriteString(header)
	b.WriteString("import type { Schema } from \"./validate\";\n\n")
	b.WriteString("/** The shapes and limits of every struct on the wire, by name. */\nexport const schemas: Readonly<Record<string, Schema>> = {\n")
	for _, s := range structs() {
		fmt.Fprintf(&b, "  %s: %s,\n", tsName(s.Name), marshal(convert(s, true)))
	}
	b.WriteString("};\n")
	for _, kind := range []protocol.Kind{protocol.KindReply, protocol.KindEvent} {
		names := map[string]string{}
		for _, m := range protocol.Messages {
			if m.Kind == kind {
				names[m.Type] = m.Body.Name()
			}
		}
		fmt.Fprintf(&b, "\n/** Which struct the body of each %s is. */\nexport const %sBodies: Readonly<Record<string, string>> = {\n", kind, kind)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			fmt.Fprintf(&b, "  %q: %q,\n", name, names[name])
		}
		b.WriteString("};\n")
	}
	return b.Bytes()
}

func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // plain structs always encode
	}
	return bytes.TrimSpace(b.Bytes())
}
