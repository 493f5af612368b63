package protocol

import "reflect"

// Kind says which way a message goes and what for.
type Kind string

// The kinds of messages.
const (
	KindRequest Kind = "request" // client to server
	KindReply   Kind = "reply"   // server to client, answering a request
	KindEvent   Kind = "event"   // server to client, of its own accord
)

// Message is one entry of the protocol's registry: what an [Envelope] of this
// type and kind carries.
type Message struct {
	Type string
	Kind Kind
	Body reflect.Type // a struct of this package
}

// Messages lists every message of sotto.v1. A message missing here does not
// exist: the server's decoder, the TypeScript types and the golden files all
// come from this list.
var Messages = []Message{
	request[HelloRequest](TypeHello), reply[HelloReply](TypeHello),
	request[LoginRequest](TypeLogin), reply[LoginReply](TypeLogin),
	request[PingRequest](TypePing), reply[PingReply](TypePing),
	request[CallCreateRequest](TypeCallCreate), reply[CallCreateReply](TypeCallCreate),
	request[CallChallengeRequest](TypeCallLookup), reply[CallChallengeReply](TypeCallLookup),
	request[CallJoinRequest](TypeCallJoin), reply[CallJoinReply](TypeCallJoin),
	request[CallLeaveRequest](TypeCallLeave), reply[CallLeaveReply](TypeCallLeave),
	request[CallSendRequest](TypeCallSend), reply[CallSendReply](TypeCallSend),
	request[SourceUpdateRequest](TypeSourceUpdate), reply[SourceUpdateReply](TypeSourceUpdate),
	request[MediaOfferRequest](TypeMediaOffer), reply[MediaOfferReply](TypeMediaOffer),
	request[MediaRestartRequest](TypeMediaRestart), reply[MediaRestartReply](TypeMediaRestart),
	request[SubscribeRequest](TypeSubscribe), reply[SubscribeReply](TypeSubscribe),
	event[ParticipantJoinedEvent](TypeParticipantJoined),
	event[ParticipantUpdatedEvent](TypeParticipantUpdated),
	event[ParticipantLeftEvent](TypeParticipantLeft),
	event[CallMessageEvent](TypeCallMessage),
	event[MediaBindingsEvent](TypeMediaBindings),
	event[MediaFailedEvent](TypeMediaFailed),
	event[ServerShutdownEvent](TypeServerShutdown),
}

func request[T any](name string) Message { return Message{name, KindRequest, reflect.TypeFor[T]()} }
func reply[T any](name string) Message   { return Message{name, KindReply, reflect.TypeFor[T]()} }
func event[T any](name string) Message   { return Message{name, KindEvent, reflect.TypeFor[T]()} }

type messageKey struct {
	name string
	kind Kind
}

var messagesByKey = func() map[messageKey]Message {
	m := make(map[messageKey]Message, len(Messages))
	for _, msg := range Messages {
		m[messageKey{msg.Type, msg.Kind}] = msg
	}
	return m
}()

// Lookup finds a message in the registry.
func Lookup(name string, kind Kind) (Message, bool) {
	m, ok := messagesByKey[messageKey{name, kind}]
	return m, ok
}

// Codes lists every error code of sotto.v1.
var Codes = []Code{
	CodeBadJSON, CodeBadRequest, CodeUnknownType, CodeDuplicateID, CodeTooLarge, CodeRateLimited,
	CodeNotReady, CodeAlreadyDone, CodeBadSignature, CodeNoSuchCall, CodeCallMismatch, CodeCallFull,
	CodeTooManyCalls, CodeBadSDP, CodeMediaUnavailable, CodeShuttingDown, CodeInternal,
}

// CloseCodes lists every WebSocket close code the server uses.
var CloseCodes = []struct {
	Name    string // as in the page's code
	Code    int
	Meaning string
	Action  string // what the client does
}{
	{"normal", 1000, "in answer to a client that closed in order", "nothing: it left"},
	{"going_away", 1001, "the server is stopping", "come back after `reconnect_ms` of `server.shutdown`, or 1 s"},
	{"too_big", 1009, "a message over `message_bytes`", "a bug of the client's; resume"},
	{"internal", 1011, "a bug of the server's", "resume, with a growing delay"},
	{"protocol", CloseProtocol, "too many malformed messages", "a bug of the client's; do not come back"},
	{"unauthorized", CloseUnauthorized, "the login signature was wrong", "check the host that was signed; do not come back with the same"},
	{"login_timeout", CloseLoginTimeout, "no login within 10 s", "come back, with a growing delay"},
	{"replaced", CloseReplaced, "another WebSocket took the session over, or tried to and ended it", "nothing: the other one goes on"},
	{"slow", CloseSlow, "the client reads too slowly, its queue is full", "resume"},
	{"rate_limited", CloseRateLimited, "kept on sending after `rate_limited`", "wait 10 s, then resume"},
	{"too_many_connections", CloseTooManyPerKey, "too many connections, in all or from this address", "come back, with a growing delay"},
}
