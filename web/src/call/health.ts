// What a tile says about its media, from counts that the transform worker made.
import type { Source } from '../protocol/messages.generated';
import type { SlotReport } from '../workers/messages.ts';

/** The states that a tile can show; the names are also the tile's data-state. */
export type TileState = 'ok' | 'no-media' | 'no-key' | 'cannot-decrypt' | 'muted';

/** Failing for this long with nothing decrypted in between is shown. */
const failingAfterMs = 700;
/** A failure that is older than this is history. */
const forgetAfterMs = 3000;
/** Video that should flow and does not for this long is missing. */
const stalledAfterMs = 5000;

interface Track {
  report: SlotReport;
  decryptedAt: number;
  failedAt: number;
  failingSince: number | null;
  unknownAt: number;
}

/** Follows the counters of all slots over time. */
export class Health {
  readonly #slots = new Map<string, Track>();

  /** Takes the newest counts. */
  update(reports: readonly SlotReport[], now: number): void {
    const gone = new Set(this.#slots.keys());
    for (const report of reports) {
      gone.delete(report.slot);
      this.#updateSlot(report, now);
    }
    for (const slot of gone) this.#slots.delete(slot);
  }

  #updateSlot(report: SlotReport, now: number): void {
    const never = Number.NEGATIVE_INFINITY;
    const old = this.#slots.get(report.slot);
    const before = old?.report ?? { decrypted: 0, failed: 0, unknown: 0 };
    const failed = report.failed > before.failed;
    const decrypted = report.decrypted > before.decrypted;
    const failedAt = failed ? now : (old?.failedAt ?? never);
    let failingSince = old?.failingSince ?? null;
    if (decrypted || now - failedAt > forgetAfterMs) failingSince = null;
    else if (failed) failingSince ??= now;
    this.#slots.set(report.slot, {
      report,
      decryptedAt: decrypted ? now : (old?.decryptedAt ?? never),
      failedAt,
      failingSince,
      unknownAt: report.unknown > before.unknown ? now : (old?.unknownAt ?? never),
    });
  }

  /** Frames come and do not verify. */
  failing(slot: string, now: number): boolean {
    const since = this.#slots.get(slot)?.failingSince ?? null;
    return since !== null && now - since >= failingAfterMs;
  }

  /** Frames come whose key we do not have. */
  keyless(slot: string, now: number): boolean {
    const track = this.#slots.get(slot);
    return (
      track !== undefined && track.unknownAt > track.decryptedAt && now - track.unknownAt < forgetAfterMs
    );
  }

  /** Frames were decrypted, and for a camera not long ago: a shared screen that does not change sends none. */
  flowing(slot: string, source: Source, now: number): boolean {
    const track = this.#slots.get(slot);
    if (!track || track.decryptedAt === Number.NEGATIVE_INFINITY) return false;
    return source === 'screen' || now - track.decryptedAt < stalledAfterMs;
  }
}

/** What is known of one source of one person when its tile is drawn. */
export interface SourceFacts {
  hasKey: boolean;
  /** Being sent, as the server says. */
  live: boolean;
  failing: boolean;
  keyless: boolean;
  flowing: boolean;
}

/** The state of one source alone. */
export function sourceState(facts: SourceFacts): TileState {
  if (!facts.live) return 'muted';
  if (facts.failing) return 'cannot-decrypt';
  if (!facts.hasKey || facts.keyless) return 'no-key';
  return facts.flowing ? 'ok' : 'no-media';
}

/**
 * The state of a person's tile: that of the camera, but a microphone that cannot
 * be decrypted is never passed over in silence.
 */
export function tileState(camera: SourceFacts, mic: SourceFacts): TileState {
  const sound = sourceState(mic);
  if (sound === 'cannot-decrypt') return sound;
  if (!camera.live && sound === 'no-key') return sound;
  return sourceState(camera);
}
