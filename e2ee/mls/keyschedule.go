package mls

import (
	"bytes"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// epochSecrets are the secrets of one epoch (RFC 9420 §8), without the encryption secret, which
// the secret tree consumes.
type epochSecrets struct {
	senderData    []byte
	exporter      []byte
	external      []byte
	confirmation  []byte
	membership    []byte
	resumption    []byte
	authenticator []byte
	init          []byte
}

func (e *epochSecrets) all() []*[]byte {
	return []*[]byte{
		&e.senderData, &e.exporter, &e.external, &e.confirmation,
		&e.membership, &e.resumption, &e.authenticator, &e.init,
	}
}

func (e *epochSecrets) wipe() {
	for _, s := range e.all() {
		clear(*s)
	}
}

func joinerSecret(s *suite.Suite, initSecret, commitSecret, groupContext []byte) []byte {
	return s.ExpandWithLabel(s.Extract(initSecret, commitSecret), "joiner", groupContext, s.Nh)
}

// memberSecret is the value between joiner_secret and epoch_secret.
func memberSecret(s *suite.Suite, joiner, psk []byte) []byte { return s.Extract(joiner, psk) }

func welcomeKey(s *suite.Suite, member []byte) (key, nonce []byte) {
	w := s.DeriveSecret(member, "welcome")
	return s.ExpandWithLabel(w, "key", nil, s.Nk), s.ExpandWithLabel(w, "nonce", nil, s.Nn)
}

func epochSecret(s *suite.Suite, member, groupContext []byte) []byte {
	return s.ExpandWithLabel(member, "epoch", groupContext, s.Nh)
}

func deriveEpoch(s *suite.Suite, epoch []byte) (e *epochSecrets, encryption []byte) {
	e = &epochSecrets{
		senderData:    s.DeriveSecret(epoch, "sender data"),
		exporter:      s.DeriveSecret(epoch, "exporter"),
		external:      s.DeriveSecret(epoch, "external"),
		confirmation:  s.DeriveSecret(epoch, "confirm"),
		membership:    s.DeriveSecret(epoch, "membership"),
		resumption:    s.DeriveSecret(epoch, "resumption"),
		authenticator: s.DeriveSecret(epoch, "authentication"),
		init:          s.DeriveSecret(epoch, "init"),
	}
	return e, s.DeriveSecret(epoch, "encryption")
}

// confirmedTranscript and interimTranscript are the two running hashes of §8.2.
func confirmedTranscript(s *suite.Suite, interim []byte, c *authenticatedContent) []byte {
	return s.Hash(interim, c.confirmedTranscriptInput())
}

func interimTranscript(s *suite.Suite, confirmed, confirmationTag []byte) []byte {
	var w wire.Writer
	w.Opaque(confirmationTag)
	return s.Hash(confirmed, w.B)
}

// exportSecret is MLS-Exporter (§8.5).
func exportSecret(s *suite.Suite, exporter []byte, label string, context []byte, n int) []byte {
	return s.ExpandWithLabel(s.DeriveSecret(exporter, label), "exported", s.Hash(context), n)
}

func externalPub(s *suite.Suite, external []byte) ([]byte, error) {
	priv, pub, err := s.DeriveKeyPair(external)
	clear(priv)
	return bytes.Clone(pub), err
}
