/** Time, injected so that tests can invent it. */
export interface Clock {
  /** Milliseconds on a clock that never goes back. */
  now(): number;
  /** Runs once after a while; returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** The browser's own. */
export const realClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
