package signaling

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// member is one participant of a call. Its fields are guarded by the room's
// lock, but for id and key, which never change.
type member struct {
	id        protocol.ParticipantID
	key       protocol.Bytes // device key
	sources   map[protocol.Source]protocol.SourceState
	connected bool
	// send delivers an event to the participant, in the order of calls,
	// without blocking.
	send func(name string, body []byte)
}

func (m *member) describe() protocol.Participant {
	return protocol.Participant{ID: m.id, DeviceKey: m.key, Sources: maps.Clone(m.sources), Connected: m.connected}
}

// room is the state of one call: who is in it and what they are doing. It
// turns what happens into events for the others. It has no lock and no clock;
// its owner ([liveRoom]) has.
type room struct {
	limit   int
	members map[protocol.ParticipantID]*member
	order   []protocol.ParticipantID // by time of joining
}

func newRoom(limit int) *room {
	return &room{limit: limit, members: make(map[protocol.ParticipantID]*member)}
}

// add lets a member in, tells the others, and says who they are.
func (r *room) add(m *member) []protocol.Participant {
	present := r.others(m)
	r.members[m.id] = m
	r.order = append(r.order, m.id)
	r.tellOthers(m, protocol.TypeParticipantJoined, protocol.ParticipantJoinedEvent{Participant: m.describe()})
	return present
}

// others describes everybody but m.
func (r *room) others(m *member) []protocol.Participant {
	present := make([]protocol.Participant, 0, len(r.order))
	for _, id := range r.order {
		if id != m.id {
			present = append(present, r.members[id].describe())
		}
	}
	return present
}

// remove takes a member out and tells the others; false if it was out already.
func (r *room) remove(m *member, reason protocol.LeaveReason) bool {
	if r.members[m.id] != m {
		return false
	}
	delete(r.members, m.id)
	r.order = slices.DeleteFunc(r.order, func(id protocol.ParticipantID) bool { return id == m.id })
	r.tellOthers(m, protocol.TypeParticipantLeft, protocol.ParticipantLeftEvent{Participant: m.id, Reason: reason})
	return true
}

// setConnected notes whether the member's WebSocket is there.
func (r *room) setConnected(m *member, connected bool) {
	if r.members[m.id] == m && m.connected != connected {
		m.connected = connected
		r.tellUpdate(m)
	}
}

// setSource notes what a source is doing; what is so already is not told
// again.
func (r *room) setSource(m *member, source protocol.Source, state protocol.SourceState) {
	before, was := m.sources[source]
	if r.members[m.id] != m || before == state || !was && state == protocol.StateOff {
		return
	}
	if state == protocol.StateOff {
		delete(m.sources, source)
	} else {
		m.sources[source] = state
	}
	r.tellUpdate(m)
}

// deliver hands each sealed message to its receiver and says who was not
// there.
func (r *room) deliver(from *member, messages []protocol.SealedMessage) []protocol.ParticipantID {
	undelivered := []protocol.ParticipantID{}
	for _, msg := range messages {
		to, ok := r.members[msg.To]
		if !ok {
			undelivered = append(undelivered, msg.To)
			continue
		}
		to.send(protocol.TypeCallMessage, encode(protocol.CallMessageEvent{From: from.id, Payload: msg.Payload}))
	}
	return undelivered
}

// known drops the wants for people who are not, or no longer, in the call: a
// subscription races with people leaving, and must not fail for it.
func (r *room) known(wants []protocol.Want) []protocol.Want {
	return slices.DeleteFunc(slices.Clone(wants), func(w protocol.Want) bool { return r.members[w.Participant] == nil })
}

func (r *room) tellUpdate(m *member) {
	r.tellOthers(m, protocol.TypeParticipantUpdated, protocol.ParticipantUpdatedEvent{Participant: m.describe()})
}

func (r *room) tellOthers(m *member, name string, event any) {
	var body []byte
	for _, id := range r.order {
		if id == m.id {
			continue
		}
		if body == nil {
			body = encode(event)
		}
		r.members[id].send(name, body)
	}
}

// encode spells one of our own messages, which cannot fail.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("signaling: a wire type that does not encode: " + err.Error())
	}
	return b
}
