package protocol

// Request names. A reply carries the name of its request.
const (
	TypeHello        = "hello"
	TypeLogin        = "login"
	TypePing         = "ping"
	TypeCallCreate   = "call.create"
	TypeCallLookup   = "call.challenge"
	TypeCallJoin     = "call.join"
	TypeCallLeave    = "call.leave"
	TypeCallSend     = "call.send"
	TypeSourceUpdate = "source.update"
	TypeMediaOffer   = "media.offer"
	TypeMediaRestart = "media.restart"
	TypeSubscribe    = "media.subscribe"
)

// HelloRequest is the first message on every WebSocket.
type HelloRequest struct {
	// Client names the software and version for the operator's logs, at most
	// 64 printable ASCII characters, e.g. "sotto-web/0.1.0".
	Client string `json:"client" wire:"ascii,min=1,max=64"`
}

// HelloReply gives the login challenge and the limits in force.
type HelloReply struct {
	Server    string `json:"server" wire:"ascii,max=64"` // software and version
	Challenge Bytes  `json:"challenge" wire:"len=32"`    // 32 random bytes, valid on this WebSocket once
	Limits    Limits `json:"limits"`
	// PingMillis is how often the client should send ping. A WebSocket silent
	// for three times as long is closed.
	PingMillis int `json:"ping_ms" wire:"min=1000,max=600000"`
	// ResumeMillis is how long a session survives the loss of its WebSocket.
	ResumeMillis int `json:"resume_ms" wire:"max=3600000"`
}

// Limits are the server's configured bounds.
type Limits struct {
	MessageBytes      int `json:"message_bytes" wire:"min=1,max=16777216"`       // largest WebSocket message
	MessagesPerSecond int `json:"messages_per_second" wire:"min=1,max=16777216"` // sustained requests per connection
	MessageBurst      int `json:"message_burst" wire:"min=1,max=16777216"`       // requests that may come at once
	CallsPerDevice    int `json:"calls_per_device" wire:"min=1,max=16777216"`    // calls one device may be in, and may hold open as creator
	Participants      int `json:"participants" wire:"min=1,max=16777216"`        // per call
	AudioSlots        int `json:"audio_slots" wire:"min=1,max=16777216"`         // receive sections of each kind
	VideoSlots        int `json:"video_slots" wire:"min=1,max=16777216"`
	PayloadBytes      int `json:"payload_bytes" wire:"min=1,max=16777216"` // one sealed payload of call.send, decoded
}

// LoginRequest proves possession of the device key.
type LoginRequest struct {
	DeviceKey Bytes `json:"device_key" wire:"len=32"` // Ed25519 public key, 32 bytes
	// Signature is Ed25519 over the login context: see identity.LoginMessage
	// and docs/PROTOCOL.md.
	Signature Bytes `json:"signature" wire:"len=64"`
	// Resume asks for an earlier session of the same device.
	Resume *Resume `json:"resume,omitempty"`
}

// Resume names the session to take up again.
type Resume struct {
	Session SessionID `json:"session"`
	LastSeq uint64    `json:"last_seq"` // the newest event that was handled
}

// LoginReply opens or resumes a session. With Resumed true, the events after
// LastSeq follow at once in order; with false the session is new and empty, and
// a client that was in a call joins it again.
type LoginReply struct {
	Device  DeviceID  `json:"device"`
	Session SessionID `json:"session"`
	Resumed bool      `json:"resumed"`
}

// PingRequest keeps the connection alive and measures it.
type PingRequest struct{}

// PingReply answers a ping.
type PingReply struct{}

// CallCreateRequest registers a call. Doing it again is no error.
type CallCreateRequest struct {
	Call CallID `json:"call"`
	// AdmissionKey is the Ed25519 public key, 32 bytes, whose private half only
	// holders of the call secret have. Call must be derived from it.
	AdmissionKey Bytes `json:"admission_key" wire:"len=32"`
}

// CallCreateReply tells whether the call is new.
type CallCreateReply struct {
	Created bool `json:"created"`
	// ExpiresAt is when an empty call is forgotten, in Unix milliseconds.
	ExpiresAt int64 `json:"expires_at"`
}

// CallChallengeRequest asks for the challenge to sign for joining a call.
type CallChallengeRequest struct {
	Call CallID `json:"call"`
}

// CallChallengeReply carries a challenge for one join by this session.
type CallChallengeReply struct {
	Challenge Bytes `json:"challenge" wire:"len=32"` // 32 random bytes, valid for 60 s
}

// CallJoinRequest joins a call.
type CallJoinRequest struct {
	Call CallID `json:"call"`
	// Signature is by the admission key over the admission context: see
	// identity.AdmissionMessage and docs/PROTOCOL.md.
	Signature Bytes `json:"signature" wire:"len=64"`
}

// CallJoinReply says who the client is in the call and who is there already.
type CallJoinReply struct {
	Participant  ParticipantID `json:"participant"`
	Participants []Participant `json:"participants" wire:"max=1024"` // without the client itself
}

// Participant is one member of a call as the server knows it: no name, no key
// but the device's public one.
type Participant struct {
	ID        ParticipantID          `json:"id"`
	DeviceKey Bytes                  `json:"device_key" wire:"len=32"` // Ed25519, 32 bytes
	Sources   map[Source]SourceState `json:"sources"`                  // absent means off
	Connected bool                   `json:"connected"`                // false while its WebSocket is lost
}

// CallLeaveRequest leaves the call.
type CallLeaveRequest struct{}

// CallLeaveReply confirms it.
type CallLeaveReply struct{}

// CallSendRequest hands sealed payloads to the server for other participants.
type CallSendRequest struct {
	Messages []SealedMessage `json:"messages" wire:"min=1,max=1024"` // at most one per participant
}

// SealedMessage is opaque to the server.
type SealedMessage struct {
	To      ParticipantID `json:"to"`
	Payload Bytes         `json:"payload" wire:"min=1,max=131072"`
}

// CallSendReply lists who was not there to receive.
type CallSendReply struct {
	Undelivered []ParticipantID `json:"undelivered" wire:"max=1024"`
}

// SourceUpdateRequest announces what a source is doing.
type SourceUpdateRequest struct {
	Source Source      `json:"source"`
	State  SourceState `json:"state"`
}

// SourceUpdateReply confirms it.
type SourceUpdateReply struct{}

// MediaOfferRequest is the one SDP offer of a call.
type MediaOfferRequest struct {
	SDP string `json:"sdp" wire:"min=1,max=200000"`
	// Sections says what each m-section of the offer is for, by its mid.
	Sections []Section `json:"sections" wire:"min=1,max=256"`
}

// Section describes one m-section. Exactly one of Publish and Receive is set.
type Section struct {
	Mid     string    `json:"mid" wire:"ascii,min=1,max=32"`
	Publish Source    `json:"publish,omitempty"` // the client sends this source here
	Receive MediaKind `json:"receive,omitempty"` // a slot the server may bind a source to
}

// MediaKind is audio or video.
type MediaKind string

// The kinds of media.
const (
	KindAudio MediaKind = "audio"
	KindVideo MediaKind = "video"
)

// MediaOfferReply is the one answer.
type MediaOfferReply struct {
	SDP string `json:"sdp" wire:"min=1,max=200000"`
}

// MediaRestartRequest is an offer with new ICE credentials and the same
// sections: an ICE restart (RFC 8445 section 2.4).
type MediaRestartRequest struct {
	SDP string `json:"sdp" wire:"min=1,max=200000"`
}

// MediaRestartReply answers it.
type MediaRestartReply struct {
	SDP string `json:"sdp" wire:"min=1,max=200000"`
}

// SubscribeRequest replaces the list of what the client wants to receive.
type SubscribeRequest struct {
	Wants []Want `json:"wants" wire:"max=256"` // most wanted first; what exceeds the slots is left out
}

// Want asks for one source of one participant. It may be off: the slot is
// then bound and silent until media comes.
type Want struct {
	Participant ParticipantID `json:"participant"`
	Source      Source        `json:"source"`
	MaxWidth    int           `json:"max_width,omitempty" wire:"max=65535"` // pixels of the tile; 0: no limit
	MaxHeight   int           `json:"max_height,omitempty" wire:"max=65535"`
}

// SubscribeReply tells the bindings that resulted.
type SubscribeReply struct {
	Bindings []Binding `json:"bindings" wire:"max=256"`
}

// Binding says what a slot carries. Slots not listed carry nothing.
type Binding struct {
	Mid         string        `json:"mid" wire:"ascii,min=1,max=32"`
	Participant ParticipantID `json:"participant"`
	Source      Source        `json:"source"`
}
