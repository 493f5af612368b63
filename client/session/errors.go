package session

import (
	"errors"
	"fmt"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Code is a stable error code for users of the client; scripts branch on it. A
// refusal by the server keeps the server's code (protocol.Code).
type Code string

// The codes of errors that arise on this side.
const (
	CodeBadURL       Code = "bad_url"       // not the address of a server
	CodeInsecureURL  Code = "insecure_url"  // plain http to another machine
	CodeLinkDamaged  Code = "link_damaged"  // not a whole invitation link
	CodeUnreachable  Code = "unreachable"   // no connection
	CodeTLSUntrusted Code = "tls_untrusted" // the certificate is not trusted
	CodeNotSotto     Code = "not_sotto"     // something else answers there, or another version
	CodeProtocol     Code = "protocol"      // the server broke the protocol
	CodeTimeout      Code = "timeout"       // no answer in time
	CodeReplaced     Code = "replaced"      // the session was taken over by another connection
	CodeSessionLost  Code = "session_lost"  // the server has forgotten the session
	CodeClosed       Code = "closed"        // closed by ourselves
	CodeMedia        Code = "media_unreachable"
)

// Error is an error with a stable code.
type Error struct {
	Code    Code
	Message string
	Err     error // the cause; may be nil
}

// Error implements the error interface.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail makes an Error.
func Fail(code Code, message string, cause error) *Error {
	return &Error{Code: code, Message: message, Err: cause}
}

// refused turns a refusal by the server into an Error.
func refused(request string, e *protocol.Error) *Error {
	return &Error{Code: Code(e.Code), Message: "the server refused " + request, Err: e}
}

// CodeOf is the code of an error, empty for one without.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}
