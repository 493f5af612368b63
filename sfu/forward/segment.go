package forward

import "github.com/sotto-sfu/sotto/sfu/seqnum"

// segment is a stretch of outgoing numbers that are rewritten alike. It begins with
// firstOut and ends where the next segment begins.
type segment struct {
	firstOut, firstIn seqnum.Full
	source            Source
	timestamp         uint32 // these are added to the publisher's numbers
	frame             uint16
	picture           uint16
	tl0               uint8
}

func (s *segment) out(in seqnum.Full) seqnum.Full { return s.firstOut + in - s.firstIn }
func (s *segment) in(out seqnum.Full) seqnum.Full { return s.firstIn + out - s.firstOut }

// segments is a ring of the newest ones. Looking one up walks back from the newest,
// which is the right one for nearly every packet.
type segments struct {
	ring  [maxSegments]segment
	count int // ever pushed
}

func (r *segments) push(s segment) {
	r.ring[r.count%maxSegments] = s
	r.count++
}

// newest is the one in use. There must be one.
func (r *segments) newest() *segment { return &r.ring[(r.count-1)%maxSegments] }

// incoming finds the segment of a packet of the current source by its own number, and the outgoing
// number at which the segment ends, zero for the newest. It returns nil if the segment was forgotten.
// The number must not be from before the current source started.
func (r *segments) incoming(in seqnum.Full) (seg *segment, end seqnum.Full) {
	for i := r.count - 1; i >= 0 && i >= r.count-maxSegments; i-- {
		s := &r.ring[i%maxSegments]
		if s.firstIn <= in {
			return s, end
		}
		end = s.firstOut
	}
	return nil, 0
}

// outgoing finds the segment of an outgoing number, nil if it was forgotten.
func (r *segments) outgoing(out seqnum.Full) *segment {
	for i := r.count - 1; i >= 0 && i >= r.count-maxSegments; i-- {
		s := &r.ring[i%maxSegments]
		if s.firstOut <= out {
			return s
		}
	}
	return nil
}
