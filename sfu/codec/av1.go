package codec

// AV1Aggregation is the aggregation header of the AV1 RTP specification §4.4.
type AV1Aggregation struct {
	Continues   bool  // Z: the first element continues one of the packet before
	Continued   bool  // Y: the last element continues in the next packet
	Elements    uint8 // W: number of elements, zero when each has its length in front
	NewSequence bool  // N: first packet of a coded video sequence, so of a key frame
}

// Parse reads the header at the front of a payload.
func (a *AV1Aggregation) Parse(b []byte) error {
	if len(b) < 1 {
		return ErrDescriptor
	}
	*a = AV1Aggregation{
		Continues:   b[0]&0x80 != 0,
		Continued:   b[0]&0x40 != 0,
		Elements:    b[0] >> 4 & 0x03,
		NewSequence: b[0]&0x08 != 0,
	}
	return nil
}
