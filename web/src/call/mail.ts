import { codeOf } from '../lib/errors.ts';
import type { SealedMessage } from '../protocol/messages.generated';
import { lost, type Signalling } from '../signalling/signalling.ts';
import { Outbox } from './outbox.ts';
import type { Standing } from './standing.ts';

/** Carries our sealed messages to the server, one batch at a time and in order. */
export class Mail {
  readonly #signalling: Signalling;
  readonly #standing: Standing;
  readonly #outbox = new Outbox();
  #flushing = false;

  constructor(signalling: Signalling, standing: Standing) {
    this.#signalling = signalling;
    this.#standing = standing;
  }

  /** Sends messages after those that already wait. */
  send(messages: readonly SealedMessage[]): void {
    this.#outbox.add(messages);
    this.flush();
  }

  /** Sends what waits, also what an earlier connection lost. */
  flush(): void {
    if (this.#flushing || this.#outbox.empty) return;
    this.#flushing = true;
    void this.#sendAll().finally(() => {
      this.#flushing = false;
    });
  }

  /** Forgets what waits: it was for a stay in the call that is over. */
  clear(): void {
    this.#outbox.clear();
  }

  async #sendAll(): Promise<void> {
    const { generation } = this.#standing;
    while (!this.#outbox.empty) {
      const batch = this.#outbox.take();
      try {
        await this.#signalling.request('call.send', { messages: batch });
      } catch (error) {
        if (codeOf(error) === lost && generation === this.#standing.generation) this.#outbox.restore(batch);
        return;
      }
    }
  }
}
