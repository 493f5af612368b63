// Package store keeps what must survive a restart of the server: for now the
// calls that were created, with the public key that admits people to them.
//
// It holds public keys, hashes and times only. It must never be given a
// secret, a name or a message in the clear, and must never tell a caller that
// something is stored before it would survive a power cut.
package store
