package signaling

import "strconv"

// stream is the event stream of one session: it numbers events from 1 without
// gaps and keeps the newest for a resumption, within bounds.
//
// It has no lock and no clock. What it returns is shared and never changed.
type stream struct {
	maxEvents, maxBytes int

	kept  [][]byte // encoded, consecutive; the last has number next-1
	bytes int      // of kept
	next  uint64   // number of the next event
	// handed is the newest event that was handed to a socket. Dropping a newer
	// one loses it for certain.
	handed uint64
}

func newStream(l Limits) *stream {
	return &stream{maxEvents: l.ReplayEvents, maxBytes: l.ReplayBytes, next: 1}
}

// push numbers and encodes an event. attached tells that it goes to a socket
// at once. lost is true when an event had to be dropped that no socket ever
// got: the session cannot be resumed any more.
func (s *stream) push(name string, body []byte, attached bool) (encoded []byte, lost bool) {
	encoded = encodeEvent(s.next, name, body)
	if attached {
		s.handed = s.next
	}
	s.next++
	s.kept = append(s.kept, encoded)
	s.bytes += len(encoded)
	for len(s.kept) > s.maxEvents || s.bytes > s.maxBytes {
		if s.oldest() > s.handed {
			lost = true
		}
		s.bytes -= len(s.kept[0])
		s.kept[0] = nil
		s.kept = s.kept[1:]
	}
	return encoded, lost
}

func (s *stream) oldest() uint64 { return s.next - uint64(len(s.kept)) }

// replay gives the events after the one that the client handled last, and
// counts them as handed over. It fails when some are no longer kept, or when
// last is of the future.
func (s *stream) replay(last uint64) (events [][]byte, ok bool) {
	if last >= s.next || last+1 < s.oldest() {
		return nil, false
	}
	s.handed = s.next - 1
	return s.kept[last+1-s.oldest():], true
}

// encodeEvent spells the envelope of an event. body is JSON already and name
// is one of our own constants.
func encodeEvent(seq uint64, name string, body []byte) []byte {
	b := make([]byte, 0, 40+len(name)+len(body))
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, seq, 10)
	b = append(b, `,"type":"`...)
	b = append(b, name...)
	b = append(b, `","body":`...)
	b = append(b, body...)
	return append(b, '}')
}
