// Package testkit has what tests of several packages share: a WebRTC client without
// signalling, payloads shaped like those of each codec, a relay that loses packets, and
// a tap that shows what the server sees.
//
// What it must never do: be imported by anything but tests.
package testkit
