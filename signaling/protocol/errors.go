package protocol

// Code is a stable error code: clients branch on it, so a code once released
// keeps its meaning.
type Code string

// The error codes of sotto.v1.
const (
	CodeBadJSON          Code = "bad_json"          // not JSON, nested too deep, or not an envelope
	CodeBadRequest       Code = "bad_request"       // a field is missing, malformed or out of range
	CodeUnknownType      Code = "unknown_type"      // no such request
	CodeDuplicateID      Code = "duplicate_id"      // the id is of a request still being answered
	CodeTooLarge         Code = "too_large"         // a part of the message is over its limit
	CodeRateLimited      Code = "rate_limited"      // too many requests; wait retry_after_ms
	CodeNotReady         Code = "not_ready"         // out of order: hello, login, join, offer come first
	CodeAlreadyDone      Code = "already_done"      // hello, login, join or offer said twice
	CodeBadSignature     Code = "bad_signature"     // login or admission was not proven
	CodeNoSuchCall       Code = "no_such_call"      // never created, or expired
	CodeCallMismatch     Code = "call_mismatch"     // the call id does not commit to the admission key
	CodeCallFull         Code = "call_full"         // participants limit reached
	CodeTooManyCalls     Code = "too_many_calls"    // calls per device reached
	CodeBadSDP           Code = "bad_sdp"           // the offer could not be used; message says why
	CodeMediaUnavailable Code = "media_unavailable" // the media plane could not serve it now
	CodeShuttingDown     Code = "shutting_down"     // the server is stopping
	CodeInternal         Code = "internal"          // our fault; logged
)

// Error refuses a request.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message" wire:"max=1000"` // for developers, in English; never parsed
	// Retryable says that the same request may succeed later.
	Retryable bool `json:"retryable"`
	// RetryAfterMillis says when, if the server knows.
	RetryAfterMillis int `json:"retry_after_ms,omitempty" wire:"max=3600000"`
}

// retryable lists the codes after which the same request may succeed later.
// Every other refusal stays one until the client does something else.
var retryable = map[Code]bool{
	CodeRateLimited: true, CodeCallFull: true, CodeTooManyCalls: true,
	CodeMediaUnavailable: true, CodeShuttingDown: true, CodeInternal: true,
}

// Retryable says whether a request refused with this code may succeed later.
func (c Code) Retryable() bool { return retryable[c] }

// Refuse makes the error of a code. message is for developers and must not
// quote what the other side sent.
func Refuse(code Code, message string) *Error {
	return &Error{Code: code, Message: message, Retryable: code.Retryable()}
}

// Error implements the error interface.
func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// WebSocket close codes (RFC 6455 section 7.4.2, private range) with which the
// server says why it hung up. 1000, 1001, 1009 and 1011 keep their meaning.
const (
	CloseProtocol      = 4400 // too many malformed messages
	CloseUnauthorized  = 4401 // login failed
	CloseLoginTimeout  = 4408 // no login within 10 s
	CloseReplaced      = 4409 // another WebSocket took the session over, or tried to and ended it
	CloseSlow          = 4413 // the client reads too slowly: its queue is full
	CloseRateLimited   = 4429 // kept on sending after rate_limited
	CloseTooManyPerKey = 4430 // too many connections
)
