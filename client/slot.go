package client

import (
	"errors"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sotto-sfu/sotto/client/codec"
	"github.com/sotto-sfu/sotto/client/rtpframe"
	"github.com/sotto-sfu/sotto/e2ee/identity"
	"github.com/sotto-sfu/sotto/e2ee/media"
	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// Frame is one decrypted frame of another participant.
type Frame struct {
	Participant protocol.ParticipantID // proven by the key that opened the frame
	Source      protocol.Source        // likewise
	Codec       codec.Codec
	Key         bool      // needs no earlier frame; always true for audio
	Timestamp   uint32    // RTP, in ticks of the codec's clock; each slot has its own origin
	Received    time.Time // when its last packet came
	Data        []byte    // as the encoder made it; valid during the call of the handler
}

// slot receives one section: packets in, frames out. It belongs to one goroutine.
type slot struct {
	s    *stay
	mid  string
	ssrc webrtc.SSRC
	asm  *rtpframe.Assembler
	seen rtpframe.Stats // of asm, as far as it is in the table
	gate gate
}

// receive implements peerEvents.
func (s *stay) receive(p *peer, mid string, track *webrtc.TrackRemote) {
	wait := rtpframe.VideoWait
	if p.receives[mid] == protocol.KindAudio {
		wait = rtpframe.AudioWait
	}
	sl := &slot{s: s, mid: mid, ssrc: track.SSRC(), asm: rtpframe.NewAssembler(wait)}
	for failures := 0; ; {
		packet, _, err := track.ReadRTP()
		if err != nil {
			if failures++; p.ended(err, failures) {
				return
			}
			continue
		}
		failures = 0
		c := codecOf(packet.PayloadType)
		if c == "" || c.Video() != (p.receives[mid] == protocol.KindVideo) {
			continue // nothing that we asked for
		}
		now := time.Now()
		sl.asm.Push(rtpframe.Packet{
			Codec: c, Sequence: packet.SequenceNumber, Timestamp: packet.Timestamp,
			Marker: packet.Marker, Payload: packet.Payload,
		}, now, func(f rtpframe.Frame) { sl.frame(f, now) })
		sl.countLoss()
	}
}

// countLoss books lost packets on who was last heard in the slot, or else on
// whom the server says it carries.
func (sl *slot) countLoss() {
	st := sl.asm.Stats()
	if lost := st.Lost - sl.seen.Lost; lost > 0 {
		f := sl.gate.feed
		if f.participant == "" {
			f, _ = sl.s.claimed(sl.mid)
		}
		if f.participant != "" {
			sl.s.call.table.update(f, func(r *ReceiveStats) { r.LostPackets += lost })
		}
	}
	sl.seen = st
}

// frame opens one sealed frame and hands it out if it can be decoded.
func (sl *slot) frame(f rtpframe.Frame, now time.Time) {
	if f.Gap {
		sl.gate.hurt()
	}
	opened, err := sl.s.opener.Open(f.Data[:0], sealCodecs[f.Codec], f.Data)
	if err != nil {
		sl.gate.hurt()
		sl.refuse(opened, err)
		return
	}
	if len(opened.Data) == 0 {
		return // sent empty: silence
	}
	source, ok := sourceOf(opened.KID)
	if !ok || source.Video() != f.Codec.Video() {
		sl.gate.hurt()
		sl.refuse(opened, media.ErrTypeMismatch)
		return
	}
	from := feed{protocol.ParticipantID(opened.Owner), source}
	key := opened.Type != media.Delta
	pass, ask := true, false
	if f.Codec.Video() {
		pass, ask = sl.gate.admit(from, key, now)
	} else {
		sl.gate.feed = from
	}
	if ask {
		sl.s.peer.requestKeyFrame(sl.ssrc)
	}
	if !pass || !sl.s.call.deliver(Frame{
		Participant: from.participant, Source: source, Codec: f.Codec, Key: key,
		Timestamp: f.Timestamp, Received: now, Data: opened.Data,
	}) {
		sl.gate.hurt()
		sl.s.call.table.update(from, func(r *ReceiveStats) { r.WaitingForKey++ })
		return
	}
	sl.s.call.table.update(from, func(r *ReceiveStats) {
		if r.Frames == 0 {
			r.FirstFrame = now
		}
		r.Codec = f.Codec
		r.Frames++
		r.Bytes += uint64(len(opened.Data))
		if !key || !f.Codec.Video() {
			return
		}
		r.KeyFrames++
		if i := codec.Inspect(f.Codec, opened.Data); i.Width > 0 {
			r.Width, r.Height = i.Width, i.Height
		}
	})
}

// refuse counts a frame that did not open, and has its key asked for if that is what
// is missing.
func (sl *slot) refuse(f media.Frame, err error) {
	at, ok := sl.s.claimed(sl.mid)
	if f.Owner != "" {
		at.participant, ok = protocol.ParticipantID(f.Owner), true
		if source, known := sourceOf(f.KID); known {
			at.source = source
		}
	}
	if !ok {
		return // nobody to book it on
	}
	missing := errors.Is(err, media.ErrUnknownKID) || errors.Is(err, media.ErrNoKey)
	sl.s.call.table.update(at, func(r *ReceiveStats) {
		switch {
		case missing:
			r.NoKey++
		case errors.Is(err, media.ErrReplay):
			r.Replayed++
		default:
			r.DecryptFailures++
		}
	})
	if !missing {
		return
	}
	if id, err := identity.ParseID(string(at.participant)); err == nil {
		select {
		case sl.s.unknown <- id:
		default: // plenty of requests are waiting already
		}
	}
}
