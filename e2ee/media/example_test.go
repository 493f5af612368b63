package media_test

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sotto-sfu/sotto/e2ee/media"
)

// One camera's way through a relay: the sender seals with the key it gave to the
// others, the receiver learns from the frame whose it is.
func Example() {
	const kid = 0xa1b2c3d4_01_00               // prefix, camera, generation 0
	baseKey := bytes.Repeat([]byte("key!"), 8) // in earnest: 32 random bytes

	camera, err := media.NewSendKeys().Sealer(kid, baseKey)
	if err != nil {
		panic(err)
	}
	sealed, err := camera.Seal(nil, media.VP8, media.Key, []byte("a key frame"))
	if err != nil {
		panic(err)
	}

	receiver := media.NewOpener()
	if err := receiver.Install(kid, baseKey, "alice"); err != nil {
		panic(err)
	}
	frame, err := receiver.Open(nil, media.VP8, sealed)
	fmt.Printf("%s's %v frame: %s, %v\n", frame.Owner, frame.Type, frame.Data, err)

	_, err = receiver.Open(nil, media.VP8, sealed)
	fmt.Println("again:", errors.Is(err, media.ErrReplay))

	next, err := camera.Seal(nil, media.VP8, media.Delta, []byte("a delta frame"))
	if err != nil {
		panic(err)
	}
	next[0] = 0x00 // the relay claims that it is a key frame
	_, err = receiver.Open(nil, media.VP8, next)
	fmt.Println("dressed up:", errors.Is(err, media.ErrAuth))
	// Output:
	// alice's key frame: a key frame, <nil>
	// again: true
	// dressed up: true
}
