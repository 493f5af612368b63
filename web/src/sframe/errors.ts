/** Why a frame was refused, or a key could not be used. Callers branch on `reason`. */
export type SFrameReason =
  /** Not an SFrame ciphertext: truncated, or its header is not in the one minimal form (RFC 9605 §4.3). */
  | 'malformed'
  /** The tag does not verify: wrong key, or changed on the way. */
  | 'auth'
  /** Authentic, but seen before or older than the replay window. */
  | 'replay'
  /** The ciphertext names another key. */
  | 'wrong_kid'
  /** The frame is larger than `maxFrameBytes`. */
  | 'too_large'
  /** The counter has given its last value. */
  | 'exhausted'
  /** The base key is too short, or the suite unknown. */
  | 'bad_key'
  /** The key has been erased. */
  | 'closed';

/** The one error class of this folder. */
export class SFrameError extends Error {
  readonly reason: SFrameReason;

  constructor(reason: SFrameReason) {
    super(`sframe: ${reason}`);
    this.name = 'SFrameError';
    this.reason = reason;
  }
}
