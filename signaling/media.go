package signaling

import (
	"context"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// MediaPlane forwards media between the participants of calls. Its methods
// and those of its peers are called without any lock held.
type MediaPlane interface {
	// Join makes room for a participant. Errors: *protocol.Error, or any other,
	// which the client sees as media_unavailable.
	Join(call protocol.CallID, p protocol.ParticipantID, ev MediaEvents) (MediaPeer, error)
}

// MediaPeer is one participant's place in the media plane. Offer, Restart,
// Subscribe and SetSource are called one at a time; Close at any time.
type MediaPeer interface {
	// Offer answers the one offer. *protocol.Error with CodeBadSDP when it
	// cannot be used.
	Offer(ctx context.Context, sdp string, sections []protocol.Section) (answer string, err error)
	// Restart answers an ICE restart.
	Restart(ctx context.Context, sdp string) (answer string, err error)
	// Subscribe replaces all wants and tells the bindings that resulted,
	// leaving what is bound already where it is. The same wants again
	// change nothing and tell the bindings of now.
	Subscribe(wants []protocol.Want) ([]protocol.Binding, error)
	// SetSource notes what one of the participant's sources is doing.
	SetSource(s protocol.Source, st protocol.SourceState)
	// Close ends it all, within bounded time. Closing twice is allowed.
	Close()
}

// MediaEvents is what a peer tells. The methods do not block.
type MediaEvents interface {
	// Bindings tells that the media plane changed some bindings by itself, and
	// all of them as they were then. Signalling asks again what they are.
	Bindings([]protocol.Binding)
	// Failed tells that the media connection is gone for good. reason is shown
	// to the client: English, for developers, without addresses.
	Failed(reason string)
	// Closed tells that the client closed the media connection in order.
	Closed()
}
