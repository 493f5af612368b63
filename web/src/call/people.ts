// Who is in the call: what the server says (who is there, what they send) and
// what the sealed messages say (what they are called, whether we have their key),
// kept apart and joined here for showing.
import type { Participant, ParticipantID, Source, SourceState } from '../protocol/messages.generated';
import type { RosterEntry } from '../workers/messages.ts';

/** One other person in the call. */
export interface Person {
  readonly id: ParticipantID;
  /** From their sealed message; empty until it came. */
  readonly name: string;
  readonly hasKey: boolean;
  /** False while their connection to the server is lost. */
  readonly connected: boolean;
  readonly sources: Readonly<Partial<Record<Source, SourceState>>>;
  /** In order of arrival, as seen from here. */
  readonly order: number;
}

/** What a source is doing; what was not announced is off. */
export function stateOf(person: Person, source: Source): SourceState {
  return person.sources[source] ?? 'off';
}

/** The others in the call, in order of arrival. Immutable snapshots come out. */
export class People {
  readonly #people = new Map<ParticipantID, Person>();
  readonly #roster = new Map<ParticipantID, RosterEntry>();
  #order = 0;

  get list(): Person[] {
    return [...this.#people.values()];
  }

  get(id: ParticipantID): Person | undefined {
    return this.#people.get(id);
  }

  /** Takes what the server says of somebody; true if they are new. */
  put(participant: Participant): boolean {
    const old = this.#people.get(participant.id);
    const entry = this.#roster.get(participant.id);
    this.#people.set(participant.id, {
      id: participant.id,
      name: entry?.name ?? '',
      hasKey: entry?.hasKey ?? false,
      connected: participant.connected,
      sources: participant.sources,
      order: old?.order ?? this.#order++,
    });
    return old === undefined;
  }

  /** Returns who left. */
  remove(id: ParticipantID): Person | undefined {
    const person = this.#people.get(id);
    this.#people.delete(id);
    this.#roster.delete(id);
    return person;
  }

  /** Takes what the sealed messages say. Returns who has a name now and had none. */
  setRoster(roster: readonly RosterEntry[]): Person[] {
    const named: Person[] = [];
    for (const entry of roster) {
      this.#roster.set(entry.participant, entry);
      const person = this.#people.get(entry.participant);
      if (!person) continue;
      const next = { ...person, name: entry.name, hasKey: entry.hasKey };
      this.#people.set(entry.participant, next);
      if (!person.name && next.name) named.push(next);
    }
    return named;
  }
}
