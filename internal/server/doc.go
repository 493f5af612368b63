// Package server puts the parts of sotto-sfu together in one process: the
// store, the media plane, signalling and the page, on one TCP and one UDP
// port. cmd/sotto-sfu runs it; tests run it in their own process.
//
// It holds the wiring and the order of starting and stopping, and no rules of
// calls or media. It must never import anything that can decrypt: a test in
// cmd/sotto-sfu walks its dependencies.
package server
