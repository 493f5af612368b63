package rtpext

import (
	"encoding/binary"
	"errors"
)

// Errors of [Packet.Parse]. A packet that gives one of these is dropped and counted.
var (
	ErrShort     = errors.New("rtp: packet too short")
	ErrLong      = errors.New("rtp: packet too long")
	ErrVersion   = errors.New("rtp: not version 2")
	ErrExtension = errors.New("rtp: malformed header extension")
	ErrPadding   = errors.New("rtp: padding longer than the payload")
)

const (
	// FixedHeader is the size of an RTP header without CSRCs and extensions (RFC 3550 §5.1).
	FixedHeader = 12
	// MaxPacket is the longest packet we read: nothing on our paths exceeds an Ethernet
	// frame, but a tunnel with jumbo frames should not break a call.
	MaxPacket = 9000
	// MaxStreamID is the longest mid or rid we take (RFC 8852 §3 leaves it open; SDP
	// of every browser uses at most a few characters). Longer ones are ignored.
	MaxStreamID = 16

	profileOneByte     = 0xBEDE // RFC 8285 §4.2
	profileTwoByte     = 0x1000 // RFC 8285 §4.3, the low four bits are "appbits"
	profileTwoByteMask = 0xFFF0
	paddingBit         = 0x20
	extensionBit       = 0x10
	markerBit          = 0x80
)

// Packet is one parsed RTP packet. It is meant to be reused: Parse overwrites all of
// it. Slices alias the parsed bytes and are valid as long as those are.
type Packet struct {
	Raw       []byte // the whole packet, as given to Parse
	HeaderLen int    // fixed header, CSRCs and extensions, in bytes
	Payload   []byte // without padding; empty for a padding-only packet
	Padding   uint8  // padding bytes at the end

	Marker         bool
	PayloadType    uint8 // 7 bits
	SequenceNumber uint16
	Timestamp      uint32
	SSRC           uint32

	MID         []byte // nil when absent, as are the next three
	RID         []byte
	RepairedRID []byte
	// DD is the dependency descriptor as it stands in the packet. See [DDParser].
	DD []byte

	HasAudioLevel  bool
	HasTransportCC bool
	HasAbsSendTime bool
	// Voice is the V bit of RFC 6464. Encoders disagree about it: prefer AudioLevel.
	Voice bool
	// AudioLevel is loudness in -dBov: 0 is the loudest, 127 is silence.
	AudioLevel  uint8
	TransportCC uint16
	AbsSendTime uint32 // 6.18 fixed-point seconds, 24 bits
}

// PaddingOnly reports a packet that carries nothing: a probe or a keep-alive.
func (p *Packet) PaddingOnly() bool { return len(p.Payload) == 0 }

// Parse reads a decrypted packet (RFC 3550 §5.1, RFC 8285). Extensions not in ids are
// skipped; a known extension of the wrong size is ignored; of a repeated one
// the first counts. On error the contents of p are undefined.
func (p *Packet) Parse(b []byte, ids *IDs) error {
	*p = Packet{Raw: b}
	if len(b) < FixedHeader {
		return ErrShort
	}
	if len(b) > MaxPacket {
		return ErrLong
	}
	first := b[0]
	if first>>6 != 2 {
		return ErrVersion
	}
	p.Marker = b[1]&markerBit != 0
	p.PayloadType = b[1] &^ markerBit
	p.SequenceNumber = binary.BigEndian.Uint16(b[2:])
	p.Timestamp = binary.BigEndian.Uint32(b[4:])
	p.SSRC = binary.BigEndian.Uint32(b[8:])

	at := FixedHeader + 4*int(first&0x0F)
	if at > len(b) {
		return ErrShort
	}
	if first&extensionBit != 0 {
		if at+4 > len(b) {
			return ErrShort
		}
		profile := binary.BigEndian.Uint16(b[at:])
		size := 4 * int(binary.BigEndian.Uint16(b[at+2:]))
		at += 4
		if at+size > len(b) {
			return ErrShort
		}
		var err error
		switch {
		case profile == profileOneByte:
			err = p.oneByte(b[at:at+size], ids)
		case profile&profileTwoByteMask == profileTwoByte:
			err = p.twoByte(b[at:at+size], ids)
		}
		if err != nil {
			return err
		}
		at += size
	}
	p.HeaderLen = at
	p.Payload = b[at:]
	if first&paddingBit != 0 {
		if len(p.Payload) == 0 {
			return ErrPadding
		}
		pad := b[len(b)-1]
		if pad == 0 || int(pad) > len(p.Payload) {
			return ErrPadding
		}
		p.Padding = pad
		p.Payload = p.Payload[:len(p.Payload)-int(pad)]
	}
	return nil
}

// oneByte reads the one-byte form (RFC 8285 §4.2).
func (p *Packet) oneByte(b []byte, ids *IDs) error {
	for len(b) > 0 {
		id, size := b[0]>>4, int(b[0]&0x0F)+1
		if id == 0 {
			if b[0] != 0 {
				return nil // id 0 with a length ends the block
			}
			b = b[1:]
			continue
		}
		if id == 15 {
			return nil // reserved: ends the block
		}
		if len(b) < 1+size {
			return ErrExtension
		}
		p.element(ids.byID[id], b[1:1+size])
		b = b[1+size:]
	}
	return nil
}

// twoByte reads the two-byte form (RFC 8285 §4.3).
func (p *Packet) twoByte(b []byte, ids *IDs) error {
	for len(b) > 0 {
		id := b[0]
		if id == 0 {
			b = b[1:]
			continue
		}
		if len(b) < 2 {
			return ErrExtension
		}
		size := int(b[1])
		if len(b) < 2+size {
			return ErrExtension
		}
		p.element(ids.byID[id], b[2:2+size])
		b = b[2+size:]
	}
	return nil
}

func (p *Packet) element(e Extension, v []byte) {
	switch e {
	case MID:
		setStreamID(&p.MID, v)
	case RID:
		setStreamID(&p.RID, v)
	case RepairedRID:
		setStreamID(&p.RepairedRID, v)
	case AudioLevel:
		if len(v) >= 1 && !p.HasAudioLevel {
			p.HasAudioLevel = true
			p.Voice = v[0]&0x80 != 0
			p.AudioLevel = v[0] & 0x7F
		}
	case TransportCC:
		if len(v) >= 2 && !p.HasTransportCC { // version 2 of the draft appends two bytes
			p.HasTransportCC = true
			p.TransportCC = binary.BigEndian.Uint16(v)
		}
	case AbsSendTime:
		if len(v) == 3 && !p.HasAbsSendTime {
			p.HasAbsSendTime = true
			p.AbsSendTime = uint32(v[0])<<16 | uint32(v[1])<<8 | uint32(v[2])
		}
	case DependencyDescriptor:
		if len(v) >= ddMandatory && p.DD == nil {
			p.DD = v
		}
	}
}

func setStreamID(dst *[]byte, v []byte) {
	if *dst == nil && len(v) > 0 && len(v) <= MaxStreamID {
		*dst = v
	}
}
