package mls

import (
	"crypto"
	"fmt"
	"io"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

type wireFormat uint16

const (
	formatPublic     wireFormat = 1
	formatPrivate    wireFormat = 2
	formatWelcome    wireFormat = 3
	formatGroupInfo  wireFormat = 4
	formatKeyPackage wireFormat = 5
)

func (f wireFormat) String() string {
	names := [...]string{"", "public message", "private message", "welcome", "group info", "key package"}
	if f > 0 && int(f) < len(names) {
		return names[f]
	}
	return fmt.Sprintf("wire format %#04x", uint16(f))
}

// ContentType says what a framed message carries (RFC 9420 §6).
type ContentType uint8

// The content types of RFC 9420.
const (
	ContentApplication ContentType = 1
	ContentProposal    ContentType = 2
	ContentCommit      ContentType = 3
)

// SenderType says what kind of party sent a message (RFC 9420 §6).
type SenderType uint8

// The sender types of RFC 9420.
const (
	SenderMember            SenderType = 1
	SenderExternal          SenderType = 2
	SenderNewMemberProposal SenderType = 3
	SenderNewMemberCommit   SenderType = 4
)

// Sender names the party that sent a message.
type Sender struct {
	Type SenderType
	// Leaf is the member's leaf for SenderMember.
	Leaf LeafIndex
	// External is the index in the external_senders extension for SenderExternal.
	External uint32
}

func memberSender(i LeafIndex) Sender { return Sender{Type: SenderMember, Leaf: i} }

func (s Sender) marshal(w *wire.Writer) {
	w.U8(uint8(s.Type))
	switch s.Type {
	case SenderMember:
		w.U32(uint32(s.Leaf))
	case SenderExternal:
		w.U32(s.External)
	}
}

func readSender(r *wire.Reader) (s Sender) {
	s.Type = SenderType(r.U8())
	switch s.Type {
	case SenderMember:
		s.Leaf = LeafIndex(r.U32())
	case SenderExternal:
		s.External = r.U32()
	case SenderNewMemberProposal, SenderNewMemberCommit:
	default:
		r.Fail(fmt.Errorf("%w: sender type %d", ErrUnknownVariant, s.Type))
	}
	return s
}

// framedContent is what is signed (RFC 9420 §6). One of the last three fields is set, by type.
type framedContent struct {
	groupID           []byte
	epoch             uint64
	sender            Sender
	authenticatedData []byte
	contentType       ContentType
	application       []byte
	proposal          *Proposal
	commit            *commit
}

func (c *framedContent) marshal(w *wire.Writer) {
	w.Opaque(c.groupID)
	w.U64(c.epoch)
	c.sender.marshal(w)
	w.Opaque(c.authenticatedData)
	w.U8(uint8(c.contentType))
	c.marshalBody(w)
}

func (c *framedContent) marshalBody(w *wire.Writer) {
	switch c.contentType {
	case ContentApplication:
		w.Opaque(c.application)
	case ContentProposal:
		c.proposal.marshal(w)
	case ContentCommit:
		c.commit.marshal(w)
	}
}

func readFramedContent(r *wire.Reader) framedContent {
	c := framedContent{
		groupID:           r.Opaque(boundGroupID),
		epoch:             r.U64(),
		sender:            readSender(r),
		authenticatedData: r.Opaque(boundField),
		contentType:       ContentType(r.U8()),
	}
	c.readBody(r)
	return c
}

func (c *framedContent) readBody(r *wire.Reader) {
	switch c.contentType {
	case ContentApplication:
		c.application = r.Opaque(boundData)
	case ContentProposal:
		c.proposal = readProposal(r)
	case ContentCommit:
		c.commit = readCommit(r)
	default:
		r.Fail(fmt.Errorf("%w: content type %d", ErrUnknownVariant, c.contentType))
	}
}

// contentAuth is FramedContentAuthData: confirmationTag is set for commits only.
type contentAuth struct{ signature, confirmationTag []byte }

func (a *contentAuth) marshal(w *wire.Writer, t ContentType) {
	w.Opaque(a.signature)
	if t == ContentCommit {
		w.Opaque(a.confirmationTag)
	}
}

func readContentAuth(r *wire.Reader, t ContentType) (a contentAuth) {
	a.signature = r.Opaque(boundField)
	if t == ContentCommit {
		a.confirmationTag = r.Opaque(boundField)
	}
	return a
}

// authenticatedContent is content with its signature and the format it travels in, which the
// signature covers (RFC 9420 §6).
type authenticatedContent struct {
	format  wireFormat
	content framedContent
	auth    contentAuth
}

func (c *authenticatedContent) marshal(w *wire.Writer) {
	w.U16(uint16(c.format))
	c.content.marshal(w)
	c.auth.marshal(w, c.content.contentType)
}

func readAuthenticatedContent(r *wire.Reader) *authenticatedContent {
	c := &authenticatedContent{format: wireFormat(r.U16())}
	c.content = readFramedContent(r)
	c.auth = readContentAuth(r, c.content.contentType)
	return c
}

// signedContent is FramedContentTBS. Members and joiners bind it to groupContext, the encoding of
// the group context of the epoch the message is sent in: the old one, for a commit.
func (c *authenticatedContent) signedContent(groupContext []byte) []byte {
	var w wire.Writer
	w.U16(uint16(MLS10))
	w.U16(uint16(c.format))
	c.content.marshal(&w)
	if t := c.content.sender.Type; t == SenderMember || t == SenderNewMemberCommit {
		w.Raw(groupContext)
	}
	return w.B
}

const labelFramedContent = "FramedContentTBS"

func (c *authenticatedContent) sign(s *suite.Suite, rand io.Reader, signer crypto.Signer, groupContext []byte) error {
	sig, err := s.SignWithLabel(rand, signer, labelFramedContent, c.signedContent(groupContext))
	if err != nil {
		return fmt.Errorf("signing message: %w", err)
	}
	c.auth.signature = sig
	return nil
}

func (c *authenticatedContent) verify(s *suite.Suite, key, groupContext []byte) error {
	if !s.VerifyWithLabel(key, labelFramedContent, c.signedContent(groupContext), c.auth.signature) {
		return ErrMessageSignature
	}
	return nil
}

// confirmedTranscriptInput is the part of a commit that enters the confirmed transcript hash
// (RFC 9420 §8.2).
func (c *authenticatedContent) confirmedTranscriptInput() []byte {
	var w wire.Writer
	w.U16(uint16(c.format))
	c.content.marshal(&w)
	w.Opaque(c.auth.signature)
	return w.B
}
