package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// goldenFiles gives one example of every message, by file name.
func goldenFiles() (map[string][]byte, error) {
	bodies := examples()
	files := make(map[string][]byte)
	for _, m := range protocol.Messages {
		body, ok := bodies[m.Body]
		if !ok {
			return nil, fmt.Errorf("no example of %v", m.Body)
		}
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		env := protocol.Envelope{Type: m.Type, Body: raw}
		switch m.Kind {
		case protocol.KindRequest:
			env.ID = 7
		case protocol.KindReply:
			env.Re = 7
		case protocol.KindEvent:
			env.Seq = 3
		}
		if bytes.Equal(raw, []byte("{}")) {
			env.Body = nil
		}
		if files[GoldenName(m)], err = pretty(env); err != nil {
			return nil, err
		}
	}
	refusal := protocol.Envelope{Re: 7, Type: protocol.TypeCallSend, Error: &protocol.Error{
		Code: protocol.CodeRateLimited, Message: "too many requests", Retryable: true, RetryAfterMillis: 250,
	}}
	var err error
	files["error.reply.json"], err = pretty(refusal)
	return files, err
}

// GoldenName is the file a message's example lives in.
func GoldenName(m protocol.Message) string { return m.Type + "." + string(m.Kind) + ".json" }

func pretty(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

func examples() map[reflect.Type]any {
	e := newExample()
	sdp := "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
	bob := protocol.Participant{
		ID: e.bob, DeviceKey: e.bobKey, Connected: true,
		Sources: map[protocol.Source]protocol.SourceState{protocol.SourceMic: protocol.StateLive, protocol.SourceCamera: protocol.StateMuted},
	}
	bindings := []protocol.Binding{
		{Mid: "4", Participant: e.bob, Source: protocol.SourceMic},
		{Mid: "6", Participant: e.bob, Source: protocol.SourceCamera},
	}
	out := make(map[reflect.Type]any)
	for _, v := range []any{
		protocol.HelloRequest{Client: "sotto-web/0.1.0"},
		protocol.HelloReply{
			Server: "sotto-sfu/0.1.0", Challenge: e.challenge, PingMillis: 10_000, ResumeMillis: 30_000,
			Limits: protocol.Limits{
				MessageBytes: 262_144, MessagesPerSecond: 50, MessageBurst: 200, CallsPerDevice: 8,
				Participants: 50, AudioSlots: 16, VideoSlots: 16, PayloadBytes: 65_536,
			},
		},
		protocol.LoginRequest{
			DeviceKey: e.aliceKey, Signature: e.login,
			Resume: &protocol.Resume{Session: e.session, LastSeq: 41},
		},
		protocol.LoginReply{Device: e.device, Session: e.session, Resumed: true},
		protocol.PingRequest{},
		protocol.PingReply{},
		protocol.CallCreateRequest{Call: e.call, AdmissionKey: e.admissionKey},
		protocol.CallCreateReply{Created: true, ExpiresAt: 1_790_000_000_000},
		protocol.CallChallengeRequest{Call: e.call},
		protocol.CallChallengeReply{Challenge: e.challenge},
		protocol.CallJoinRequest{Call: e.call, Signature: e.admission},
		protocol.CallJoinReply{Participant: e.alice, Participants: []protocol.Participant{bob}},
		protocol.CallLeaveRequest{},
		protocol.CallLeaveReply{},
		protocol.CallSendRequest{Messages: []protocol.SealedMessage{{To: e.bob, Payload: e.sealed}}},
		protocol.CallSendReply{Undelivered: []protocol.ParticipantID{e.bob}},
		protocol.SourceUpdateRequest{Source: protocol.SourceMic, State: protocol.StateMuted},
		protocol.SourceUpdateReply{},
		protocol.MediaOfferRequest{SDP: sdp, Sections: []protocol.Section{
			{Mid: "0", Publish: protocol.SourceMic},
			{Mid: "1", Publish: protocol.SourceCamera},
			{Mid: "4", Receive: protocol.KindAudio},
			{Mid: "6", Receive: protocol.KindVideo},
		}},
		protocol.MediaOfferReply{SDP: sdp},
		protocol.MediaRestartRequest{SDP: sdp},
		protocol.MediaRestartReply{SDP: sdp},
		protocol.SubscribeRequest{Wants: []protocol.Want{
			{Participant: e.bob, Source: protocol.SourceMic},
			{Participant: e.bob, Source: protocol.SourceCamera, MaxWidth: 640, MaxHeight: 360},
		}},
		protocol.SubscribeReply{Bindings: bindings},
		protocol.ParticipantJoinedEvent{Participant: protocol.Participant{
			ID: e.bob, DeviceKey: e.bobKey, Connected: true, Sources: map[protocol.Source]protocol.SourceState{},
		}},
		protocol.ParticipantUpdatedEvent{Participant: bob},
		protocol.ParticipantLeftEvent{Participant: e.bob, Reason: protocol.ReasonLeft},
		protocol.CallMessageEvent{From: e.bob, Payload: e.sealed},
		protocol.MediaBindingsEvent{Bindings: bindings},
		protocol.MediaFailedEvent{Reason: "ICE failed"},
		protocol.ServerShutdownEvent{ReconnectMillis: 1500},
	} {
		out[reflect.TypeOf(v)] = v
	}
	return out
}
