import type { Clock } from '../lib/clock.ts';
import { codeOf } from '../lib/errors.ts';
import { lost, type Signalling } from '../signalling/signalling.ts';
import type { Peer } from './peer.ts';
import type { Standing } from './standing.ts';

/** A media connection that is only interrupted often mends itself. */
const mendsItselfMs = 2500;
/** After an ICE restart it is up again within this time, or joining anew is the way. */
const restartPatienceMs = 8000;
const maxRestarts = 2;

/** What mending is done with. */
export interface MendingOptions {
  signalling: Signalling;
  standing: Standing;
  clock: Clock;
  /** The peer that counts now. */
  peer(): Peer | undefined;
  /** Restarts do not help: join anew. */
  onHopeless(): void;
}

/** Mends the media connection: waits a little, restarts ICE, gives it up. */
export class Mending {
  readonly #options: MendingOptions;
  /** Restarts since the connection was last up. */
  #restarts = 0;
  #cancel: (() => void) | undefined;

  constructor(options: MendingOptions) {
    this.#options = options;
  }

  /** Does what a new state of the connection asks for. */
  follow(state: RTCPeerConnectionState): void {
    this.stop();
    if (state === 'connected') this.#restarts = 0;
    if (state === 'failed') void this.restart();
    if (state === 'disconnected') {
      this.#cancel = this.#options.clock.after(mendsItselfMs, () => void this.restart());
    }
  }

  /** Restarts ICE, where there is a server to do it with. */
  async restart(): Promise<void> {
    const { signalling, standing, onHopeless } = this.#options;
    const peer = this.#options.peer();
    if (!peer || !standing.entered || standing.over || signalling.status.get() !== 'online') return;
    if (++this.#restarts > maxRestarts) {
      onHopeless();
      return;
    }
    try {
      const sdp = await peer.restartOffer();
      const answer = await signalling.request('media.restart', { sdp });
      if (!this.#counts(peer)) return;
      await peer.accept(answer.sdp);
      this.#expect(peer);
    } catch (error) {
      if (this.#counts(peer) && codeOf(error) !== lost) onHopeless();
    }
  }

  /** Forgets the troubles of the peer before. */
  reset(): void {
    this.stop();
    this.#restarts = 0;
  }

  /** Waits for nothing any more. */
  stop(): void {
    this.#cancel?.();
  }

  #expect(peer: Peer): void {
    this.stop();
    this.#cancel = this.#options.clock.after(restartPatienceMs, () => {
      if (this.#counts(peer) && peer.state !== 'connected') void this.restart();
    });
  }

  #counts(peer: Peer): boolean {
    return peer === this.#options.peer();
  }
}
