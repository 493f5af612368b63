import type { Bytes } from '../lib/bytes.ts';
import { SFrameError } from '../sframe/errors.ts';
import { type Header, parseHeader } from '../sframe/header.ts';
import { Receiver } from '../sframe/receiver.ts';
import { callSuite } from '../sframe/suite.ts';
import { type Codec, type FrameType, typeFits } from './codec.ts';
import { fingerprint } from './sealer.ts';
import { metadata, type Unwrapped, unwrap } from './wrapper.ts';

/** Bounds the receive keys of one call: 500 participants with four encoders each, and their previous keys. */
export const maxKeys = 4096;

/** Whose key a KID is and which encoder it seals for, as told to install. */
export interface Owner {
  participant: string;
  /** 0 microphone, 1 camera, 2 screen, 3 screen audio. */
  ctx: number;
}

/** Why a frame could not be opened; all of them mean: drop it. */
export type OpenFailure = 'unknown_kid' | 'malformed' | 'auth' | 'replay' | 'type_mismatch';

/** What came out of open. */
export type Opened =
  | { ok: true; owner: Owner; type: FrameType; data: Bytes }
  | { ok: false; failure: OpenFailure; owner: Owner | null };

/** A frame whose wrapper and header were read, and nothing more. */
export interface Parsed extends Unwrapped {
  codec: Codec;
  header: Header;
}

/** Reads wrapper and header. Null when they cannot be read. */
export function parseFrame(codec: Codec, data: Bytes): Parsed | null {
  const unwrapped = unwrap(codec, data);
  if (!unwrapped) return null;
  try {
    return { ...unwrapped, codec, header: parseHeader(unwrapped.sealed) };
  } catch {
    return null;
  }
}

interface Row {
  owner: Owner;
  receiver: Receiver;
  fingerprint: string;
}

/**
 * The receive keys of a call. The KID of a frame, and nothing the server says,
 * names the key and thereby the sender; a second key is never tried.
 */
export class Opener {
  readonly #keys = new Map<bigint, Row>();

  /** Whether frames of this KID can be opened now. */
  has(kid: bigint): boolean {
    return this.#keys.has(kid);
  }

  /**
   * Adds a receive key and wipes the base key. Installing the same again changes
   * nothing, so that its replay window survives. Returns false if the KID is
   * taken by another owner or another key, or the table is full.
   */
  async install(kid: number, owner: Owner, baseKey: Bytes): Promise<boolean> {
    try {
      const id = BigInt(kid);
      const print = await fingerprint(baseKey);
      const receiver = await Receiver.create(callSuite, id, baseKey);
      const old = this.#keys.get(id);
      if (old) {
        const same = old.owner.participant === owner.participant && old.owner.ctx === owner.ctx;
        return same && old.fingerprint === print;
      }
      if (this.#keys.size >= maxKeys) return false;
      this.#keys.set(id, { owner, receiver, fingerprint: print });
      return true;
    } finally {
      baseKey.fill(0);
    }
  }

  /** Forgets a key: its frames are unknown from now on. */
  remove(kid: number): void {
    this.#keys.get(BigInt(kid))?.receiver.close();
    this.#keys.delete(BigInt(kid));
  }

  /** Forgets all keys. */
  clear(): void {
    for (const row of this.#keys.values()) row.receiver.close();
    this.#keys.clear();
  }

  /** Verifies and decrypts a frame. The owner beside a failure is only claimed, not proven. */
  async open(frame: Parsed): Promise<Opened> {
    const row = this.#keys.get(frame.header.kid);
    if (!row) return { ok: false, failure: 'unknown_kid', owner: null };
    const failed = (failure: OpenFailure): Opened => ({ ok: false, failure, owner: row.owner });
    let plaintext: Bytes;
    try {
      plaintext = await row.receiver.open(metadata(frame.codec, frame.claim), frame.sealed, frame.header);
    } catch (error) {
      const reason = error instanceof SFrameError ? error.reason : 'auth';
      if (reason === 'closed') return { ok: false, failure: 'unknown_kid', owner: null };
      return failed(reason === 'auth' || reason === 'replay' ? reason : 'malformed');
    }
    const type = plaintext[0];
    // A type byte and nothing else: no sealer makes that.
    if (type === undefined || plaintext.length < 2) return failed('malformed');
    if (!typeFits(type, frame.codec)) return failed('type_mismatch');
    // The clear marker must not claim another type than the authenticated one.
    if (frame.claim !== null && frame.claim !== type) return failed('type_mismatch');
    // A copy: the encoded frame takes a buffer that holds the frame and nothing else.
    return { ok: true, owner: row.owner, type, data: plaintext.slice(1) };
  }
}
