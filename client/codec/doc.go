// Package codec knows what Sotto must know of the four codecs it carries: their
// names, clocks, and how to tell a key frame and its size from an encoder's output.
//
// It looks at plaintext only, on the device that made or decrypted it. It must
// never decode a picture, and must take any bytes without panicking: what is
// decrypted was made by another participant.
package codec
