// What the page, the core worker and the transform worker say to each other.
// Keys go from the core worker to the transform worker over a port of their own;
// the page never sees one.
import type { Bytes } from '../lib/bytes.ts';
import type { MediaKind, ParticipantID } from '../protocol/messages.generated';

/** What a transform is told when it is attached. */
export type TransformOptions =
  | { side: 'send'; ctx: number; kind: MediaKind }
  /** `slot` names a receive section for good: its mid is not known yet. */
  | { side: 'receive'; slot: string; kind: MediaKind };

/** Core worker to transform worker. */
export type KeyMessage =
  | { op: 'reset' }
  | { op: 'install'; kid: number; ctx: number; baseKey: Bytes; participant: ParticipantID }
  | { op: 'remove'; kid: number }
  | { op: 'send'; ctx: number; kid: number; baseKey: Bytes };

/** Transform worker to core worker: frames came that no key fits. */
export interface UnknownKid {
  participant: ParticipantID;
}

/** Page to transform worker. */
export type ToTransform =
  | { type: 'keys'; port: MessagePort }
  /** Who the server says is in each slot. A hint for whom to ask for a key, no more. */
  | { type: 'hints'; slots: [slot: string, participant: ParticipantID][] }
  /** The page has moved the slot's picture to the owner that was announced. */
  | { type: 'shown'; slot: string };

/** How one receive slot fares, counted from its beginning. */
export interface SlotReport {
  slot: string;
  /** Whose authenticated frames came last; null before the first. */
  participant: ParticipantID | null;
  ctx: number;
  decrypted: number;
  failed: number;
  unknown: number;
}

/** What one encoder seals with now. */
export interface SendReport {
  ctx: number;
  /** KID modulo 256. */
  generation: number;
  sealed: number;
}

/** Totals since the page was opened. */
export interface Totals {
  decrypted: number;
  /** Frames that had a key and did not verify. */
  failed: number;
  /** Frames dropped because their key never came. */
  unknown: number;
  /** Authentic frames that came twice or too late. */
  replayed: number;
  sealed: number;
  /** Own frames that were not sent because there was no key yet. */
  unsealed: number;
}

/** Transform worker to page. */
export type FromTransform =
  /** Frames in this slot are now proven to be from someone else; none passes until `shown`. */
  | { type: 'owner'; slot: string; participant: ParticipantID; ctx: number }
  | { type: 'report'; slots: SlotReport[]; sending: SendReport[]; totals: Totals }
  /** The browser cannot make a key frame from the worker: the page must. */
  | { type: 'make-key-frame'; ctx: number };

/** What the core has to say: messages to send, and who is in the call. */
export interface CoreOutput {
  messages: { to: ParticipantID; payload: Bytes }[];
  roster: RosterEntry[] | null;
  refused?: string;
}

/** A participant as the sealed messages show them. */
export interface RosterEntry {
  participant: ParticipantID;
  /** Empty until their sealed message came. */
  name: string;
  hasKey: boolean;
}

/** The methods of the core worker. Arguments and results cross by structured clone. */
export interface CoreMethods {
  load(): { version: string };
  /** Takes the port to the transform worker. */
  connect(port: MessagePort): void;
  newCall(): { secret: Bytes; call: string; admissionKey: Bytes };
  callFromSecret(secret: Bytes): { call: string; admissionKey: Bytes };
  /** Draws the device key, of which only the public half leaves the worker. */
  newDevice(): Bytes;
  signLogin(challenge: Bytes, host: string): Bytes;
  signAdmission(secret: Bytes, challenge: Bytes): Bytes;
  open(secret: Bytes, self: ParticipantID, name: string, present: ParticipantID[]): CoreOutput;
  joined(participant: ParticipantID): CoreOutput;
  left(participant: ParticipantID): CoreOutput;
  message(from: ParticipantID, payload: Bytes): CoreOutput;
  setName(name: string): CoreOutput;
  close(): void;
}

/** A call to the core worker. */
export interface CoreRequest {
  id: number;
  method: keyof CoreMethods;
  args: unknown[];
}

/** Core worker to page. */
export type FromCore =
  | { id: number; result: unknown }
  | { id: number; error: { code: string; message: string } }
  /** The core did something of its own accord. */
  | { output: CoreOutput };
