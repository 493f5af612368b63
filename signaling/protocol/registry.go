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
	CodeTooManyCalls, CodeNoSuchParticipant, CodeBadSDP, CodeMediaUnavailable, CodeShuttingDown, CodeInternal,
}

// CloseCodes names every WebSocket close code the server uses.
var CloseCodes = []struct {
	Name string
	Code int
}{
	{"normal", 1000},
	{"going_away", 1001},
	{"too_big", 1009},
	{"internal", 1011},
	{"protocol", CloseProtocol},
	{"unauthorized", CloseUnauthorized},
	{"login_timeout", CloseLoginTimeout},
	{"replaced", CloseReplaced},
	{"slow", CloseSlow},
	{"rate_limited", CloseRateLimited},
	{"too_many_connections", CloseTooManyPerKey},
}
