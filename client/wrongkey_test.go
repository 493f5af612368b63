package client

import (
	"context"
	"os"
	"os/signal"
	"testing"
	"time"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/play"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// TestWrongKeyPeer is not a test by itself: the browser tests build this test
// binary and let it join their call (SOTTO_WRONGKEY_LINK) as a participant who
// hands out one key and seals with another. It stays until it is interrupted.
func TestWrongKeyPeer(t *testing.T) {
	link := os.Getenv("SOTTO_WRONGKEY_LINK")
	if link == "" {
		t.Skip("plays a part in the browser tests: see e2e/tests/relay.test.mjs")
	}
	liar := enter(t, Config{Link: link, Name: "Liar", breakKey: func(key []byte) []byte {
		wrong := append([]byte(nil), key...)
		wrong[0] ^= 1
		return wrong
	}})
	pattern, err := play.Pattern(codec.VP8)
	if err != nil {
		t.Fatal(err)
	}
	tone, err := play.Tone()
	if err != nil {
		t.Fatal(err)
	}
	liar.send(protocol.SourceCamera, pattern)
	liar.send(protocol.SourceMic, tone)
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	<-ctx.Done()
}
