package protocol

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// MaxInteger is the largest integer that JSON carries unharmed into every
// language (JavaScript's Number.MAX_SAFE_INTEGER).
const MaxInteger = 1<<53 - 1

// Shape says what JSON form a schema stands for.
type Shape string

// The shapes of a schema.
const (
	ShapeObject  Shape = "object"  // a struct: Fields
	ShapeList    Shape = "list"    // an array of Item, Min to Max entries
	ShapeMap     Shape = "map"     // an object whose keys are of Values and whose values are Item
	ShapeInteger Shape = "integer" // Min to Max
	ShapeBool    Shape = "bool"
	ShapeText    Shape = "text"  // a string of Min to Max UTF-8 bytes
	ShapeASCII   Shape = "ascii" // the same, printable ASCII only
	ShapeBytes   Shape = "bytes" // base64url of Min to Max bytes
	ShapeID      Shape = "id"    // base64url of 16 bytes
	ShapeEnum    Shape = "enum"  // one of Values
	ShapeOpen    Shape = "open"  // a lower-case word, today one of Values: a newer server may say others
)

// Schema is what one value on the wire must look like. It is read off the Go
// type and its `wire` tags, checks what the server receives, and is generated
// into the page, where it checks what a hostile server sends.
//
// The tag `wire:"ascii,min=1,max=64"` (or len=N) bounds the bytes of a string
// or of decoded [Bytes], the entries of a list, or the value of an integer. A
// field with json omitempty may be absent; no field may be null.
type Schema struct {
	Shape    Shape
	Name     string // of the Go type, when it is a struct of this package
	Fields   []Field
	Item     *Schema
	Values   []string
	Min, Max int64
}

// Field is one field of an object.
type Field struct {
	Name     string // on the wire
	GoName   string
	Optional bool
	Schema   *Schema
}

var schemas sync.Map // reflect.Type → *Schema

// SchemaOf gives the schema of a struct type of this package. It panics on a
// type that the wire cannot carry, which a test over the registry rules out.
func SchemaOf(t reflect.Type) *Schema {
	if s, ok := schemas.Load(t); ok {
		return s.(*Schema)
	}
	s := buildSchema(t, "")
	schemas.Store(t, s)
	return s
}

// enums are the closed word lists; open ones may grow within sotto.v1.
var enums = map[reflect.Type]*Schema{
	reflect.TypeFor[Source]():      {Shape: ShapeEnum, Values: words(SourceMic, SourceCamera, SourceScreen, SourceScreenAudio)},
	reflect.TypeFor[SourceState](): {Shape: ShapeEnum, Values: words(StateOff, StateLive, StateMuted)},
	reflect.TypeFor[MediaKind]():   {Shape: ShapeEnum, Values: words(KindAudio, KindVideo)},
	reflect.TypeFor[LeaveReason](): {Shape: ShapeOpen, Values: words(ReasonLeft, ReasonLost, ReasonShutdown), Max: 64},
	reflect.TypeFor[Code]():        {Shape: ShapeOpen, Values: words(Codes...), Max: 64},
}

func words[T ~string](in ...T) []string {
	out := make([]string, len(in))
	for i, w := range in {
		out[i] = string(w)
	}
	return out
}

func buildSchema(t reflect.Type, tag string) *Schema {
	if e, ok := enums[t]; ok {
		return e
	}
	s := &Schema{}
	switch t {
	case reflect.TypeFor[Bytes]():
		s.Shape = ShapeBytes
	case reflect.TypeFor[CallID](), reflect.TypeFor[ParticipantID](), reflect.TypeFor[DeviceID](), reflect.TypeFor[SessionID]():
		return &Schema{Shape: ShapeID}
	default:
		switch t.Kind() {
		case reflect.Pointer:
			return buildSchema(t.Elem(), tag)
		case reflect.Struct:
			return buildObject(t)
		case reflect.Slice:
			s.Shape, s.Item = ShapeList, buildSchema(t.Elem(), "")
		case reflect.Map:
			return &Schema{Shape: ShapeMap, Item: buildSchema(t.Elem(), ""), Values: enums[t.Key()].Values}
		case reflect.Int, reflect.Int64, reflect.Uint64:
			s.Shape, s.Max = ShapeInteger, MaxInteger
		case reflect.Bool:
			return &Schema{Shape: ShapeBool}
		case reflect.String:
			s.Shape = ShapeText
		default:
			panic(fmt.Sprintf("protocol: %v cannot travel", t))
		}
	}
	s.applyTag(t, tag)
	if s.Shape != ShapeInteger && s.Max == 0 {
		panic(fmt.Sprintf("protocol: a %v on the wire needs a bound", t))
	}
	return s
}

func buildObject(t reflect.Type) *Schema {
	s := &Schema{Shape: ShapeObject, Name: t.Name()}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || f.Type == reflect.TypeFor[json.RawMessage]() {
			continue
		}
		s.Fields = append(s.Fields, Field{
			Name: name, GoName: f.Name, Optional: strings.Contains(options, "omitempty"),
			Schema: buildSchema(f.Type, f.Tag.Get("wire")),
		})
	}
	return s
}

func (s *Schema) applyTag(t reflect.Type, tag string) {
	for word := range strings.SplitSeq(tag, ",") {
		if word == "" {
			continue
		}
		key, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case key == "ascii" && s.Shape == ShapeText:
			s.Shape, err = ShapeASCII, nil
		case key == "min":
			s.Min = n
		case key == "max":
			s.Max = n
		case key == "len":
			s.Min, s.Max = n, n
		default:
			err = strconv.ErrSyntax
		}
		if err != nil {
			panic(fmt.Sprintf("protocol: bad wire tag %q on %v", tag, t))
		}
	}
}
