package transport

import (
	"github.com/sotto-sfu/sotto/sfu/codec"
	"github.com/sotto-sfu/sotto/sfu/rtpext"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Session is the outcome of an offer. It does not change afterwards.
type Session struct {
	Publish []Publish // in the order of the offer
	Slots   []Slot    // likewise
	// Ext has the extensions of all publish sections: with BUNDLE an id means the
	// same in each (RFC 9143 §10), and a packet is read before its section is known.
	Ext *rtpext.IDs
}

// Publish is a section in which the participant sends a source.
type Publish struct {
	Mid    string
	Source protocol.Source
	Codecs []PayloadType // by the participant's preference, never empty
	Ext    *rtpext.IDs
	// Streams are those the offer declared (a=ssrc). Others are recognised by
	// their mid extension.
	Streams []Stream
}

// Slot is a section in which the participant receives what the SFU binds to it.
type Slot struct {
	Mid  string
	Kind protocol.MediaKind
	// Index counts the slots of a kind from 0. Audio and video slots of the same index
	// share a media stream, so that browsers keep them lip-synchronous.
	Index  int
	CNAME  string // RFC 3550 §6.5.1, the same for both slots of an index
	Codecs []PayloadType
	Ext    *rtpext.IDs
	Stream Stream // drawn by us
}

// Stream is a pair of SSRCs (RFC 3550 §3, RFC 4588 §8.1).
type Stream struct {
	SSRC uint32
	RTX  uint32 // zero without retransmission
}

// PayloadType is a codec as one section negotiated it.
type PayloadType struct {
	Codec  codec.Codec
	Number uint8 // the payload type, 0-127
	RTX    uint8 // payload type of its RTX packets, zero without (RFC 4588 §8.1)

	// The RTCP feedback both sides agreed on: generic NACK and PLI (RFC 4585), FIR
	// (RFC 5104), transport-wide congestion control and REMB.
	NACK, PLI, FIR, TransportCC, REMB bool

	fmtp string // as we answer it
}

// ByNumber finds the codec of a payload type. rtx tells that it is the
// retransmission format of that codec.
func (p *Publish) ByNumber(number uint8) (pt *PayloadType, rtx bool) {
	for i := range p.Codecs {
		switch pt := &p.Codecs[i]; number {
		case pt.Number:
			return pt, false
		case pt.RTX:
			if pt.RTX != 0 {
				return pt, true
			}
		}
	}
	return nil, false
}

// ByCodec finds how a slot carries a codec, nil if it cannot.
func (s *Slot) ByCodec(c codec.Codec) *PayloadType {
	for i := range s.Codecs {
		if s.Codecs[i].Codec == c {
			return &s.Codecs[i]
		}
	}
	return nil
}
