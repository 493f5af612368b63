// Code generated from signaling/protocol by `go generate ./signaling/...`. DO NOT EDIT.

export const SUBPROTOCOL = "sotto.v1";
export const PATH = "/v1/ws";
/** The largest message of a server, in UTF-8 bytes. */
export const MAX_SERVER_MESSAGE = 1048576;
export const MAX_DEPTH = 16;

/** Opaque bytes, base64url without padding. */
export type Bytes = string;
/** CallID names a call and commits to its admission key: it is the first 16 bytes of SHA-256("sotto/1 call id" ‖ admission key). */
export type CallID = string;
/** ParticipantID names one joining of a call. The server draws it; a device that joins again gets another. */
export type ParticipantID = string;
/** DeviceID names a device: the first 16 bytes of SHA-256("sotto/1 device id" ‖ device key). */
export type DeviceID = string;
/** SessionID names a signalling session, which outlives its WebSocket by the resume window. */
export type SessionID = string;

/** Source names one thing a participant can send. */
export type Source = "mic" | "camera" | "screen" | "screen_audio";

/** SourceState says what a source is doing. */
export type SourceState = "off" | "live" | "muted";

/** MediaKind is audio or video. */
export type MediaKind = "audio" | "video";

/** LeaveReason says why somebody is gone. */
export type LeaveReason = "left" | "lost" | "shutdown" | (string & {});

/** Code is a stable error code: clients branch on it, so a code once released keeps its meaning. */
export type Code = "bad_json" | "bad_request" | "unknown_type" | "duplicate_id" | "too_large" | "rate_limited" | "not_ready" | "already_done" | "bad_signature" | "no_such_call" | "call_mismatch" | "call_full" | "too_many_calls" | "bad_sdp" | "media_unavailable" | "shutting_down" | "internal" | (string & {});

/** WebSocket close codes with which the server says why it hung up. */
export const CloseCode = {
  normal: 1000,
  going_away: 1001,
  too_big: 1009,
  internal: 1011,
  protocol: 4400,
  unauthorized: 4401,
  login_timeout: 4408,
  replaced: 4409,
  slow: 4413,
  rate_limited: 4429,
  too_many_connections: 4430,
} as const;

/** Error refuses a request. */
export interface WireError {
  code: Code;
  /** for developers, in English; never parsed */
  message: string;
  /** Retryable says that the same request may succeed later. */
  retryable: boolean;
  /** RetryAfterMillis says when, if the server knows. */
  retry_after_ms?: number;
}

/** HelloRequest is the first message on every WebSocket. */
export interface HelloRequest {
  /** Client names the software and version for the operator's logs, at most 64 printable ASCII characters, e.g. "sotto-web/0.1.0". */
  client: string;
}

/** Limits are the server's configured bounds. */
export interface Limits {
  /** largest WebSocket message */
  message_bytes: number;
  /** sustained requests per connection */
  messages_per_second: number;
  /** requests that may come at once */
  message_burst: number;
  /** calls one device may be in, and may hold open as creator */
  calls_per_device: number;
  /** per call */
  participants: number;
  /** receive sections of each kind */
  audio_slots: number;
  video_slots: number;
  /** one sealed payload of call.send, decoded */
  payload_bytes: number;
}

/** HelloReply gives the login challenge and the limits in force. */
export interface HelloReply {
  /** software and version */
  server: string;
  /** 32 random bytes, valid on this WebSocket once */
  challenge: Bytes;
  limits: Limits;
  /** PingMillis is how often the client should send ping. A WebSocket silent for three times as long is closed. */
  ping_ms: number;
  /** ResumeMillis is how long a session survives the loss of its WebSocket. */
  resume_ms: number;
}

/** Resume names the session to take up again. */
export interface Resume {
  session: SessionID;
  /** the newest event that was handled */
  last_seq: number;
}

/** LoginRequest proves possession of the device key. */
export interface LoginRequest {
  /** Ed25519 public key, 32 bytes */
  device_key: Bytes;
  /** Signature is Ed25519 over the login context: see identity.LoginMessage and docs/PROTOCOL.md. */
  signature: Bytes;
  /** Resume asks for an earlier session of the same device. */
  resume?: Resume;
}

/** LoginReply opens or resumes a session. With Resumed true, the events after LastSeq follow at once in order; with false the session is new and empty, and a client that was in a call joins it again. */
export interface LoginReply {
  device: DeviceID;
  session: SessionID;
  resumed: boolean;
}

/** PingRequest keeps the connection alive and measures it. */
export type PingRequest = Record<never, never>;

/** PingReply answers a ping. */
export type PingReply = Record<never, never>;

/** CallCreateRequest registers a call. Doing it again is no error. */
export interface CallCreateRequest {
  call: CallID;
  /** AdmissionKey is the Ed25519 public key, 32 bytes, whose private half only holders of the call secret have. Call must be derived from it. */
  admission_key: Bytes;
}

/** CallCreateReply tells whether the call is new. */
export interface CallCreateReply {
  created: boolean;
  /** ExpiresAt is when an empty call is forgotten, in Unix milliseconds. */
  expires_at: number;
}

/** CallChallengeRequest asks for the challenge to sign for joining a call. */
export interface CallChallengeRequest {
  call: CallID;
}

/** CallChallengeReply carries a challenge for one join by this session. */
export interface CallChallengeReply {
  /** 32 random bytes, valid for 60 s */
  challenge: Bytes;
}

/** CallJoinRequest joins a call. */
export interface CallJoinRequest {
  call: CallID;
  /** Signature is by the admission key over the admission context: see identity.AdmissionMessage and docs/PROTOCOL.md. */
  signature: Bytes;
}

/** Participant is one member of a call as the server knows it: no name, no key but the device's public one. */
export interface Participant {
  id: ParticipantID;
  /** Ed25519, 32 bytes */
  device_key: Bytes;
  /** absent means off */
  sources: Partial<Record<Source, SourceState>>;
  /** false while its WebSocket is lost */
  connected: boolean;
}

/** CallJoinReply says who the client is in the call and who is there already. */
export interface CallJoinReply {
  participant: ParticipantID;
  /** without the client itself */
  participants: Participant[];
}

/** CallLeaveRequest leaves the call. */
export type CallLeaveRequest = Record<never, never>;

/** CallLeaveReply confirms it. */
export type CallLeaveReply = Record<never, never>;

/** SealedMessage is opaque to the server. */
export interface SealedMessage {
  to: ParticipantID;
  payload: Bytes;
}

/** CallSendRequest hands sealed payloads to the server for other participants. */
export interface CallSendRequest {
  /** at most one per participant */
  messages: SealedMessage[];
}

/** CallSendReply lists who was not there to receive. */
export interface CallSendReply {
  undelivered: ParticipantID[];
}

/** SourceUpdateRequest announces what a source is doing. */
export interface SourceUpdateRequest {
  source: Source;
  state: SourceState;
}

/** SourceUpdateReply confirms it. */
export type SourceUpdateReply = Record<never, never>;

/** Section describes one m-section. Exactly one of Publish and Receive is set. */
export interface Section {
  mid: string;
  /** the client sends this source here */
  publish?: Source;
  /** a slot the server may bind a source to */
  receive?: MediaKind;
}

/** MediaOfferRequest is the one SDP offer of a call. */
export interface MediaOfferRequest {
  sdp: string;
  /** Sections says what each m-section of the offer is for, by its mid. */
  sections: Section[];
}

/** MediaOfferReply is the one answer. */
export interface MediaOfferReply {
  sdp: string;
}

/** MediaRestartRequest is an offer with new ICE credentials and the same sections: an ICE restart (RFC 8445 section 2.4). */
export interface MediaRestartRequest {
  sdp: string;
}

/** MediaRestartReply answers it. */
export interface MediaRestartReply {
  sdp: string;
}

/** Want asks for one source of one participant. It may be off: the slot is then bound and silent until media comes. */
export interface Want {
  participant: ParticipantID;
  source: Source;
  /** pixels of the tile; 0: no limit */
  max_width?: number;
  max_height?: number;
}

/** SubscribeRequest replaces the list of what the client wants to receive. */
export interface SubscribeRequest {
  /** most wanted first; what exceeds the slots is left out */
  wants: Want[];
}

/** Binding says what a slot carries. Slots not listed carry nothing. */
export interface Binding {
  mid: string;
  participant: ParticipantID;
  source: Source;
}

/** SubscribeReply tells the bindings that resulted. */
export interface SubscribeReply {
  bindings: Binding[];
}

/** ParticipantJoinedEvent announces a newcomer. */
export interface ParticipantJoinedEvent {
  participant: Participant;
}

/** ParticipantUpdatedEvent carries the whole new state of a participant. */
export interface ParticipantUpdatedEvent {
  participant: Participant;
}

/** ParticipantLeftEvent says who is gone. Receivers must stop sharing keys with them. */
export interface ParticipantLeftEvent {
  participant: ParticipantID;
  reason: LeaveReason;
}

/** CallMessageEvent delivers a sealed payload. */
export interface CallMessageEvent {
  from: ParticipantID;
  payload: Bytes;
}

/** MediaBindingsEvent replaces all bindings, after the server changed some. */
export interface MediaBindingsEvent {
  bindings: Binding[];
}

/** MediaFailedEvent tells that the media connection will not come back by itself: an ICE restart may revive it, or joining again with a new offer. */
export interface MediaFailedEvent {
  reason: string;
}

/** ServerShutdownEvent announces an orderly stop. The WebSocket is closed right after; clients come back after the delay. */
export interface ServerShutdownEvent {
  reconnect_ms: number;
}

/** Every request with its reply. */
export interface Requests {
  "hello": { request: HelloRequest; reply: HelloReply };
  "login": { request: LoginRequest; reply: LoginReply };
  "ping": { request: PingRequest; reply: PingReply };
  "call.create": { request: CallCreateRequest; reply: CallCreateReply };
  "call.challenge": { request: CallChallengeRequest; reply: CallChallengeReply };
  "call.join": { request: CallJoinRequest; reply: CallJoinReply };
  "call.leave": { request: CallLeaveRequest; reply: CallLeaveReply };
  "call.send": { request: CallSendRequest; reply: CallSendReply };
  "source.update": { request: SourceUpdateRequest; reply: SourceUpdateReply };
  "media.offer": { request: MediaOfferRequest; reply: MediaOfferReply };
  "media.restart": { request: MediaRestartRequest; reply: MediaRestartReply };
  "media.subscribe": { request: SubscribeRequest; reply: SubscribeReply };
}
export type RequestType = keyof Requests;

/** Every event. */
export interface Events {
  "participant.joined": ParticipantJoinedEvent;
  "participant.updated": ParticipantUpdatedEvent;
  "participant.left": ParticipantLeftEvent;
  "call.message": CallMessageEvent;
  "media.bindings": MediaBindingsEvent;
  "media.failed": MediaFailedEvent;
  "server.shutdown": ServerShutdownEvent;
}
export type EventType = keyof Events;
