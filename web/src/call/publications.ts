import type { Source, SourceState } from '../protocol/messages.generated';
import type { Signalling } from '../signalling/signalling.ts';
import type { Peer } from './peer.ts';
import type { Standing } from './standing.ts';

interface Publication {
  track: MediaStreamTrack | null;
  state: SourceState;
}

/** What we send, over as many peers and sessions as it takes. */
export class Publications {
  readonly #signalling: Signalling;
  readonly #standing: Standing;
  readonly #sources = new Map<Source, Publication>();

  constructor(signalling: Signalling, standing: Standing) {
    this.#signalling = signalling;
    this.#standing = standing;
  }

  /** Sends a track as a source, or stops sending, and says so. */
  async put(source: Source, track: MediaStreamTrack | null, state: SourceState, peer?: Peer): Promise<void> {
    this.#sources.set(source, { track, state });
    await peer?.setTrack(source, state === 'live' ? track : null).catch(() => undefined);
    await this.#announce(source);
  }

  /** Has a new peer send all that is live. */
  attach(peer: Peer): void {
    for (const [source, { track, state }] of this.#sources) {
      if (state === 'live' && track) void peer.setTrack(source, track).catch(() => undefined);
    }
  }

  /** Tells the server of all of them. */
  announceAll(): void {
    for (const source of this.#sources.keys()) void this.#announce(source);
  }

  /** Whether a source is being sent. */
  live(source: Source): boolean {
    return this.#sources.get(source)?.state === 'live';
  }

  async #announce(source: Source): Promise<void> {
    const publication = this.#sources.get(source);
    if (!this.#standing.entered || !publication) return;
    const { state } = publication;
    // Whatever goes wrong here is put right by the next refresh.
    await this.#signalling.request('source.update', { source, state }).catch(() => undefined);
  }
}
