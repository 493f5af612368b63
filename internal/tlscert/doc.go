// Package tlscert provides the server's TLS certificate: from files, read
// again when they change, or a self-signed one for development, made and kept
// in the data folder.
//
// The package must never write a private key that others on the machine can
// read, and never fall back from given files to a self-signed certificate.
package tlscert
