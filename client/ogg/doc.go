// Package ogg reads and writes Opus in Ogg files (RFC 3533, RFC 7845): one stream
// a file, whole packets in and out.
//
// Between packets that were not recorded, the writer puts empty ones, so that a
// recording keeps its timing in every player. A reader must take any file without
// panicking or reserving more memory than the file has bytes.
package ogg
