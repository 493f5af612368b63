import type { ParticipantID, Source } from '../protocol/messages.generated';
import type { Slot } from './peer.ts';

/** When a slot changes hands, the decoder may hold pictures of the former owner for so long. */
const handoverMs = 200;

/** Whose media a slot carries, as its frames prove. */
export interface Ownership {
  readonly slot: Slot;
  readonly participant: ParticipantID;
  readonly source: Source;
  /** From when on the slot's picture may be shown. */
  readonly from: number;
}

/** Who the frames of each slot are proven to be from. */
export class Owners {
  readonly #owners = new Map<string, Ownership>();
  /** Slots whose decoder has had pictures of somebody. */
  readonly #used = new Set<string>();

  get list(): Ownership[] {
    return [...this.#owners.values()];
  }

  /** Takes a new owner. Returns for how many milliseconds its picture is not to be shown. */
  put(slot: Slot, participant: ParticipantID, source: Source, now: number): number {
    const wait = this.#used.has(slot.id) && slot.kind === 'video' ? handoverMs : 0;
    this.#used.add(slot.id);
    // A source is in one place: the place it was in before is nobody's now.
    for (const [id, owner] of this.#owners) {
      if (owner.participant === participant && owner.source === source) this.#owners.delete(id);
    }
    this.#owners.set(slot.id, { slot, participant, source, from: now + wait });
    return wait;
  }

  /** The slot whose picture or sound may be shown as this source of this person. */
  slotOf(participant: ParticipantID, source: Source, now: number): Slot | undefined {
    return this.list.find(
      (owner) => owner.participant === participant && owner.source === source && owner.from <= now,
    )?.slot;
  }

  /** Forgets all: there is a new peer, whose slots are nobody's yet. */
  clear(): void {
    this.#owners.clear();
    this.#used.clear();
  }
}
