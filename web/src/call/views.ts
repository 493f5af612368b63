// What the call shows of the others, made of what is proven, what is claimed and
// what is counted.
import { reuse } from '../lib/reuse.ts';
import type { ParticipantID, Source } from '../protocol/messages.generated';
import { type Health, type SourceFacts, sourceState, tileState } from './health.ts';
import type { Owners } from './owners.ts';
import type { Slot } from './peer.ts';
import { type People, type Person, stateOf } from './people.ts';
import type { PersonView, Sound, TileView } from './state.ts';

/** Everything that is looked at for drawing, at one moment. */
export interface Sight {
  people: People;
  owners: Owners;
  health: Health;
  now: number;
  /** The slot in which the server says that a source is. */
  claimedSlot(participant: ParticipantID, source: Source): Slot | undefined;
}

/** Everybody as they are to be drawn; whoever has not changed is the old object. */
export function viewPeople(sight: Sight, before: readonly PersonView[]): PersonView[] {
  const old = new Map(before.map((person) => [person.id, person]));
  return sight.people.list.map((person) => viewPerson(sight, person, old.get(person.id)));
}

/** Every voice and shared sound that is to be played. */
export function viewSounds(sight: Sight, before: readonly Sound[]): Sound[] {
  const sounds: Sound[] = [];
  for (const { slot, participant } of sight.owners.list) {
    if (slot.kind !== 'audio' || !sight.people.get(participant)) continue;
    const sound = { slot: slot.id, participant, track: slot.receiver.track };
    sounds.push(
      reuse(
        before.find((one) => one.slot === slot.id),
        sound,
      ),
    );
  }
  return sounds;
}

function viewPerson(sight: Sight, person: Person, old: PersonView | undefined): PersonView {
  const mic = factsOf(sight, person, 'mic');
  const camera = factsOf(sight, person, 'camera');
  const screen = factsOf(sight, person, 'screen');
  const cameraView: TileView = { state: tileState(camera, mic), track: trackOf(sight, person, 'camera') };
  const screenView: TileView = { state: sourceState(screen), track: trackOf(sight, person, 'screen') };
  return reuse(old, {
    id: person.id,
    name: person.name,
    hasKey: person.hasKey,
    connected: person.connected,
    micLive: mic.live,
    cameraLive: camera.live,
    camera: reuse(old?.camera, cameraView),
    screen: screen.live ? reuse(old?.screen ?? undefined, screenView) : null,
  });
}

function factsOf(sight: Sight, person: Person, source: Source): SourceFacts {
  const { owners, health, now } = sight;
  const proven = owners.slotOf(person.id, source, now);
  // Frames that fail prove nothing about their sender: for them the server's word has to do.
  const bad = (sight.claimedSlot(person.id, source) ?? proven)?.id ?? '';
  return {
    hasKey: person.hasKey,
    live: stateOf(person, source) === 'live',
    failing: health.failing(bad, now),
    keyless: health.keyless(bad, now),
    flowing: proven !== undefined && health.flowing(proven.id, source, now),
  };
}

function trackOf({ owners, now }: Sight, person: Person, source: Source): MediaStreamTrack | null {
  return owners.slotOf(person.id, source, now)?.receiver.track ?? null;
}
