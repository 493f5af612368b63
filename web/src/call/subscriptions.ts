import type { Clock } from '../lib/clock.ts';
import type { Binding, ParticipantID, Source, Want } from '../protocol/messages.generated';
import type { Signalling } from '../signalling/signalling.ts';
import type { Person } from './people.ts';
import type { Standing } from './standing.ts';
import { makeWants, sameWants, type VisibleTile } from './wants.ts';

/** After a change of layout things move for a moment. */
const wantsDelayMs = 80;

/** What subscriptions are made with. */
export interface SubscriptionsOptions {
  signalling: Signalling;
  standing: Standing;
  clock: Clock;
  /** The others in the call. */
  people(): readonly Person[];
  /** The server has said what is where. */
  onBindings(bindings: readonly Binding[]): void;
}

/** What we ask the server for, and where it says that it is. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  #visible: readonly VisibleTile[] = [];
  /** What was asked for last. */
  #wants: readonly Want[] = [];
  #bindings: readonly Binding[] = [];
  #cancel: (() => void) | undefined;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** Which tiles are on screen; what is not is not asked for. */
  setVisible(tiles: readonly VisibleTile[]): void {
    this.#visible = tiles;
    this.plan();
  }

  /** Asks anew soon, if there is something new to ask for. */
  plan(): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(wantsDelayMs, () => void this.#send());
  }

  /** Asks anew at once: the server may not know. */
  async refresh(): Promise<void> {
    this.#wants = [];
    await this.#send();
  }

  /** Takes what the server says is where: a claim, which proves nothing about whose media it is. */
  setBindings(bindings: readonly Binding[]): void {
    this.#bindings = bindings;
    this.#options.onBindings(bindings);
  }

  /** The section in which the server says that a source is. */
  claimedMid(participant: ParticipantID, source: Source): string | undefined {
    return this.#bindings.find((one) => one.participant === participant && one.source === source)?.mid;
  }

  /** Forgets what was asked and answered: there is a new peer. */
  clear(): void {
    this.#bindings = [];
    this.#wants = [];
  }

  /** Asks for nothing any more. */
  stop(): void {
    this.#cancel?.();
  }

  async #send(): Promise<void> {
    const { signalling, standing, people } = this.#options;
    const wants = makeWants(people(), this.#visible);
    if (!standing.entered || sameWants(wants, this.#wants)) return;
    this.#wants = wants;
    const { generation } = standing;
    try {
      const { bindings } = await signalling.request('media.subscribe', { wants });
      if (generation === standing.generation) this.setBindings(bindings);
    } catch {
      this.#wants = []; // the next change or refresh tries again
    }
  }
}
