// Package keyframe decides when to ask a publisher for a key frame.
//
// One [Requester] per incoming video layer gathers the wishes of all its subscribers
// into as few requests (PLI, RFC 4585 §6.3.1) as the publisher will listen to, and repeats them
// until a key frame comes. It gives up only when nobody waits any more.
package keyframe
