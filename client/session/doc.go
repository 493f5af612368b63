// Package session keeps one sotto.v1 signalling session alive over as many
// WebSockets as it takes: it logs in with the device key, matches replies to requests,
// hands on the server's events in order and each once, and resumes by itself when
// the connection drops.
//
// core is the bookkeeping, without sockets and clocks; Session drives it. Every
// message of the server passes protocol.DecodeServerMessage before anything else
// sees it. The package must never hand on an event out of order, and must never
// log or send anything but what the protocol asks for.
package session
