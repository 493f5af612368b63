package call

// Context names an encoder of a participant. The values are on the wire, inside KIDs.
type Context uint8

// The encoders of a participant.
const (
	Mic         Context = 0
	Camera      Context = 1
	Screen      Context = 2
	ScreenAudio Context = 3

	numContexts = 4
)

// KID is the key id of one encoder's frames in one generation of its owner's key:
// prefix<<16 | context<<8 | generation mod 256. It has 48 bits, and so is exact as
// a JavaScript number.
func KID(prefix uint32, ctx Context, gen uint64) uint64 {
	return uint64(prefix)<<16 | uint64(ctx)<<8 | gen&0xff
}

// ContextOf is the encoder that a KID names.
func ContextOf(kid uint64) Context { return Context(kid >> 8) }
