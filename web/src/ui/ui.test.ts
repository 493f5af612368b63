// The parts of the views that only calculate.
import { describe, expect, it } from 'vitest';
import { isLoopback } from '../lib/hosts.ts';
import { openSettings, parseSettings } from '../lib/settings.ts';
import { ago } from './format.ts';
import { arrange, gridRects, maxOthers, type Rect, type Size } from './layout.ts';
import { monogram } from './monogram.ts';
import { shortcutOf, shortcuts } from './shortcuts.ts';
import { pickShown } from './shown.ts';
import { missingSupport } from './support.ts';
import { errorText } from './texts.ts';

const desktop: Size = { width: 1240, height: 650 };
const phone: Size = { width: 374, height: 690 };
const sideways: Size = { width: 800, height: 300 };
const stages = [desktop, phone, sideways, { width: 320, height: 420 }, { width: 2500, height: 1300 }];

const inside = (rect: Rect, stage: Size) =>
  rect.x >= -0.5 &&
  rect.y >= -0.5 &&
  rect.x + rect.width <= stage.width + 0.5 &&
  rect.y + rect.height <= stage.height + 0.5 &&
  rect.width > 0 &&
  rect.height > 0;
const overlap = (a: Rect, b: Rect) =>
  a.x < b.x + b.width - 0.5 &&
  b.x < a.x + a.width - 0.5 &&
  a.y < b.y + b.height - 0.5 &&
  b.y < a.y + a.height - 0.5;

describe('layout', () => {
  it('keeps every tile on stage and off the others, whatever the number', () => {
    for (const stage of stages) {
      for (let others = 0; others <= 30; others++) {
        for (let screens = 0; screens <= 2; screens++) {
          const places = arrange(others, screens, stage);
          const main = [...places.screens, ...places.others];
          const all = places.mode === 'duet' ? main : [...main, places.self];
          for (const rect of [...all, places.self]) expect(inside(rect, stage)).toBe(true);
          for (const [i, a] of all.entries()) {
            for (const b of all.slice(i + 1)) expect(overlap(a, b)).toBe(false);
          }
          expect(places.others.length).toBeLessThanOrEqual(maxOthers(stage));
        }
      }
    }
  });

  it('fills the stage with one other and puts oneself into the corner', () => {
    const places = arrange(1, 0, desktop);
    expect(places.mode).toBe('duet');
    expect(places.others[0]).toMatchObject(desktop);
    expect(places.self.width).toBeLessThan(desktop.width / 4);
  });

  it('is two by two for four, on a desktop and on a phone', () => {
    for (const stage of [desktop, phone]) {
      const rects = gridRects(4, stage);
      expect(new Set(rects.map((rect) => rect.x)).size).toBe(2);
      expect(new Set(rects.map((rect) => rect.y)).size).toBe(2);
    }
  });

  it('centres the last row', () => {
    const rects = gridRects(5, desktop);
    const last = rects.slice(3);
    const middle = ((last[0]?.x ?? 0) + (last[1]?.x ?? 0) + (last[1]?.width ?? 0)) / 2;
    expect(middle).toBeCloseTo(desktop.width / 2);
  });

  it('gives a shared screen most of the stage', () => {
    for (const stage of [desktop, phone]) {
      const { screens, mode } = arrange(3, 1, stage);
      expect(mode).toBe('spotlight');
      const screen = screens[0];
      expect((screen?.width ?? 0) * (screen?.height ?? 0)).toBeGreaterThan(stage.width * stage.height * 0.7);
    }
  });
});

describe('who is shown', () => {
  const heard = new Map([
    ['a', 5],
    ['b', 1],
    ['c', 9],
  ]);

  it('fills free places and keeps everybody where they are', () => {
    expect(pickShown(['a', 'b'], 3, [], heard, null)).toEqual(['a', 'b']);
    expect(pickShown(['b', 'c', 'd'], 3, ['a', 'b'], heard, null)).toEqual(['b', 'c', 'd']);
  });

  it('gives a speaker the place of who was silent longest', () => {
    expect(pickShown(['a', 'b', 'c', 'd'], 3, ['a', 'b', 'c'], heard, 'd')).toEqual(['a', 'd', 'c']);
    expect(pickShown(['a', 'b', 'c', 'd'], 3, ['a', 'b', 'c'], heard, 'a')).toEqual(['a', 'b', 'c']);
    expect(pickShown(['a'], 0, [], heard, 'a')).toEqual([]);
  });
});

describe('shortcuts', () => {
  const press = (key: string, more = {}) => ({
    key,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    repeat: false,
    ...more,
  });

  it('are found in either case, each once', () => {
    expect(shortcutOf(press('m'), null)).toBe('mic');
    expect(shortcutOf(press('M'), null)).toBe('mic');
    expect(shortcutOf(press('?'), null)).toBe('help');
    expect(shortcutOf(press('x'), null)).toBeNull();
    expect(new Set(shortcuts.map((one) => one.key)).size).toBe(shortcuts.length);
  });

  it('leave typing and the browser’s own keys alone', () => {
    expect(shortcutOf(press('m'), { tagName: 'INPUT', isContentEditable: false })).toBeNull();
    expect(shortcutOf(press('m'), { tagName: 'P', isContentEditable: true })).toBeNull();
    expect(shortcutOf(press('s', { ctrlKey: true }), null)).toBeNull();
    expect(shortcutOf(press('v', { metaKey: true }), null)).toBeNull();
    expect(shortcutOf(press('m', { repeat: true }), null)).toBeNull();
  });
});

describe('settings', () => {
  it('survive whatever is stored', () => {
    for (const text of [null, '', 'x', 'null', '[]', '{"theme":5,"codec":"h264","name":{}}']) {
      expect(parseSettings(text)).toMatchObject({ name: '', theme: 'system', codec: null, shortcuts: true });
    }
    expect(parseSettings('{"theme":"dark","codec":"vp9","name":"Ada","shortcuts":false}')).toMatchObject({
      name: 'Ada',
      theme: 'dark',
      codec: 'vp9',
      shortcuts: false,
    });
  });

  it('are stored when they change, and work without a place to store them', () => {
    const stored: string[] = [];
    const settings = openSettings({ getItem: () => null, setItem: (_, value) => stored.push(value) });
    expect(stored).toHaveLength(0);
    settings.update((old) => ({ ...old, name: 'Ada' }));
    expect(JSON.parse(stored[0] ?? '{}').name).toBe('Ada');
    const forbidden = () => {
      throw new Error('forbidden');
    };
    const volatile = openSettings({ getItem: forbidden, setItem: forbidden });
    volatile.update((old) => ({ ...old, name: 'Ben' }));
    expect(volatile.get().name).toBe('Ben');
  });
});

describe('support', () => {
  const whole = {
    isSecureContext: true,
    crypto: { subtle: {} },
    RTCPeerConnection: 1,
    RTCRtpScriptTransform: 1,
    WebAssembly: 1,
    WebSocket: 1,
    Worker: 1,
  };
  const check = (change: object) => missingSupport({ ...whole, ...change } as unknown as typeof globalThis);

  it('tells an insecure page from an old browser', () => {
    expect(check({})).toBeNull();
    expect(check({ isSecureContext: false })).toBe('insecure');
    const { RTCRtpScriptTransform: _, ...old } = whole;
    expect(missingSupport(old as unknown as typeof globalThis)).toBe('unsupported');
  });

  it('knows loopback hosts', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '[::1]']) expect(isLoopback(host)).toBe(true);
    for (const host of ['localhost.example', '127.0.0.1.example', '10.0.0.1', ''])
      expect(isLoopback(host)).toBe(false);
  });
});

describe('texts', () => {
  it('has a text for every code of the protocol that can end a call', () => {
    const generic = errorText('never heard of');
    for (const code of [
      'link_damaged',
      'no_such_call',
      'call_full',
      'bad_signature',
      'too_many_calls',
      'insecure',
      'unsupported',
      'unreachable',
      'core_failed',
      'media_unavailable',
      'bad_sdp',
      'replaced',
    ]) {
      expect(errorText(code)).not.toBe(generic);
    }
    expect(errorText('constructor')).toBe(generic);
  });

  it('makes monograms of any name', () => {
    expect(monogram('Ada Lovelace')).toBe('AL');
    expect(monogram('  grace brewster murray hopper ')).toBe('GH');
    expect(monogram('émile')).toBe('É');
    expect(monogram('👩‍🚀 Sally')).toBe('👩‍🚀S');
    expect(monogram('')).toBe('·');
  });

  it('says how long ago', () => {
    expect(ago(-5)).toBe('0 seconds');
    expect(ago(1000)).toBe('1 second');
    expect(ago(119_000)).toBe('1 minute');
    expect(ago(7_300_000)).toBe('2 hours');
  });
});
