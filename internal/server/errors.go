package server

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// PortError is a port that could not be opened.
type PortError struct {
	Option  string // the option that chooses the port
	Network string // TCP or UDP
	Port    int
	Err     error
}

// Error implements the error interface in one line that says what to do.
func (e *PortError) Error() string {
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("%s: %s port %d is taken by another program; stop it, or choose another port with --%s",
			e.Option, e.Network, e.Port, e.Option)
	case errors.Is(e.Err, syscall.EACCES):
		return fmt.Sprintf("%s: not permitted to open %s port %d; choose one above 1023 with --%s, or grant CAP_NET_BIND_SERVICE",
			e.Option, e.Network, e.Port, e.Option)
	default:
		return fmt.Sprintf("%s: cannot open %s port %d: %v", e.Option, e.Network, e.Port, e.Err)
	}
}

// Unwrap returns the operating system's error.
func (e *PortError) Unwrap() error { return e.Err }

// CertificateError is a TLS certificate or key that cannot be used.
type CertificateError struct{ Err error }

// Error implements the error interface.
func (e *CertificateError) Error() string { return "tls-cert, tls-key: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CertificateError) Unwrap() error { return e.Err }

// DataError is a data folder or store that cannot be used.
type DataError struct {
	Option string // data-dir or store
	Path   string // empty if Err names it
	Err    error
}

// Error implements the error interface.
func (e *DataError) Error() string {
	if e.Path == "" {
		return e.Option + ": " + e.Err.Error()
	}
	err := e.Err
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err // the path is named already
	}
	return fmt.Sprintf("%s: cannot write in %s: %v", e.Option, e.Path, err)
}

// Unwrap returns the cause.
func (e *DataError) Unwrap() error { return e.Err }
