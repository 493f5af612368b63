// Package identity holds what devices sign and what anybody may verify: the
// login to a server, the admission to a call, and the ids that commit to the keys.
//
// Every signature is Ed25519 (RFC 8032) over a message that begins with a label
// of its own and a zero byte, so that no signature can be taken for another kind:
//
//	login      "sotto/1 login"     ‖ 0x00 ‖ challenge(32) ‖ device key(32) ‖ host
//	admission  "sotto/1 admission" ‖ 0x00 ‖ call id(16) ‖ challenge(32) ‖ device key(32)
//
// The server imports this package. It therefore must never learn to decrypt
// anything, or to derive the keys that do: it knows signatures, hashes and public
// ids only. Nor does it read a clock or a random source of its own.
package identity
