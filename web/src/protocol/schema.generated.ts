// Code generated from signaling/protocol by `go generate ./signaling/...`. DO NOT EDIT.

import type { Schema } from "./validate";

/** The shapes and limits of every struct on the wire, by name. */
export const schemas: Readonly<Record<string, Schema>> = {
  WireError: {"shape":"object","fields":{"code":{"shape":"open","max":64},"message":{"shape":"text","max":1000},"retry_after_ms":{"shape":"integer","max":3600000,"optional":true},"retryable":{"shape":"bool"}}},
  HelloRequest: {"shape":"object","fields":{"client":{"shape":"ascii","min":1,"max":64}}},
  Limits: {"shape":"object","fields":{"audio_slots":{"shape":"integer","min":1,"max":16777216},"calls_per_device":{"shape":"integer","min":1,"max":16777216},"message_burst":{"shape":"integer","min":1,"max":16777216},"message_bytes":{"shape":"integer","min":1,"max":16777216},"messages_per_second":{"shape":"integer","min":1,"max":16777216},"participants":{"shape":"integer","min":1,"max":16777216},"payload_bytes":{"shape":"integer","min":1,"max":16777216},"video_slots":{"shape":"integer","min":1,"max":16777216}}},
  HelloReply: {"shape":"object","fields":{"challenge":{"shape":"bytes","min":32,"max":32},"limits":{"shape":"object","ref":"Limits"},"ping_ms":{"shape":"integer","min":1000,"max":600000},"resume_ms":{"shape":"integer","max":3600000},"server":{"shape":"ascii","max":64}}},
  Resume: {"shape":"object","fields":{"last_seq":{"shape":"integer","max":9007199254740991},"session":{"shape":"id"}}},
  LoginRequest: {"shape":"object","fields":{"device_key":{"shape":"bytes","min":32,"max":32},"resume":{"shape":"object","ref":"Resume","optional":true},"signature":{"shape":"bytes","min":64,"max":64}}},
  LoginReply: {"shape":"object","fields":{"device":{"shape":"id"},"resumed":{"shape":"bool"},"session":{"shape":"id"}}},
  PingRequest: {"shape":"object"},
  PingReply: {"shape":"object"},
  CallCreateRequest: {"shape":"object","fields":{"admission_key":{"shape":"bytes","min":32,"max":32},"call":{"shape":"id"}}},
  CallCreateReply: {"shape":"object","fields":{"created":{"shape":"bool"},"expires_at":{"shape":"integer","max":9007199254740991}}},
  CallChallengeRequest: {"shape":"object","fields":{"call":{"shape":"id"}}},
  CallChallengeReply: {"shape":"object","fields":{"challenge":{"shape":"bytes","min":32,"max":32}}},
  CallJoinRequest: {"shape":"object","fields":{"call":{"shape":"id"},"signature":{"shape":"bytes","min":64,"max":64}}},
  Participant: {"shape":"object","fields":{"connected":{"shape":"bool"},"device_key":{"shape":"bytes","min":32,"max":32},"id":{"shape":"id"},"sources":{"shape":"map","values":["mic","camera","screen","screen_audio"],"item":{"shape":"enum","values":["off","live","muted"]}}}},
  CallJoinReply: {"shape":"object","fields":{"participant":{"shape":"id"},"participants":{"shape":"list","max":1024,"item":{"shape":"object","ref":"Participant"}}}},
  CallLeaveRequest: {"shape":"object"},
  CallLeaveReply: {"shape":"object"},
  SealedMessage: {"shape":"object","fields":{"payload":{"shape":"bytes","min":1,"max":131072},"to":{"shape":"id"}}},
  CallSendRequest: {"shape":"object","fields":{"messages":{"shape":"list","min":1,"max":1024,"item":{"shape":"object","ref":"SealedMessage"}}}},
  CallSendReply: {"shape":"object","fields":{"undelivered":{"shape":"list","max":1024,"item":{"shape":"id"}}}},
  SourceUpdateRequest: {"shape":"object","fields":{"source":{"shape":"enum","values":["mic","camera","screen","screen_audio"]},"state":{"shape":"enum","values":["off","live","muted"]}}},
  SourceUpdateReply: {"shape":"object"},
  Section: {"shape":"object","fields":{"mid":{"shape":"ascii","min":1,"max":32},"publish":{"shape":"enum","values":["mic","camera","screen","screen_audio"],"optional":true},"receive":{"shape":"enum","values":["audio","video"],"optional":true}}},
  MediaOfferRequest: {"shape":"object","fields":{"sdp":{"shape":"text","min":1,"max":200000},"sections":{"shape":"list","min":1,"max":256,"item":{"shape":"object","ref":"Section"}}}},
  MediaOfferReply: {"shape":"object","fields":{"sdp":{"shape":"text","min":1,"max":200000}}},
  MediaRestartRequest: {"shape":"object","fields":{"sdp":{"shape":"text","min":1,"max":200000}}},
  MediaRestartReply: {"shape":"object","fields":{"sdp":{"shape":"text","min":1,"max":200000}}},
  Want: {"shape":"object","fields":{"max_height":{"shape":"integer","max":65535,"optional":true},"max_width":{"shape":"integer","max":65535,"optional":true},"participant":{"shape":"id"},"source":{"shape":"enum","values":["mic","camera","screen","screen_audio"]}}},
  SubscribeRequest: {"shape":"object","fields":{"wants":{"shape":"list","max":256,"item":{"shape":"object","ref":"Want"}}}},
  Binding: {"shape":"object","fields":{"mid":{"shape":"ascii","min":1,"max":32},"participant":{"shape":"id"},"source":{"shape":"enum","values":["mic","camera","screen","screen_audio"]}}},
  SubscribeReply: {"shape":"object","fields":{"bindings":{"shape":"list","max":256,"item":{"shape":"object","ref":"Binding"}}}},
  ParticipantJoinedEvent: {"shape":"object","fields":{"participant":{"shape":"object","ref":"Participant"}}},
  ParticipantUpdatedEvent: {"shape":"object","fields":{"participant":{"shape":"object","ref":"Participant"}}},
  ParticipantLeftEvent: {"shape":"object","fields":{"participant":{"shape":"id"},"reason":{"shape":"open","max":64}}},
  CallMessageEvent: {"shape":"object","fields":{"from":{"shape":"id"},"payload":{"shape":"bytes","min":1,"max":131072}}},
  MediaBindingsEvent: {"shape":"object","fields":{"bindings":{"shape":"list","max":256,"item":{"shape":"object","ref":"Binding"}}}},
  MediaFailedEvent: {"shape":"object","fields":{"reason":{"shape":"text","max":200}}},
  ServerShutdownEvent: {"shape":"object","fields":{"reconnect_ms":{"shape":"integer","max":600000}}},
};

/** Which struct the body of each reply is. */
export const replyBodies: Readonly<Record<string, string>> = {
  "call.challenge": "CallChallengeReply",
  "call.create": "CallCreateReply",
  "call.join": "CallJoinReply",
  "call.leave": "CallLeaveReply",
  "call.send": "CallSendReply",
  "hello": "HelloReply",
  "login": "LoginReply",
  "media.offer": "MediaOfferReply",
  "media.restart": "MediaRestartReply",
  "media.subscribe": "SubscribeReply",
  "ping": "PingReply",
  "source.update": "SourceUpdateReply",
};

/** Which struct the body of each event is. */
export const eventBodies: Readonly<Record<string, string>> = {
  "call.message": "CallMessageEvent",
  "media.bindings": "MediaBindingsEvent",
  "media.failed": "MediaFailedEvent",
  "participant.joined": "ParticipantJoinedEvent",
  "participant.left": "ParticipantLeftEvent",
  "participant.updated": "ParticipantUpdatedEvent",
  "server.shutdown": "ServerShutdownEvent",
};
