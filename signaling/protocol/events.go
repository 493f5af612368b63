package protocol

// Event names.
const (
	TypeParticipantJoined  = "participant.joined"
	TypeParticipantUpdated = "participant.updated"
	TypeParticipantLeft    = "participant.left"
	TypeCallMessage        = "call.message"
	TypeMediaBindings      = "media.bindings"
	TypeMediaFailed        = "media.failed"
	TypeServerShutdown     = "server.shutdown"
)

// ParticipantJoinedEvent announces a newcomer.
type ParticipantJoinedEvent struct {
	Participant Participant `json:"participant"`
}

// ParticipantUpdatedEvent carries the whole new state of a participant.
type ParticipantUpdatedEvent struct {
	Participant Participant `json:"participant"`
}

// LeaveReason says why somebody is gone.
type LeaveReason string

// The reasons for leaving.
const (
	ReasonLeft     LeaveReason = "left"     // asked to leave
	ReasonLost     LeaveReason = "lost"     // did not resume in time
	ReasonShutdown LeaveReason = "shutdown" // the server is stopping
)

// ParticipantLeftEvent says who is gone. Receivers must stop sharing keys
// with them.
type ParticipantLeftEvent struct {
	Participant ParticipantID `json:"participant"`
	Reason      LeaveReason   `json:"reason"`
}

// CallMessageEvent delivers a sealed payload.
type CallMessageEvent struct {
	From    ParticipantID `json:"from"`
	Payload Bytes         `json:"payload" wire:"min=1,max=131072"`
}

// MediaBindingsEvent replaces all bindings, after the server changed some.
type MediaBindingsEvent struct {
	Bindings []Binding `json:"bindings" wire:"max=256"`
}

// MediaFailedEvent tells that the media connection will not come back by
// itself: an ICE restart may revive it, or joining again with a new offer.
type MediaFailedEvent struct {
	Reason string `json:"reason" wire:"max=200"`
}

// ServerShutdownEvent announces an orderly stop. The WebSocket is closed
// right after; clients come back after the delay.
type ServerShutdownEvent struct {
	ReconnectMillis int `json:"reconnect_ms" wire:"max=600000"`
}
