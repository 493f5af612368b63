package main

import (
	"context"
	"errors"
)

type doctorCmd struct {
	URL      string `arg:"" help:"Address of the server, e.g. https://call.example.org."`
	Insecure bool   `help:"Accept any certificate, and plain http."`
}

// Run checks the server.
func (d *doctorCmd) Run(ctx context.Context, term terminal) error {
	return errors.New("not yet")
}
