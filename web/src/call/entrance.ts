import type { Clock } from '../lib/clock.ts';
import { codeOf, SottoError } from '../lib/errors.ts';
import type { CallJoinReply, MediaOfferRequest } from '../protocol/messages.generated';
import { lost, type Signalling } from '../signalling/signalling.ts';
import type { Admission } from './admission.ts';
import type { Peer } from './peer.ts';
import type { Standing } from './standing.ts';

const maxAttempts = 8;
/** Challenges are good for 60 s; some of it is spent on the way. */
const challengeMs = 45_000;

/** What was made ready before the person wanted in. */
interface Warm {
  peer: Peer;
  offering: Promise<MediaOfferRequest>;
  challenge: Promise<string>;
  /** From then on the challenge may have expired. */
  until: number;
}

/** What an entrance is made with. */
export interface EntranceOptions {
  signalling: Signalling;
  standing: Standing;
  clock: Clock;
  admission: Admission;
  /** Makes a new peer in place of the one before. */
  replacePeer(generation: number): Peer;
  /** We are outside now. */
  onOutside(): void;
  /** The server has let us in: makes keys for who is there. */
  onAdmitted(reply: CallJoinReply, current: () => boolean): Promise<void>;
  /** Keys and media are ready. */
  onInside(): void;
  /** There is no way in. */
  onFail(code: string): void;
}

/** The way into the call, first and again, until it is open or hopeless. */
export class Entrance {
  readonly #options: EntranceOptions;
  #warm: Warm | undefined;
  #wanted = false;
  #attempts = 0;

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** The person wants in. */
  get wanted(): boolean {
    return this.#wanted;
  }

  /** From now on the person wants in. */
  want(): void {
    this.#wanted = true;
  }

  /** Does what can be done before the person wants in. */
  warmUp(): void {
    const { admission, standing, clock, onFail } = this.#options;
    const challenge = admission.challenge();
    const { peer, offering } = this.#warm ?? this.#makeOffer(standing.next());
    this.#warm = { peer, offering, challenge, until: clock.now() + challengeMs };
    challenge.catch((error: unknown) => {
      if (this.#wanted || standing.over) return;
      const passing = codeOf(error) === lost || (error instanceof SottoError && error.retryable);
      if (!passing) onFail(codeOf(error));
    });
  }

  /** Joins the call and connects the media. `leaveFirst`: an earlier attempt may have got half way. */
  async enter(leaveFirst: boolean): Promise<void> {
    const { signalling, standing, clock, admission, onOutside, onAdmitted, onInside } = this.#options;
    const generation = standing.next();
    const current = () => standing.current(generation);
    standing.outside();
    onOutside();
    try {
      if (leaveFirst) await signalling.request('call.leave', {}).catch(rethrowLost);
      const warm = this.#warm;
      this.#warm = undefined;
      const fresh = warm && clock.now() < warm.until;
      const admitted = admission.join(fresh ? warm.challenge : admission.challenge());
      admitted.catch(() => undefined); // awaited below, unless making the offer fails first
      const { peer, offering } = warm ?? this.#makeOffer(generation);
      const reply = await admitted;
      if (!current()) return;
      // The server works on the offer while the core works on the keys.
      const answering = offering.then((offer) => signalling.request('media.offer', offer));
      answering.catch(() => undefined);
      await onAdmitted(reply, current);
      const answer = await answering;
      if (!current()) return;
      const accepting = peer.accept(answer.sdp);
      standing.inside();
      this.#attempts = 0;
      onInside(); // while the browser still digests the answer
      await accepting;
    } catch (error) {
      if (current()) this.#failed(error);
    }
  }

  #makeOffer(generation: number): Pick<Warm, 'peer' | 'offering'> {
    const peer = this.#options.replacePeer(generation);
    const offering = peer.offer();
    offering.catch(() => undefined); // who awaits it hears of it
    return { peer, offering };
  }

  #failed(error: unknown): void {
    const { standing, clock, onFail } = this.#options;
    const code = codeOf(error);
    if (code === lost) return; // the next session brings the next attempt
    const retryable = error instanceof SottoError && error.retryable;
    const again = (retryable || standing.everEntered) && code !== 'call_full';
    if (!again || ++this.#attempts >= maxAttempts) {
      onFail(code);
      return;
    }
    const wait = (error instanceof SottoError && error.retryAfterMs) || 500 * this.#attempts;
    const { generation } = standing;
    clock.after(wait, () => {
      if (standing.current(generation)) void this.enter(true);
    });
  }
}

function rethrowLost(error: unknown): void {
  if (codeOf(error) === lost) throw error;
}
