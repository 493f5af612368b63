import type { Core } from '../core/core.ts';
import { codeOf } from '../lib/errors.ts';
import type { CallJoinReply } from '../protocol/messages.generated';
import { decodeBytes, encodeBytes } from '../protocol/validate';
import type { Signalling } from '../signalling/signalling.ts';
import type { Link } from './link.ts';
import type { Standing } from './standing.ts';

/** What an admission is asked for with. */
export interface AdmissionOptions {
  link: Link;
  /** We made the call: register it before joining. */
  founder: boolean;
  core: Core;
  signalling: Signalling;
  standing: Standing;
}

/** Gets us let in: shows the server that we hold the link's secret, and never the secret. */
export class Admission {
  readonly #options: AdmissionOptions;
  #founder: boolean;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#founder = options.founder;
  }

  /** Gets what is to be signed for joining; for that, a call of ours is registered first. */
  async challenge(): Promise<string> {
    const { link, signalling, standing } = this.#options;
    const { call } = link;
    if (this.#founder) await this.#create();
    try {
      return (await signalling.request('call.challenge', { call })).challenge;
    } catch (error) {
      // We were in it, so it did exist: the server has lost it. Whoever has the secret may register it again.
      if (codeOf(error) !== 'no_such_call' || !standing.everEntered) throw error;
      await this.#create();
      return (await signalling.request('call.challenge', { call })).challenge;
    }
  }

  /** Joins with a signed challenge. */
  async join(challenge: Promise<string>): Promise<CallJoinReply> {
    const { link, core, signalling } = this.#options;
    const signature = await core.call('signAdmission', link.secret, decodeBytes(await challenge));
    return signalling.request('call.join', { call: link.call, signature: encodeBytes(signature) });
  }

  async #create(): Promise<void> {
    const { link, core, signalling } = this.#options;
    const { call, admissionKey } = await core.call('callFromSecret', link.secret);
    await signalling.request('call.create', { call, admission_key: encodeBytes(admissionKey) });
    this.#founder = false;
  }
}
