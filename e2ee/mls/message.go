package mls

import (
	"bytes"
	"fmt"

	"github.com/sotto-sfu/sotto/e2ee/mls/internal/wire"
)

// mlsMessage is the outermost structure (RFC 9420 §6). One field is set, by format.
type mlsMessage struct {
	wireFormat wireFormat
	public     *publicMessage
	private    *privateMessage
	welcome    *welcome
	groupInfo  *groupInfo
	keyPackage *KeyPackage
}

func writeMessageHeader(w *wire.Writer, f wireFormat) {
	w.U16(uint16(MLS10))
	w.U16(uint16(f))
}

func encodeMessage(f wireFormat, body interface{ marshal(*wire.Writer) }) []byte {
	var w wire.Writer
	writeMessageHeader(&w, f)
	body.marshal(&w)
	return w.B
}

// parseMessage decodes an MLSMessage. The result does not alias b.
func parseMessage(b []byte) (*mlsMessage, error) {
	if len(b) > MaxMessageSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMessageTooLarge, len(b))
	}
	r := wire.NewReader(bytes.Clone(b))
	if v := ProtocolVersion(r.U16()); r.Err() == nil && v != MLS10 {
		return nil, fmt.Errorf("%w: %d", ErrVersion, v)
	}
	m := &mlsMessage{wireFormat: wireFormat(r.U16())}
	switch m.wireFormat {
	case formatPublic:
		m.public = readPublicMessage(r)
	case formatPrivate:
		m.private = readPrivateMessage(r)
	case formatWelcome:
		m.welcome = readWelcome(r)
	case formatGroupInfo:
		m.groupInfo = readGroupInfo(r)
	case formatKeyPackage:
		m.keyPackage = readKeyPackage(r)
		if r.Err() == nil && m.keyPackage.Version != MLS10 {
			return nil, fmt.Errorf("%w: key package has %d", ErrVersion, m.keyPackage.Version)
		}
	default:
		r.Fail(fmt.Errorf("%w: %s", ErrWireFormat, m.wireFormat))
	}
	if err := r.Done(); err != nil {
		return nil, fmt.Errorf("decoding %s: %w", m.wireFormat, err)
	}
	return m, nil
}

// MessageKind says what an MLSMessage is.
type MessageKind uint8

// The kinds of messages.
const (
	KindPublic     MessageKind = MessageKind(formatPublic)
	KindPrivate    MessageKind = MessageKind(formatPrivate)
	KindWelcome    MessageKind = MessageKind(formatWelcome)
	KindGroupInfo  MessageKind = MessageKind(formatGroupInfo)
	KindKeyPackage MessageKind = MessageKind(formatKeyPackage)
)

// MessageInfo is what anybody can read from a message: enough to route it.
type MessageInfo struct {
	Kind MessageKind
	// GroupID, Epoch and ContentType are set for public and private messages; GroupID and Epoch
	// also for group infos, whose Epoch is the one they describe.
	GroupID     []byte
	Epoch       uint64
	ContentType ContentType
	// Recipients are the key package references a Welcome is for.
	Recipients [][]byte
}

// Inspect decodes a message without any key. Nothing in the result is authenticated.
func Inspect(message []byte) (MessageInfo, error) {
	m, err := parseMessage(message)
	if err != nil {
		return MessageInfo{}, err
	}
	info := MessageInfo{Kind: MessageKind(m.wireFormat)}
	switch m.wireFormat {
	case formatPublic:
		info.GroupID, info.Epoch, info.ContentType = m.public.content.groupID, m.public.content.epoch, m.public.content.contentType
	case formatPrivate:
		info.GroupID, info.Epoch, info.ContentType = m.private.groupID, m.private.epoch, m.private.contentType
	case formatGroupInfo:
		info.GroupID, info.Epoch = m.groupInfo.context.groupID, m.groupInfo.context.epoch
	case formatWelcome:
		for _, s := range m.welcome.secrets {
			info.Recipients = append(info.Recipients, s.newMember)
		}
	}
	return info, nil
}
