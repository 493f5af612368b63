package client

import (
	"maps"
	"slices"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// maxWants is the most that one subscription may list.
const maxWants = 256

// chooseWants lists what to receive: what is live before what is not, screens
// before cameras, at most as many as there are slots of each kind. The order is the same
// for the same participants, so that an unchanged wish can be recognised.
func chooseWants(others map[protocol.ParticipantID]protocol.Participant, audio, video int) []protocol.Want {
	ids := slices.Sorted(maps.Keys(others))
	wants := []protocol.Want{}
	take := func(s protocol.Source, want func(protocol.SourceState) bool) {
		room := &audio
		if s.Video() {
			room = &video
		}
		for _, id := range ids {
			state := others[id].Sources[s]
			if state == "" {
				state = protocol.StateOff
			}
			if *room > 0 && len(wants) < maxWants && want(state) {
				*room--
				wants = append(wants, protocol.Want{Participant: id, Source: s})
			}
		}
	}
	on := func(st protocol.SourceState) bool { return st != protocol.StateOff }
	off := func(st protocol.SourceState) bool { return st == protocol.StateOff }
	for _, s := range []protocol.Source{
		protocol.SourceMic, protocol.SourceScreenAudio, protocol.SourceScreen, protocol.SourceCamera,
	} {
		take(s, on)
	}
	for _, s := range []protocol.Source{protocol.SourceMic, protocol.SourceCamera} {
		take(s, off)
	}
	return wants
}
