package rtpext

import (
	"encoding/binary"
	"errors"
)

// ErrRTXEmpty is an RTX packet without room for the original sequence number: RTX
// streams carry such packets as bandwidth probes (RFC 4588 §4 has none, browsers do).
var ErrRTXEmpty = errors.New("rtx: no original packet inside")

const osnLen = 2

// UnwrapRTX turns a parsed RTX packet back into the original it carries (RFC 4588 §4),
// in place: the header moves two bytes towards the payload, over the original
// sequence number. The result aliases p.Raw[2:]; p.Raw is spoiled, so parse the result before
// looking at p again. ssrc and payloadType are those of the stream being repaired.
// Padding, marker and extensions stay as they came.
func UnwrapRTX(p *Packet, ssrc uint32, payloadType uint8) ([]byte, error) {
	if len(p.Payload) < osnLen {
		return nil, ErrRTXEmpty
	}
	osn := binary.BigEndian.Uint16(p.Payload)
	copy(p.Raw[osnLen:], p.Raw[:p.HeaderLen])
	out := p.Raw[osnLen:]
	SetSequenceNumber(out, osn)
	SetSSRC(out, ssrc)
	SetPayloadType(out, payloadType)
	return out, nil
}
