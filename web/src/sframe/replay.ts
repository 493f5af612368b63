/**
 * How far, in frames, a frame may lag behind the newest one of its KID and still
 * be accepted once. 1,024 frames are 20 s of Opus, more than any jitter buffer holds.
 */
export const replayWindow = 1024;

/** Remembers which of the last `replayWindow` counters were accepted. */
export class ReplayWindow {
  #top = -1n;
  readonly #bits = new Uint32Array(replayWindow / 32);

  /** Whether accept would take the counter; changes nothing. */
  wouldAccept(ctr: bigint): boolean {
    if (ctr > this.#top) return true;
    if (this.#top - ctr >= BigInt(replayWindow)) return false;
    return !this.#has(slot(ctr));
  }

  /**
   * Reports whether the counter is new and inside the window, and remembers it.
   * Call it only for counters of authenticated frames: otherwise anyone on the
   * way could move the window and lock the sender out.
   */
  accept(ctr: bigint): boolean {
    if (!this.wouldAccept(ctr)) return false;
    if (ctr > this.#top) this.#advance(ctr);
    const at = slot(ctr);
    this.#bits[at >> 5] = (this.#bits[at >> 5] ?? 0) | (1 << (at & 31));
    return true;
  }

  /** Moves the top up and forgets the counters that fall out of the window. */
  #advance(ctr: bigint): void {
    if (this.#top < 0n || ctr - this.#top >= BigInt(replayWindow)) {
      this.#bits.fill(0);
    } else {
      for (let c = this.#top + 1n; c <= ctr; c++) {
        const at = slot(c);
        this.#bits[at >> 5] = (this.#bits[at >> 5] ?? 0) & ~(1 << (at & 31));
      }
    }
    this.#top = ctr;
  }

  #has(at: number): boolean {
    return ((this.#bits[at >> 5] ?? 0) & (1 << (at & 31))) !== 0;
  }
}

function slot(ctr: bigint): number {
  return Number(ctr % BigInt(replayWindow));
}
