import type { ParticipantID, SealedMessage } from '../protocol/messages.generated';

/** So many messages fit into one request, whatever the size of a name. */
const maxBatch = 100;

/**
 * Sealed messages on their way to the server. One whose delivery was not
 * confirmed is sent again when the connection is back: receivers refuse repeats.
 */
export class Outbox {
  #waiting: SealedMessage[] = [];

  add(messages: readonly SealedMessage[]): void {
    this.#waiting.push(...messages);
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Takes the next batch: at most one message for each participant, as the protocol wants. */
  take(): SealedMessage[] {
    const batch: SealedMessage[] = [];
    const rest: SealedMessage[] = [];
    const taken = new Set<ParticipantID>();
    for (const message of this.#waiting) {
      if (batch.length < maxBatch && !taken.has(message.to)) {
        taken.add(message.to);
        batch.push(message);
      } else {
        rest.push(message);
      }
    }
    this.#waiting = rest;
    return batch;
  }

  /** Puts a batch back whose fate is not known. */
  restore(batch: readonly SealedMessage[]): void {
    this.#waiting = [...batch, ...this.#waiting];
  }

  clear(): void {
    this.#waiting = [];
  }
}
