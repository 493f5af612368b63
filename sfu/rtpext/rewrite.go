package rtpext

import "encoding/binary"

// The setters below overwrite one field of a packet in place. They expect a packet
// that Parse accepted or Build wrote, and do no checks of their own.

// SetSequenceNumber overwrites the sequence number.
func SetSequenceNumber(pkt []byte, v uint16) { binary.BigEndian.PutUint16(pkt[2:], v) }

// SetTimestamp overwrites the RTP timestamp.
func SetTimestamp(pkt []byte, v uint32) { binary.BigEndian.PutUint32(pkt[4:], v) }

// SetSSRC overwrites the synchronization source.
func SetSSRC(pkt []byte, v uint32) { binary.BigEndian.PutUint32(pkt[8:], v) }

// SetPayloadType overwrites the payload type (7 bits), leaving the marker.
func SetPayloadType(pkt []byte, v uint8) { pkt[1] = pkt[1]&markerBit | v&^markerBit }

// SetMarker overwrites the marker bit, leaving the payload type.
func SetMarker(pkt []byte, v bool) {
	pkt[1] &^= markerBit
	if v {
		pkt[1] |= markerBit
	}
}

// SetTransportCC writes a transport-wide sequence number at the place that [Build]
// returned.
func SetTransportCC(pkt []byte, at int, v uint16) { binary.BigEndian.PutUint16(pkt[at:], v) }
