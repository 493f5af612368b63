// What the call shows to whoever draws it: immutable snapshots.
import type { ParticipantID } from '../protocol/messages.generated';
import type { Totals } from '../workers/messages.ts';
import type { TileState } from './health.ts';

/** `joining` up to the first answer; `left` by the user's wish; `failed` with an error code. */
export type Phase = 'joining' | 'in' | 'left' | 'failed';

/** One picture, or the place of one. */
export interface TileView {
  state: TileState;
  /** The track whose frames are proven to be this person's; null while there is none. */
  track: MediaStreamTrack | null;
}

/** One other person, ready to be drawn. */
export interface PersonView {
  id: ParticipantID;
  /** Empty until their sealed message came. */
  name: string;
  hasKey: boolean;
  connected: boolean;
  micLive: boolean;
  cameraLive: boolean;
  camera: TileView;
  /** Null when they do not share one. */
  screen: TileView | null;
}

/** A voice or a shared sound to be played. */
export interface Sound {
  slot: string;
  participant: ParticipantID;
  track: MediaStreamTrack;
}

/** What the lock's panel tells about the call. */
export interface Security {
  /** Number of the key that we send with, modulo 256; null before the first. */
  generation: number | null;
  /** When it was taken into use, on the clock of Date.now(). */
  keySince: number;
  totals: Totals;
}

/** The whole call. */
export interface CallState {
  phase: Phase;
  /** Why it failed. */
  error: string | null;
  /** The connection to the server is lost, or the media's, and being mended. */
  reconnecting: boolean;
  self: ParticipantID | null;
  people: readonly PersonView[];
  /** Who speaks: a participant, `self`, or nobody. */
  speaker: ParticipantID | 'self' | null;
  sounds: readonly Sound[];
  security: Security;
}

/** Before anything happened. */
export const initialState: CallState = {
  phase: 'joining',
  error: null,
  reconnecting: false,
  self: null,
  people: [],
  speaker: null,
  sounds: [],
  security: {
    generation: null,
    keySince: 0,
    totals: { decrypted: 0, failed: 0, unknown: 0, replayed: 0, sealed: 0, unsealed: 0 },
  },
};

/** Something to be said aloud: who came and who went. */
export interface Notice {
  type: 'joined' | 'left';
  /** Empty if the name never came. */
  name: string;
}
