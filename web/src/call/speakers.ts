// Who is speaking, from audio levels. Levels are not authenticated: they move a
// ring around a tile and nothing else.

/** Speech is above this, on a linear scale of 0 to 1; room noise is mostly below. */
const onLevel = 0.015;
/** Pauses between words do not end speaking. */
const holdMs = 700;
/** The loudest takes over only when clearly louder, so that the ring does not flicker. */
const takeOver = 1.4;
/** How quickly a level is forgotten, each sample. */
const decay = 0.75;

interface Voice {
  level: number;
  heardAt: number;
}

/** Follows the levels of everybody and names the active speaker. */
export class Speakers {
  readonly #voices = new Map<string, Voice>();
  #active: string | null = null;

  /** Takes one sample of everybody's level, 0 to 1. Returns true if what is shown changes. */
  sample(levels: ReadonlyMap<string, number>, now: number): boolean {
    const before = this.snapshot();
    for (const id of this.#voices.keys()) if (!levels.has(id)) this.#voices.delete(id);
    for (const [id, level] of levels) {
      const voice = this.#voices.get(id) ?? { level: 0, heardAt: Number.NEGATIVE_INFINITY };
      voice.level = Math.max(level, voice.level * decay);
      if (level >= onLevel) voice.heardAt = now;
      this.#voices.set(id, voice);
    }
    this.#elect(now);
    return before !== this.snapshot();
  }

  /** The one with the ring; null when nobody speaks. */
  get active(): string | null {
    return this.#active;
  }

  #elect(now: number): void {
    const speaking = [...this.#voices].filter(([, voice]) => now - voice.heardAt < holdMs);
    const loudest = speaking.sort(([, a], [, b]) => b.level - a.level)[0];
    const current = speaking.find(([id]) => id === this.#active);
    if (!loudest) this.#active = null;
    else if (!current || loudest[1].level > current[1].level * takeOver) this.#active = loudest[0];
  }

  private snapshot(): string | null {
    return this.#active;
  }
}
