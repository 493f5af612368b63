/**
 * Who of many is on screen. Those who are stay where they are; a newcomer takes
 * a free place; who speaks and has none takes the place of who was silent longest.
 */
export function pickShown(
  present: readonly string[],
  max: number,
  before: readonly string[],
  /** When each was last heard; who never was is missing. */
  heard: ReadonlyMap<string, number>,
  speaker: string | null,
): string[] {
  const here = new Set(present);
  const shown = before.filter((id) => here.has(id)).slice(0, max);
  for (const id of present) {
    if (shown.length < max && !shown.includes(id)) shown.push(id);
  }
  if (speaker !== null && here.has(speaker) && !shown.includes(speaker) && shown.length > 0) {
    const silent = shown.reduce((a, b) => ((heard.get(b) ?? 0) < (heard.get(a) ?? 0) ? b : a));
    shown[shown.indexOf(silent)] = speaker;
  }
  return shown;
}
