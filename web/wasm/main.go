//go:build js && wasm

package main

import (
	"crypto/rand"
	"syscall/js"

	"github.com/sotto-sfu/sotto/e2ee/call"
	"github.com/sotto-sfu/sotto/e2ee/identity"
)

// version is set by the build.
var version = "dev"

func main() {
	c := &core{sessions: make(map[int]*call.Session)}
	api := js.Global().Get("Object").New()
	for name, f := range map[string]func(*args) any{
		"version":        func(*args) any { return version },
		"newSecret":      newSecret,
		"callFromSecret": callFromSecret,
		"newDevice":      newDevice,
		"deviceKey":      deviceKey,
		"signLogin":      signLogin,
		"signAdmission":  signAdmission,
		"openSession":    c.open,
		"joined": c.input(func(s *call.Session, a *args) call.Output {
			return s.Joined(a.id(), a.time())
		}),
		"left": c.input(func(s *call.Session, a *args) call.Output {
			return s.Left(a.id(), a.time())
		}),
		"message": c.input(func(s *call.Session, a *args) call.Output {
			return s.Message(a.id(), a.bytes(), a.time())
		}),
		"unknownKid": c.input(func(s *call.Session, a *args) call.Output {
			return s.UnknownKID(a.id(), a.time())
		}),
		"tick": c.input(func(s *call.Session, a *args) call.Output {
			return s.Tick(a.time())
		}),
		"setName": c.input(func(s *call.Session, a *args) call.Output {
			return s.SetName(a.string(), a.time())
		}),
		"closeSession": c.close,
	} {
		api.Set(name, js.FuncOf(func(_ js.Value, in []js.Value) any {
			return guard(f, in)
		}))
	}
	js.Global().Set("sottoCore", api)
	select {} // the functions live as long as the worker
}

func newSecret(*args) any {
	s, err := call.NewSecret(rand.Reader)
	check(err, codeRandom)
	b := s.Bytes()
	defer clear(b)
	return toJS(b)
}

func callFromSecret(a *args) any {
	s := a.secret()
	return map[string]any{
		"call":         s.CallID().String(),
		"admissionKey": toJS(s.AdmissionKey()[32:]), // seed ‖ public key
	}
}

func newDevice(*args) any {
	seed, err := identity.NewSeed(rand.Reader)
	check(err, codeRandom)
	defer clear(seed)
	return toJS(seed)
}

func deviceKey(a *args) any { return toJS(a.device().PublicKey()) }

func signLogin(a *args) any {
	sig, err := a.device().SignLogin(a.bytes(), a.string())
	check(err, codeArgument)
	return toJS(sig)
}

func signAdmission(a *args) any {
	sig, err := identity.SignAdmission(a.secret().AdmissionKey(), a.bytes(), a.bytes())
	check(err, codeArgument)
	return toJS(sig)
}

// core holds the open sessions by handle.
type core struct {
	sessions map[int]*call.Session
	last     int
}

func (c *core) open(a *args) any {
	cfg := call.Config{Secret: a.secret(), Self: a.id(), Name: a.string(), Rand: rand.Reader}
	s, err := call.NewSession(cfg)
	check(err, codeArgument)
	c.last++
	c.sessions[c.last] = s
	return c.last
}

func (c *core) close(a *args) any {
	h := a.int()
	if s := c.sessions[h]; s != nil {
		s.Close()
		delete(c.sessions, h)
	}
	return nil
}

// input wraps what goes into a session: handle first, output back.
func (c *core) input(f func(*call.Session, *args) call.Output) func(*args) any {
	return func(a *args) any {
		s := c.sessions[a.int()]
		if s == nil {
			panic(failure{codeSession, "no such session"})
		}
		return outputToJS(f(s, a))
	}
}
