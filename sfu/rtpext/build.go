package rtpext

import (
	"encoding/binary"
	"errors"
)

// ErrBuffer is a destination too small for the packet.
var ErrBuffer = errors.New("rtp: buffer too small")

const (
	// MaxGrowth is how much longer than its source a built packet can be: a buffer of
	// len(src.Raw)+MaxGrowth always suffices.
	MaxGrowth = extHeader + // when the source had no extensions
		maxElementHeader + MaxStreamID + // mid
		maxElementHeader + 2 + // transport-cc
		2*1 + // the other two elements, each in the two-byte form instead of the one-byte one
		3 + // alignment
		osnLen

	extHeader        = 4
	maxElementHeader = 2
)

// Outgoing is what a subscriber's copy of a packet says instead of the publisher's.
type Outgoing struct {
	SSRC           uint32
	PayloadType    uint8
	Marker         bool
	SequenceNumber uint16
	Timestamp      uint32

	// RewriteFrameNumber puts FrameNumber into the dependency descriptor, if there is one.
	RewriteFrameNumber bool
	FrameNumber        uint16

	// MID is sent if not empty and the subscriber negotiated it (at most MaxStreamID bytes).
	MID []byte
	// TransportSequence is sent if the subscriber negotiated transport-cc; a pacer may
	// overwrite it later with SetTransportCC.
	TransportSequence uint16

	// Retransmission makes the packet an RTX one (RFC 4588 §4): SSRC, PayloadType and
	// SequenceNumber above are then those of the RTX stream.
	Retransmission   bool
	OriginalSequence uint16
}

// Built says what Build wrote.
type Built struct {
	Len int // length of the packet in bytes
	// TransportCC is the offset of the transport-wide sequence number for
	// SetTransportCC, zero if the packet has none.
	TransportCC int
	// Payload is the offset of the copied payload.
	Payload int
}

// Build writes the subscriber's copy of src into dst, which must not overlap src.
// ids are the subscriber's. Carried over: payload, audio level, dependency
// descriptor. Added: mid, transport-cc. Left behind: CSRCs, padding, and every
// other extension (abs-send-time would be a lie after forwarding).
//
// It writes the one-byte form of RFC 8285 unless an element does not fit in it (a descriptor with
// an attached structure is longer than 16 bytes); the subscriber must then have
// negotiated extmap-allow-mixed. The only error is ErrBuffer.
func Build(dst []byte, src *Packet, o *Outgoing, ids *IDs) (Built, error) {
	b := builder{dst: dst, at: FixedHeader}
	if len(dst) < FixedHeader {
		return Built{}, ErrBuffer
	}
	dst[0] = 2 << 6
	dst[1] = o.PayloadType &^ markerBit
	if o.Marker {
		dst[1] |= markerBit
	}
	binary.BigEndian.PutUint16(dst[2:], o.SequenceNumber)
	binary.BigEndian.PutUint32(dst[4:], o.Timestamp)
	binary.BigEndian.PutUint32(dst[8:], o.SSRC)

	tcc, err := b.extensions(src, o, ids)
	if err != nil {
		return Built{}, err
	}
	if o.Retransmission {
		if b.at+osnLen > len(dst) {
			return Built{}, ErrBuffer
		}
		binary.BigEndian.PutUint16(dst[b.at:], o.OriginalSequence)
		b.at += osnLen
	}
	if b.at+len(src.Payload) > len(dst) {
		return Built{}, ErrBuffer
	}
	n := copy(dst[b.at:], src.Payload)
	return Built{Len: b.at + n, TransportCC: tcc, Payload: b.at}, nil
}

type builder struct {
	dst     []byte
	at      int
	twoByte bool
}

// extensions writes the extension block, if there is anything to put in it, and
// returns the offset of the transport-wide sequence number.
func (b *builder) extensions(src *Packet, o *Outgoing, ids *IDs) (int, error) {
	level, dd, tcc, mid := ids.ids[AudioLevel], ids.ids[DependencyDescriptor], ids.ids[TransportCC], ids.ids[MID]
	if !src.HasAudioLevel {
		level = 0
	}
	if src.DD == nil {
		dd = 0
	}
	if len(o.MID) == 0 || len(o.MID) > MaxStreamID {
		mid = 0
	}
	if level|dd|tcc|mid == 0 {
		return 0, nil
	}
	b.twoByte = level > 14 || tcc > 14 || mid > 14 || dd > 14 || (dd != 0 && len(src.DD) > 16)

	start := b.at
	// An upper bound of the block, checked once.
	need := extHeader + 3
	if level != 0 {
		need += maxElementHeader + 1
	}
	if dd != 0 {
		need += maxElementHeader + len(src.DD)
	}
	if tcc != 0 {
		need += maxElementHeader + 2
	}
	if mid != 0 {
		need += maxElementHeader + len(o.MID)
	}
	if start+need > len(b.dst) {
		return 0, ErrBuffer
	}
	b.at += extHeader
	tccAt := 0
	if tcc != 0 {
		b.element(tcc, 2)
		tccAt = b.at
		binary.BigEndian.PutUint16(b.dst[b.at:], o.TransportSequence)
		b.at += 2
	}
	if level != 0 {
		b.element(level, 1)
		v := src.AudioLevel & 0x7F
		if src.Voice {
			v |= 0x80
		}
		b.dst[b.at] = v
		b.at++
	}
	if mid != 0 {
		b.element(mid, len(o.MID))
		b.at += copy(b.dst[b.at:], o.MID)
	}
	if dd != 0 {
		b.element(dd, len(src.DD))
		n := copy(b.dst[b.at:], src.DD)
		if o.RewriteFrameNumber {
			SetFrameNumber(b.dst[b.at:b.at+n], o.FrameNumber)
		}
		b.at += n
	}
	for (b.at-start)%4 != 0 {
		b.dst[b.at] = 0
		b.at++
	}
	profile := uint16(profileOneByte)
	if b.twoByte {
		profile = profileTwoByte
	}
	b.dst[0] |= extensionBit
	binary.BigEndian.PutUint16(b.dst[start:], profile)
	binary.BigEndian.PutUint16(b.dst[start+2:], uint16((b.at-start-extHeader)/4))
	return tccAt, nil
}

// element writes the header of one element; lengths fit because the caller chose the form.
func (b *builder) element(id uint8, size int) {
	if b.twoByte {
		b.dst[b.at], b.dst[b.at+1] = id, uint8(size)
		b.at += 2
		return
	}
	b.dst[b.at] = id<<4 | uint8(size-1)
	b.at++
}
