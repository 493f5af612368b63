import type { Totals } from '../messages.ts';

/** Counts everything that happens to frames in this worker. */
export class Counters {
  readonly totals: Totals = { decrypted: 0, failed: 0, unknown: 0, replayed: 0, sealed: 0, unsealed: 0 };

  add(name: keyof Totals): void {
    this.totals[name]++;
  }
}
