/** Returns the old object when the new one says the same, so that nothing is drawn anew. */
export function reuse<T extends object>(old: T | undefined, next: T): T {
  if (!old) return next;
  const keys = Object.keys(next) as (keyof T)[];
  const same = keys.length === Object.keys(old).length && keys.every((key) => Object.is(old[key], next[key]));
  return same ? old : next;
}

/** The same for lists: the old list, if all its items are the old ones. */
export function reuseList<T>(old: readonly T[], next: readonly T[]): readonly T[] {
  return old.length === next.length && next.every((item, i) => Object.is(item, old[i])) ? old : next;
}
