// Package ivf reads and writes IVF, the plain container in which VP8, VP9 and AV1
// streams are kept in files: a 32-byte header, then frames with their time stamps.
//
// It works on whole frames and leaves RTP to package rtpframe. A reader must take
// any file without panicking or reserving more memory than the file has bytes.
package ivf
