/** The first waits: a server that restarts is back within a second or two. */
const firstWaitsMs = [100, 200, 400, 800];
const steadyWaitMs = 1000;
/** From here on the server is away for longer, and others want it too. */
const patientAfter = 40;
const patientWaitMs = 3000;

/**
 * How long to wait before connecting anew, in ms, after `failures` failures in a
 * row. A fifth is random, so that not everyone comes back in the same instant.
 */
export function backoffMs(failures: number, random: () => number): number {
  const wait = failures >= patientAfter ? patientWaitMs : (firstWaitsMs[failures] ?? steadyWaitMs);
  return Math.round(wait * (0.8 + 0.4 * random()));
}
