package mls

import (
	"fmt"
	"io"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/suite"
	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// privateMessage is encrypted for the members of one epoch (RFC 9420 §6.3).
type privateMessage struct {
	groupID             []byte
	epoch               uint64
	contentType         ContentType
	authenticatedData   []byte
	encryptedSenderData []byte
	ciphertext          []byte
}

func (m *privateMessage) marshal(w *wire.Writer) {
	w.Opaque(m.groupID)
	w.U64(m.epoch)
	w.U8(uint8(m.contentType))
	w.Opaque(m.authenticatedData)
	w.Opaque(m.encryptedSenderData)
	w.Opaque(m.ciphertext)
}

func readPrivateMessage(r *wire.Reader) *privateMessage {
	m := &privateMessage{
		groupID:             r.Opaque(boundGroupID),
		epoch:               r.U64(),
		contentType:         ContentType(r.U8()),
		authenticatedData:   r.Opaque(boundField),
		encryptedSenderData: r.Opaque(boundField),
		ciphertext:          r.Opaque(boundCiphertext),
	}
	if m.contentType < ContentApplication || m.contentType > ContentCommit {
		r.Fail(fmt.Errorf("%w: content type %d", ErrUnknownVariant, m.contentType))
	}
	return m
}

// contentAAD is PrivateContentAAD, senderDataAAD is SenderDataAAD.
func (m *privateMessage) contentAAD() []byte {
	w := wire.Writer{B: m.senderDataAAD()}
	w.Opaque(m.authenticatedData)
	return w.B
}

func (m *privateMessage) senderDataAAD() []byte {
	var w wire.Writer
	w.Opaque(m.groupID)
	w.U64(m.epoch)
	w.U8(uint8(m.contentType))
	return w.B
}

// senderData says which key a private message is encrypted under. The guard is random and keeps a
// nonce from repeating even where a generation does (RFC 9420 §6.3.1).
type senderData struct {
	leaf       LeafIndex
	generation uint32
	guard      [4]byte
}

func (d *senderData) marshal(w *wire.Writer) {
	w.U32(uint32(d.leaf))
	w.U32(d.generation)
	w.Raw(d.guard[:])
}

func senderDataKey(s *suite.Suite, secret, ciphertext []byte) (key, nonce []byte) {
	sample := ciphertext[:min(len(ciphertext), s.Nh)]
	return s.ExpandWithLabel(secret, "key", sample, s.Nk), s.ExpandWithLabel(secret, "nonce", sample, s.Nn)
}

func applyGuard(nonce []byte, guard [4]byte) []byte {
	out := append([]byte(nil), nonce...)
	for i, g := range guard {
		out[i] ^= g
	}
	return out
}

// privateSender is what encrypting needs beside the content: the key of the sender's next
// generation, from the ratchet.
type privateSender struct {
	senderDataSecret []byte
	generation       uint32
	key, nonce       []byte
	padTo            int // the plaintext is padded with zeros to a multiple of this many bytes
}

func protectPrivate(s *suite.Suite, rand io.Reader, c *authenticatedContent, p privateSender) (*privateMessage, error) {
	m := &privateMessage{
		groupID:           c.content.groupID,
		epoch:             c.content.epoch,
		contentType:       c.content.contentType,
		authenticatedData: c.content.authenticatedData,
	}
	var plain wire.Writer
	c.content.marshalBody(&plain)
	c.auth.marshal(&plain, c.content.contentType)
	if p.padTo > 1 {
		if over := len(plain.B) % p.padTo; over != 0 {
			plain.Raw(make([]byte, p.padTo-over))
		}
	}
	sd := senderData{leaf: c.content.sender.Leaf, generation: p.generation}
	if _, err := io.ReadFull(rand, sd.guard[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	var err error
	if m.ciphertext, err = s.Seal(p.key, applyGuard(p.nonce, sd.guard), plain.B, m.contentAAD()); err != nil {
		return nil, fmt.Errorf("encrypting message: %w", err)
	}
	var w wire.Writer
	sd.marshal(&w)
	key, nonce := senderDataKey(s, p.senderDataSecret, m.ciphertext)
	if m.encryptedSenderData, err = s.Seal(key, nonce, w.B, m.senderDataAAD()); err != nil {
		return nil, fmt.Errorf("encrypting sender data: %w", err)
	}
	return m, nil
}

// openSenderData decrypts who sent m and under which generation. Any member could have written it:
// only the signature inside proves the sender.
func (m *privateMessage) openSenderData(s *suite.Suite, senderDataSecret []byte) (d senderData, err error) {
	key, nonce := senderDataKey(s, senderDataSecret, m.ciphertext)
	plain, err := s.Open(key, nonce, m.encryptedSenderData, m.senderDataAAD())
	if err != nil {
		return d, fmt.Errorf("%w: sender data", ErrDecrypt)
	}
	r := wire.NewReader(plain)
	d.leaf, d.generation = LeafIndex(r.U32()), r.U32()
	copy(d.guard[:], r.Take(4))
	return d, r.Done()
}

// openContent decrypts the content under the key of d's generation and checks the padding.
func (m *privateMessage) openContent(s *suite.Suite, d senderData, key, nonce []byte) (*authenticatedContent, error) {
	plain, err := s.Open(key, applyGuard(nonce, d.guard), m.ciphertext, m.contentAAD())
	if err != nil {
		return nil, fmt.Errorf("%w: content", ErrDecrypt)
	}
	c := &authenticatedContent{format: formatPrivate, content: framedContent{
		groupID:           m.groupID,
		epoch:             m.epoch,
		sender:            memberSender(d.leaf),
		authenticatedData: m.authenticatedData,
		contentType:       m.contentType,
	}}
	r := wire.NewReader(plain)
	c.content.readBody(r)
	c.auth = readContentAuth(r, m.contentType)
	for _, b := range r.Rest() {
		if b != 0 {
			return nil, ErrPadding
		}
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decoding private content: %w", err)
	}
	return c, nil
}
