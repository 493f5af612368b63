import { parseCodec, type VideoCodec } from '../call/codecs.ts';
import { Store } from './store.ts';

export type Theme = 'system' | 'light' | 'dark';

/** What the page remembers on this device. Nothing of it is sent to the server in the clear. */
export interface Settings {
  name: string;
  theme: Theme;
  /** Null: the page decides. */
  codec: VideoCodec | null;
  micId: string;
  cameraId: string;
  speakerId: string;
  /** Single letters do things in a call. Some people dictate, and need them not to. */
  shortcuts: boolean;
}

const storageKey = 'sotto.settings';
const defaults: Settings = {
  name: '',
  theme: 'system',
  codec: null,
  micId: '',
  cameraId: '',
  speakerId: '',
  shortcuts: true,
};

/** Reads settings as they were stored, by whatever version of the page. */
export function parseSettings(text: string | null): Settings {
  let stored: unknown;
  try {
    stored = JSON.parse(text ?? '{}');
  } catch {
    stored = {};
  }
  if (typeof stored !== 'object' || stored === null) return defaults;
  const record = stored as Record<string, unknown>;
  const string = (key: keyof Settings) => (typeof record[key] === 'string' ? record[key] : '');
  const theme = string('theme');
  return {
    name: string('name').slice(0, 64),
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    codec: parseCodec(string('codec')),
    micId: string('micId'),
    cameraId: string('cameraId'),
    speakerId: string('speakerId'),
    shortcuts: record.shortcuts !== false,
  };
}

/** The settings, kept in the browser's storage where there is one. */
export function openSettings(storage: Pick<Storage, 'getItem' | 'setItem'> | null): Store<Settings> {
  let text: string | null = null;
  try {
    text = storage?.getItem(storageKey) ?? null;
  } catch {
    // Storage is forbidden: settings last as long as the page.
  }
  const store = new Store(parseSettings(text));
  let first = true;
  store.subscribe((settings) => {
    if (first) {
      first = false;
      return;
    }
    try {
      storage?.setItem(storageKey, JSON.stringify(settings));
    } catch {
      // Full or forbidden: the same.
    }
  });
  return store;
}
