package mls

import (
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// publicMessage is signed and, from a member, also MACed, but not encrypted (RFC 9420 §6.2).
type publicMessage struct {
	content       framedContent
	auth          contentAuth
	membershipTag []byte // SenderMember only
}

func (m *publicMessage) marshal(w *wire.Writer) {
	m.content.marshal(w)
	m.auth.marshal(w, m.content.contentType)
	if m.content.sender.Type == SenderMember {
		w.Opaque(m.membershipTag)
	}
}

func readPublicMessage(r *wire.Reader) *publicMessage {
	m := &publicMessage{content: readFramedContent(r)}
	m.auth = readContentAuth(r, m.content.contentType)
	if m.content.sender.Type == SenderMember {
		m.membershipTag = r.Opaque(boundField)
	}
	return m
}

func (m *publicMessage) authenticated() *authenticatedContent {
	return &authenticatedContent{format: formatPublic, content: m.content, auth: m.auth}
}

// membershipInput is AuthenticatedContentTBM.
func (c *authenticatedContent) membershipInput(groupContext []byte) []byte {
	w := wire.Writer{B: c.signedContent(groupContext)}
	c.auth.marshal(&w, c.content.contentType)
	return w.B
}

// protectPublic frames signed content as a public message. membershipKey and groupContext are
// those of the epoch it is sent in.
func protectPublic(s *suite.Suite, c *authenticatedContent, membershipKey, groupContext []byte) *publicMessage {
	m := &publicMessage{content: c.content, auth: c.auth}
	if c.content.sender.Type == SenderMember {
		m.membershipTag = s.MAC(membershipKey, c.membershipInput(groupContext))
	}
	return m
}

// unprotect checks the membership tag and returns the content, whose signature is still unchecked.
func (m *publicMessage) unprotect(s *suite.Suite, membershipKey, groupContext []byte) (*authenticatedContent, error) {
	c := m.authenticated()
	if c.content.contentType == ContentApplication {
		return nil, ErrApplicationInPublic
	}
	if c.content.sender.Type == SenderMember &&
		!s.VerifyMAC(membershipKey, c.membershipInput(groupContext), m.membershipTag) {
		return nil, ErrMembershipTag
	}
	return c, nil
}
