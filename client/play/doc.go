// Package play sends media that is already encoded at its own pace: files, and the
// built-in pattern and tone.
//
// A [Clip] is what to send, [Run] sends it until the context ends. Files are
// checked when they are opened, not while a call goes on. Run must never write
// faster than the clip's time, nor fall behind for ever: what it could not write in time
// it leaves out, up to the next key frame.
package play
