// Package portmux serves three protocols on one TCP port by looking at the
// first byte of each connection: TLS, plain HTTP, and media over TCP (ICE-TCP,
// STUN in RFC 4571 frames). One open port is what people can get through a
// firewall, and what an operator can remember.
//
// A connection that sends nothing costs a goroutine and a socket, so the wait
// for the first byte has a deadline, and the number waiting has a bound: over
// it the one that has waited longest is closed. The package must never read
// beyond the first byte.
package portmux
