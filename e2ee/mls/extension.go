package mls

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Extension is a typed blob in a leaf, a key package, a group context or a group info
// (RFC 9420 §13).
type Extension struct {
	Type ExtensionType
	Data []byte
}

// FindExtension returns the data of the extension with type t, or nil and false.
func FindExtension(list []Extension, t ExtensionType) ([]byte, bool) {
	for _, e := range list {
		if e.Type == t {
			return e.Data, true
		}
	}
	return nil, false
}

func writeExtensions(w *wire.Writer, list []Extension) {
	w.Vector(func() {
		for _, e := range list {
			w.U16(uint16(e.Type))
			w.Opaque(e.Data)
		}
	})
}

func readExtensions(r *wire.Reader) []Extension {
	var list []Extension
	r.Vector(boundExtensions, func(r *wire.Reader) {
		if len(list) == MaxExtensions {
			r.Fail(ErrTooManyExtensions)
			return
		}
		e := Extension{Type: ExtensionType(r.U16())}
		bound := boundExtension
		if e.Type == ExtensionRatchetTree {
			bound = boundMessage
		}
		e.Data = r.Opaque(bound)
		list = append(list, e)
	})
	return list
}

// checkExtensionList refuses a type that occurs twice: which of the two counts would be up to
// each implementation.
func checkExtensionList(list []Extension) error {
	for i, e := range list {
		for _, f := range list[:i] {
			if e.Type == f.Type {
				return fmt.Errorf("%w: type %#04x", ErrDuplicateExtension, uint16(e.Type))
			}
		}
	}
	return nil
}

func cloneExtensions(list []Extension) []Extension {
	out := make([]Extension, len(list))
	for i, e := range list {
		out[i] = Extension{Type: e.Type, Data: bytes.Clone(e.Data)}
	}
	return out
}

// RequiredCapabilities is what every member must support beyond the defaults (RFC 9420 §11.1).
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

// Extension encodes c as a group context extension.
func (c *RequiredCapabilities) Extension() Extension {
	var w wire.Writer
	writeU16s(&w, c.Extensions)
	writeU16s(&w, c.Proposals)
	writeU16s(&w, c.Credentials)
	return Extension{Type: ExtensionRequiredCapabilities, Data: w.B}
}

func parseRequiredCapabilities(b []byte) (*RequiredCapabilities, error) {
	r := wire.NewReader(b)
	c := &RequiredCapabilities{
		Extensions:  readU16s[ExtensionType](r),
		Proposals:   readU16s[ProposalType](r),
		Credentials: readU16s[CredentialType](r),
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("required_capabilities: %w", err)
	}
	return c, nil
}

// missingIn returns ErrCapabilityMissing if caps lacks something of c.
func (c *RequiredCapabilities) missingIn(caps *Capabilities) error {
	for _, t := range c.Extensions {
		if !t.isDefault() && !slices.Contains(caps.Extensions, t) {
			return fmt.Errorf("%w: extension %#04x", ErrCapabilityMissing, uint16(t))
		}
	}
	for _, t := range c.Proposals {
		if !t.isDefault() && !slices.Contains(caps.Proposals, t) {
			return fmt.Errorf("%w: proposal %#04x", ErrCapabilityMissing, uint16(t))
		}
	}
	for _, t := range c.Credentials {
		if !slices.Contains(caps.Credentials, t) {
			return fmt.Errorf("%w: credential %#04x", ErrCapabilityMissing, uint16(t))
		}
	}
	return nil
}

// ExternalSender is a party outside the group that may send proposals to it (RFC 9420 §12.1.8.1).
// This package accepts Remove proposals only from it.
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// ExternalSendersExtension encodes senders as a group context extension.
func ExternalSendersExtension(senders []ExternalSender) Extension {
	var w wire.Writer
	w.Vector(func() {
		for i := range senders {
			w.Opaque(senders[i].SignatureKey)
			senders[i].Credential.marshal(&w)
		}
	})
	return Extension{Type: ExtensionExternalSenders, Data: w.B}
}

func parseExternalSenders(b []byte) ([]ExternalSender, error) {
	r := wire.NewReader(b)
	var list []ExternalSender
	r.Vector(boundExtension, func(r *wire.Reader) {
		if len(list) == MaxExternalSenders {
			r.Fail(ErrTooManyExternalSenders)
			return
		}
		list = append(list, ExternalSender{SignatureKey: r.Opaque(boundField), Credential: readCredential(r)})
	})
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("external_senders: %w", err)
	}
	return list, nil
}

func writeU16s[T ~uint16](w *wire.Writer, list []T) {
	w.Length(2 * len(list))
	for _, v := range list {
		w.U16(uint16(v))
	}
}

func readU16s[T ~uint16](r *wire.Reader) []T {
	var list []T
	r.Vector(boundCaps, func(r *wire.Reader) { list = append(list, T(r.U16())) })
	return list
}
