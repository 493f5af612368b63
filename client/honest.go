//go:build !sotto_wrongkey

package client

// spoilByDefault is nil in every build but one; see wrongkey.go.
var spoilByDefault func([]byte) []byte
