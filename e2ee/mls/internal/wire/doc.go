// Package wire reads and writes the TLS presentation language as RFC 9420 §2.1 uses it:
// big-endian integers, optional<T>, and vectors with a variable-size length prefix.
//
// The reader is strict: a length prefix that is longer than it needs to be, a presence octet
// that is neither 0 nor 1, a short input and trailing bytes are all errors, so that every value
// has exactly one encoding and a hash of a re-encoding is a hash of what was received.
//
// It must never allocate in proportion to a length that it has not yet seen the bytes of.
package wire
