// Command wasm is the end-to-end encryption core as the page runs it: compiled to
// WebAssembly, in a worker of its own, behind the global object sottoCore.
//
// It is glue only: every rule is in e2ee/identity and e2ee/call, shared with the
// native client. Frames are not sealed here but by WebCrypto in the transform worker,
// which is faster; the keys go there without passing the page.
//
// All functions are synchronous. Byte strings are Uint8Array, times are
// milliseconds as from Date.now. A Go function cannot throw into JavaScript: where
// the caller made a mistake it returns an Error with a code, and core.js, which every
// user of this module goes through, throws it.
package main
