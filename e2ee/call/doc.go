// Package call agrees on the media keys of a call and keeps its roster.
//
// Everything hangs on the call's [Secret], which travels in the fragment of the
// invitation link and never reaches the server. From it come the admission key
// (the server sees its public half) and, in this first form, the keys that seal
// what participants tell each other. The MLS form of a later issue replaces
// [Session] behind the same [Output] and [Keys].
//
// # The first form: sender keys
//
// Each participant draws a base key, from which the SFrame keys of its encoders derive,
// and gives it to each other participant in a message sealed for that one alone:
//
//	payload = 0x01 ‖ nonce(12) ‖ AES-256-GCM(key, nonce, plaintext, aad)
//	key     = HKDF-Expand(call secret, "sotto/1 sender key" ‖ call id ‖ from ‖ to, 32)
//	aad     = "sotto/1 sender key" ‖ 0x01 ‖ call id ‖ from ‖ to
//
// The plaintext is JSON, padded with spaces to a multiple of 256 bytes:
//
//	{"t":"need_key","n":1,"session":"…16 bytes…"}
//	{"t":"key","n":2,"for":"…16 bytes…","gen":0,"base_key":"…32 bytes…","kid_prefix":7,"name":"…"}
//
// Byte strings are base64url without padding. n counts up for each pair of sender and
// receiver, and a message that does not count up is refused. Each session draws
// 16 random bytes and names them when it asks; a key is taken only if
// it is "for" them. So the server can bring back neither a message of this session nor
// one of an earlier session in which it gave out the same participant ids: without that,
// it could play yesterday's recording into today's call. An unknown t is ignored.
//
// Who joins is asked for a key, and asks. Who leaves takes away a key that is then
// replaced: a new base key of the next generation goes to all who remain and is sent with
// 200 ms later.
//
// # What the first form does not give
//
// Whoever holds the link can, with the server's help, read what others seal for each other,
// and pass for another participant: all keys come from one secret. There is no forward
// secrecy against a secret that leaks later. MLS closes these.
//
// # What this package must never do
//
// Read a clock or a socket, or keep time of its own: inputs are events, bytes and
// the present moment; outputs are messages to send, key events and the roster. Take a name or a
// key from the server's word.
package call
