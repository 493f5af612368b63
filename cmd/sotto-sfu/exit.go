package main

import (
	"errors"

	"github.com/sotto-sfu/sotto/internal/config"
	"github.com/sotto-sfu/sotto/internal/server"
)

// The exit codes, documented in README.md.
const (
	exitOK          = 0
	exitFailure     = 1 // anything else
	exitOption      = 2 // an option is unknown or its value not accepted
	exitPort        = 3 // a port is taken or may not be opened
	exitCertificate = 4 // the certificate or its key cannot be used
	exitData        = 5 // the data folder or the store cannot be used
)

func exitCode(err error) int {
	var (
		option *config.Error
		port   *server.PortError
		cert   *server.CertificateError
		data   *server.DataError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &option):
		return exitOption
	case errors.As(err, &port):
		return exitPort
	case errors.As(err, &cert):
		return exitCertificate
	case errors.As(err, &data):
		return exitData
	default:
		return exitFailure
	}
}
