// Package pattern holds the built-in test pattern: a few seconds of moving colour
// bars in each video codec and a 440 Hz tone in Opus, already encoded. They let
// Sotto send media that really decodes without carrying an encoder.
//
// The files were made once by make.sh, with ffmpeg; they are Sotto's own work.
// The package must never need anything at run time but its own bytes.
package pattern
