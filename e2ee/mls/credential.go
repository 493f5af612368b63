package mls

import (
	"bytes"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// Credential says who a leaf belongs to (RFC 9420 §5.3). MLS gives it no meaning: the application's
// leaf check does.
type Credential struct {
	Type CredentialType
	// Identity is the identity of a basic credential.
	Identity []byte
	// Certificates is the chain of an X.509 credential, leaf first, each in DER. This package
	// carries it and does not verify it.
	Certificates [][]byte
}

// BasicCredential returns a credential that holds an application-defined identity.
func BasicCredential(identity []byte) Credential {
	return Credential{Type: CredentialBasic, Identity: bytes.Clone(identity)}
}

// clone returns a copy that shares nothing with c.
func (c *Credential) clone() Credential {
	d := Credential{Type: c.Type, Identity: bytes.Clone(c.Identity)}
	for _, cert := range c.Certificates {
		d.Certificates = append(d.Certificates, bytes.Clone(cert))
	}
	return d
}

// Equal reports whether two credentials are the same.
func (c *Credential) Equal(o *Credential) bool {
	var a, b wire.Writer
	c.marshal(&a)
	o.marshal(&b)
	return bytes.Equal(a.B, b.B)
}

func (c *Credential) marshal(w *wire.Writer) {
	w.U16(uint16(c.Type))
	if c.Type == CredentialX509 {
		w.Vector(func() {
			for _, cert := range c.Certificates {
				w.Opaque(cert)
			}
		})
		return
	}
	w.Opaque(c.Identity)
}

func readCredential(r *wire.Reader) (c Credential) {
	c.Type = CredentialType(r.U16())
	switch c.Type {
	case CredentialBasic:
		c.Identity = r.Opaque(boundField)
	case CredentialX509:
		r.Vector(boundField, func(r *wire.Reader) {
			c.Certificates = append(c.Certificates, r.Opaque(boundField))
		})
	default:
		r.Fail(ErrUnsupportedCredential)
	}
	return c
}
