import type { MediaKind, Source } from '../protocol/messages.generated';

// The context byte of a KID: which encoder of a participant a frame is from.
const sources: readonly Source[] = ['mic', 'camera', 'screen', 'screen_audio'];

/** The source that a KID's context byte names; null for one of a newer client. */
export function sourceOfContext(ctx: number): Source | null {
  return sources[ctx] ?? null;
}

/** The context byte of a source. */
export function contextOfSource(source: Source): number {
  return sources.indexOf(source);
}

/** What kind of media a source is. */
export function kindOfSource(source: Source): MediaKind {
  return source === 'camera' || source === 'screen' ? 'video' : 'audio';
}
