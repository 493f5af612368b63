//go:build js && wasm

package main

import (
	"syscall/js"
	"time"

	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// Codes of errors. They mean a mistake of the caller's, or a broken browser.
const (
	codeArgument = "bad_argument"
	codeSession  = "no_session"
	codeRandom   = "no_randomness"
)

var (
	jsUint8Array = js.Global().Get("Uint8Array")
	jsError      = js.Global().Get("Error")
)

// failure travels by panic from wherever an argument is found wrong to guard.
type failure struct{ code, text string }

// check panics if err is not nil.
func check(err error, code string) {
	if err != nil {
		panic(failure{code, err.Error()})
	}
}

// guard runs f and turns a failure into a JavaScript Error with a code.
func guard(f func(*args) any, in []js.Value) (out any) {
	defer func() {
		if r := recover(); r != nil {
			fail, ok := r.(failure)
			if !ok {
				panic(r)
			}
			e := jsError.New("core: " + fail.text)
			e.Set("code", fail.code)
			out = e
		}
	}()
	return f(&args{in: in})
}

// args takes arguments one after another and fails on the first of a wrong kind.
type args struct {
	in []js.Value
	at int
}

func (a *args) next(kind js.Type, what string) js.Value {
	if a.at >= len(a.in) || a.in[a.at].Type() != kind {
		panic(failure{codeArgument, "argument " + string('1'+rune(a.at)) + " must be a " + what})
	}
	a.at++
	return a.in[a.at-1]
}

func (a *args) int() int       { return a.next(js.TypeNumber, "number").Int() }
func (a *args) string() string { return a.next(js.TypeString, "string").String() }
func (a *args) time() time.Time {
	return time.UnixMilli(int64(a.next(js.TypeNumber, "number").Float()))
}
func (a *args) id() identity.ID { return must(identity.ParseID(a.string())) }
func (a *args) bytes() []byte {
	v := a.next(js.TypeObject, "Uint8Array")
	if !v.InstanceOf(jsUint8Array) {
		panic(failure{codeArgument, "argument " + string('0'+rune(a.at)) + " must be a Uint8Array"})
	}
	b := make([]byte, v.Get("length").Int())
	js.CopyBytesToGo(b, v)
	return b
}

func (a *args) secret() call.Secret {
	b := a.bytes()
	defer clear(b)
	return must(call.SecretFromBytes(b))
}

func (a *args) device() identity.Device {
	b := a.bytes()
	defer clear(b)
	return must(identity.DeviceFromSeed(b))
}

func must[T any](v T, err error) T {
	check(err, codeArgument)
	return v
}

// toJS copies bytes into a Uint8Array.
func toJS(b []byte) js.Value {
	v := jsUint8Array.New(len(b))
	js.CopyBytesToJS(v, b)
	return v
}

// outputToJS is an Output as core.js describes it. The Go copies of keys are erased.
func outputToJS(o call.Output) any {
	messages := make([]any, len(o.Messages))
	for i, m := range o.Messages {
		messages[i] = map[string]any{"to": m.To.String(), "payload": toJS(m.Payload)}
	}
	keys := make([]any, len(o.Keys))
	for i, e := range o.Keys {
		keys[i] = keyToJS(e)
		clear(e.BaseKey)
	}
	out := map[string]any{"messages": messages, "keys": keys, "roster": nil, "nextTickMs": 0}
	if o.Roster != nil {
		roster := make([]any, len(o.Roster))
		for i, m := range o.Roster {
			roster[i] = map[string]any{"participant": m.Participant.String(), "name": m.Name, "hasKey": m.HasKey}
		}
		out["roster"] = roster
	}
	if !o.NextTick.IsZero() {
		out["nextTickMs"] = float64(o.NextTick.UnixMilli())
	}
	if o.Refused != "" {
		out["refused"] = string(o.Refused)
	}
	return out
}

// keyToJS converts a key event. KIDs have 48 bits and are exact as numbers.
func keyToJS(e call.KeyEvent) any {
	switch e.Op {
	case call.OpInstall:
		return map[string]any{
			"op": "install", "kid": float64(e.KID), "ctx": int(e.Context),
			"baseKey": toJS(e.BaseKey), "participant": e.Participant.String(),
		}
	case call.OpSend:
		return map[string]any{
			"op": "send", "ctx": int(e.Context), "kid": float64(e.KID), "baseKey": toJS(e.BaseKey),
		}
	default:
		return map[string]any{"op": "remove", "kid": float64(e.KID)}
	}
}
