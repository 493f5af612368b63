package mls

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// PSKType says where a pre-shared key comes from (RFC 9420 §8.4).
type PSKType uint8

// The PSK types of RFC 9420.
const (
	PSKExternal   PSKType = 1
	PSKResumption PSKType = 2
)

// ResumptionUsage says what a resumption PSK is for (RFC 9420 §8.4).
type ResumptionUsage uint8

// The usages of RFC 9420. Only ResumptionApplication is accepted.
const (
	ResumptionApplication ResumptionUsage = 1
	ResumptionReInit      ResumptionUsage = 2
	ResumptionBranch      ResumptionUsage = 3
)

// PreSharedKeyID names a pre-shared key (RFC 9420 §8.4). The same key under another nonce is
// another PreSharedKeyID.
type PreSharedKeyID struct {
	Type    PSKType
	ID      []byte // PSKExternal
	Usage   ResumptionUsage
	GroupID []byte // PSKResumption
	Epoch   uint64 // PSKResumption
	Nonce   []byte // KDF.Nh random bytes
}

func (p *PreSharedKeyID) marshal(w *wire.Writer) {
	w.U8(uint8(p.Type))
	if p.Type == PSKResumption {
		w.U8(uint8(p.Usage))
		w.Opaque(p.GroupID)
		w.U64(p.Epoch)
	} else {
		w.Opaque(p.ID)
	}
	w.Opaque(p.Nonce)
}

func (p *PreSharedKeyID) encode() []byte {
	var w wire.Writer
	p.marshal(&w)
	return w.B
}

func readPSKID(r *wire.Reader) (p PreSharedKeyID) {
	p.Type = PSKType(r.U8())
	switch p.Type {
	case PSKExternal:
		p.ID = r.Opaque(boundField)
	case PSKResumption:
		p.Usage = ResumptionUsage(r.U8())
		if p.Usage < ResumptionApplication || p.Usage > ResumptionBranch {
			r.Fail(fmt.Errorf("%w: resumption usage %d", ErrUnknownVariant, p.Usage))
		}
		p.GroupID = r.Opaque(boundGroupID)
		p.Epoch = r.U64()
	default:
		r.Fail(fmt.Errorf("%w: psk type %d", ErrUnknownVariant, p.Type))
	}
	p.Nonce = r.Opaque(boundField)
	return p
}

// validate does the checks of RFC 9420 §12.1.4.
func (p *PreSharedKeyID) validate(s *suite.Suite) error {
	if p.Type == PSKResumption && p.Usage != ResumptionApplication {
		return fmt.Errorf("%w: usage %d outside of its operation", ErrPSKUsage, p.Usage)
	}
	if len(p.Nonce) != s.Nh {
		return fmt.Errorf("%w: %d bytes, want %d", ErrPSKNonce, len(p.Nonce), s.Nh)
	}
	return nil
}

// newNonce fills p's nonce.
func (p *PreSharedKeyID) newNonce(s *suite.Suite, rand io.Reader) error {
	p.Nonce = make([]byte, s.Nh)
	if _, err := io.ReadFull(rand, p.Nonce); err != nil {
		return fmt.Errorf("reading randomness: %w", err)
	}
	return nil
}

// pskInput is a pre-shared key with its name.
type pskInput struct {
	id  PreSharedKeyID
	key []byte
}

// pskSecret chains the keys into psk_secret (RFC 9420 §8.4). With none it is all zeros.
func pskSecret(s *suite.Suite, psks []pskInput) []byte {
	zero := make([]byte, s.Nh)
	secret := zero
	for i, p := range psks {
		label := p.id.encode()
		label = binary.BigEndian.AppendUint16(label, uint16(i))
		label = binary.BigEndian.AppendUint16(label, uint16(len(psks)))
		extracted := s.Extract(zero, p.key)
		input := s.ExpandWithLabel(extracted, "derived psk", label, s.Nh)
		secret = s.Extract(input, secret)
	}
	return secret
}
