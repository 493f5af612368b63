import type { Want } from '../protocol/messages.generated';
import { type Person, stateOf } from './people.ts';

/** A tile on screen, with its size in device pixels. */
export interface VisibleTile {
  participant: string;
  source: 'camera' | 'screen';
  width: number;
  height: number;
}

/** Sizes are rounded up to steps, so that a small change of layout asks for nothing new. */
const stepPixels = 160;

/**
 * What to ask the server for, most wanted first: the video of every tile on
 * screen, the sound of everybody. Cameras that are off are asked for too, so that
 * they appear at once when they go on.
 */
export function makeWants(people: readonly Person[], visible: readonly VisibleTile[]): Want[] {
  const screens = visible.filter((tile) => tile.source === 'screen');
  const cameras = visible.filter((tile) => tile.source === 'camera');
  const wants: Want[] = [...screens, ...cameras]
    .filter((tile) => people.some((person) => person.id === tile.participant))
    .map((tile) => ({
      participant: tile.participant,
      source: tile.source,
      max_width: roundUp(tile.width),
      max_height: roundUp(tile.height),
    }));
  const byLiveness = [...people].sort((a, b) => rank(a) - rank(b) || a.order - b.order);
  for (const person of byLiveness) wants.push({ participant: person.id, source: 'mic' });
  for (const person of people) {
    if (stateOf(person, 'screen_audio') === 'live')
      wants.push({ participant: person.id, source: 'screen_audio' });
  }
  return wants.slice(0, 256);
}

function rank(person: Person): number {
  return stateOf(person, 'mic') === 'live' ? 0 : 1;
}

function roundUp(pixels: number): number {
  return Math.min(65_535, Math.ceil(Math.max(1, pixels) / stepPixels) * stepPixels);
}

/** Whether two requests ask for the same. */
export function sameWants(a: readonly Want[], b: readonly Want[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
