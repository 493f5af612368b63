package main

import (
	"errors"
	"fmt"

	"github.com/sotto-sfu/sotto/client"
)

// The exit codes, for scripts. docs/native.md lists them.
const (
	exitOK      = 0
	exitFailed  = 1 // anything else
	exitUsage   = 2 // the command line
	exitRefused = 3 // the call could not be joined; the error has a code
	exitLost    = 4 // the call was joined, and ended by itself
	exitFiles   = 5 // a file to send or to record into
	exitSilent  = 6 // --require-media, and nothing came or something did not decrypt
)

// exitError is an error that chooses the exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// fail prints the error in one line and chooses the exit code.
func fail(term terminal, err error) int {
	fmt.Fprintf(term.err, "sotto: %s\n", printable(err.Error()))
	if hint := hints[client.CodeOf(err)]; hint != "" {
		fmt.Fprintf(term.err, "  %s\n", hint)
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailed
}

// hints say what to do about an error.
var hints = map[client.Code]string{
	"link_damaged":      "Copy the whole link, to its last character, and put it in single quotes.",
	"insecure_url":      "Use https://, or --insecure if you know why.",
	"tls_untrusted":     "Use --insecure only for a server that you run yourself: the call stays encrypted, but who you call does not.",
	"unreachable":       "Is the server running, and the address right? \"sotto doctor URL\" checks the way there.",
	"no_such_call":      "The call was never made on this server, or nobody was in it for too long. Start a new one with --new.",
	"media_unreachable": "A firewall may block the server's UDP and TCP ports. \"sotto doctor URL\" checks them.",
}
