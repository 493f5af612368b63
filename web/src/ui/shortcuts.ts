/** What a key does in a call. */
export type Shortcut = 'mic' | 'camera' | 'screen' | 'copy-link' | 'security' | 'settings' | 'help';

export const shortcuts: readonly { key: string; action: Shortcut; label: string }[] = [
  { key: 'M', action: 'mic', label: 'Microphone on or off' },
  { key: 'V', action: 'camera', label: 'Camera on or off' },
  { key: 'S', action: 'screen', label: 'Share your screen, or stop' },
  { key: 'L', action: 'copy-link', label: 'Copy the link of the call' },
  { key: 'E', action: 'security', label: 'What is protected' },
  { key: ',', action: 'settings', label: 'Settings' },
  { key: '?', action: 'help', label: 'This list' },
];

/** The part of a KeyboardEvent that matters. */
export interface KeyLike {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  repeat: boolean;
}

/** What a key press asks for; null if it is meant for something else. */
export function shortcutOf(
  event: KeyLike,
  target: { tagName: string; isContentEditable: boolean } | null,
): Shortcut | null {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return null;
  if (target && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return null;
  return shortcuts.find(({ key }) => key === event.key.toUpperCase())?.action ?? null;
}
