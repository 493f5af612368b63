// Package record writes decrypted media to files that any player opens: IVF for
// video, Ogg Opus for audio, one file for each participant and source, and a new one
// where the codec changes.
//
// All files of a recording share one time line, which begins when the recorder is
// made, so that they can be put side by side. What participants send decides
// what is in the files, so it must never decide where they lie or how many they are.
package record
