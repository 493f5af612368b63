// The parts of a call that only calculate.
import { describe, expect, it } from 'vitest';
import { audioPreferences, canEncode, parseCodec, videoPreferences } from './codecs.ts';
import { Health, type SourceFacts, sourceState, tileState } from './health.ts';
import { formatLink, parseAddress, parsePasted } from './link.ts';
import { Outbox } from './outbox.ts';
import { People } from './people.ts';
import { guardAnswer, setOpusParameters, speech } from './sdp.ts';
import { Speakers } from './speakers.ts';
import { makeWants, sameWants } from './wants.ts';

const callId = 'AAECAwQFBgcICQoLDA0ODw';
const secretText = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8';

describe('links', () => {
  it('round trip', () => {
    const address = parseAddress(`/c/${callId}`, `#${secretText}`);
    expect(address).toMatchObject({ view: 'call', link: { call: callId } });
    if (address.view === 'call') expect(formatLink(address.link)).toBe(`/c/${callId}#${secretText}`);
  });

  it.each([
    ['no fragment', `/c/${callId}`, ''],
    ['fragment cut short', `/c/${callId}`, `#${secretText.slice(0, -1)}`],
    ['fragment too long', `/c/${callId}`, `#${secretText}A`],
    ['stray bits in the secret', `/c/${callId}`, `#${secretText.slice(0, -1)}9`],
    ['call id cut short', `/c/${callId.slice(1)}`, `#${secretText}`],
    ['blank in the secret', `/c/${callId}`, `#${secretText.slice(0, 20)} ${secretText.slice(21)}`],
    ['another path', '/x', `#${secretText}`],
  ])('damaged: %s', (_, path, hash) => {
    expect(parseAddress(path, hash)).toEqual({ view: 'damaged' });
  });

  it('home is home', () => {
    expect(parseAddress('/', '')).toEqual({ view: 'home' });
    expect(parseAddress('/', '#x')).toEqual({ view: 'home' });
  });

  it('are read as people paste them', () => {
    const here = 'https://here.example';
    const full = `https://calls.example/c/${callId}#${secretText}`;
    expect(parsePasted(`  <${full}>\n`, here)?.href).toBe(full);
    expect(parsePasted(full.slice('https://'.length), here)?.href).toBe(full);
    expect(parsePasted(`/c/${callId}#${secretText}`, here)?.origin).toBe(here);
    expect(parsePasted(full.replace('https', 'http'), here)?.href).toBe(full);
    const local = `http://localhost:8080/c/${callId}#${secretText}`;
    expect(parsePasted(local, here)?.href).toBe(local);
    for (const text of [
      '',
      'hello',
      'https://calls.example/',
      `javascript:alert(1)//c/${callId}#${secretText}`,
      full.slice(0, -3),
    ]) {
      expect(parsePasted(text, here)).toBeNull();
    }
  });
});

describe('codecs', () => {
  const chromium = ['VP8', 'rtx', 'H264', 'AV1', 'VP9', 'VP9', 'red', 'ulpfec'].map((name, i) => ({
    mimeType: `video/${name}`,
    clockRate: 90_000,
    ...(name === 'VP9' ? { sdpFmtpLine: `profile-id=${i === 4 ? 0 : 2}` } : {}),
    ...(name === 'AV1' ? { sdpFmtpLine: 'level-idx=5;profile=0;tier=0' } : {}),
  }));
  const names = (list: { mimeType: string }[]) => list.map((codec) => codec.mimeType.slice(6));

  it('puts the chosen one first and leaves out what cannot be sealed', () => {
    expect(names(videoPreferences(chromium, 'vp9'))).toEqual(['VP9', 'VP8', 'AV1', 'rtx']);
    expect(names(videoPreferences(chromium, 'av1'))).toEqual(['AV1', 'VP8', 'VP9', 'rtx']);
    expect(names(videoPreferences(chromium.slice(0, 2), 'av1'))).toEqual(['VP8', 'rtx']);
  });

  it('offers Opus without RED', () => {
    const audio = ['opus', 'red', 'G722', 'CN'].map((name) => ({
      mimeType: `audio/${name}`,
      clockRate: 48_000,
    }));
    expect(audioPreferences(audio)).toEqual([audio[0]]);
  });

  it('reads names', () => {
    expect(parseCodec('VP9')).toBe('vp9');
    expect(parseCodec('h264')).toBeNull();
    expect(parseCodec(null)).toBeNull();
    expect(canEncode(chromium, 'av1')).toBe(true);
    expect(canEncode(chromium.slice(0, 2), 'av1')).toBe(false);
  });
});

describe('the answer', () => {
  const sdp = [
    'v=0',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:0',
    'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10;stereo=1',
    'a=rtcp-fb:111 transport-cc',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111',
    'a=mid:4',
    'a=rtpmap:111 opus/48000/2',
    'a=fmtp:111 minptime=10',
    '',
  ].join('\r\n');

  it('gets Opus parameters where they are wanted, and nowhere else', () => {
    const lines = setOpusParameters(sdp, new Map([['0', speech]])).split('\r\n');
    expect(lines.filter((line) => line.startsWith('a=fmtp'))).toEqual([
      `a=fmtp:111 ${speech}`,
      'a=fmtp:111 minptime=10',
    ]);
    expect(lines).toHaveLength(sdp.split('\r\n').length);
    expect(lines.at(-1)).toBe('');
  });

  it('has no header extensions that tell of what is sealed', () => {
    const mid = 'a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid';
    const level = 'a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on';
    const evil = [
      'a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection',
      'a=extmap:4/recvonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
      'a=extmap:5 urn:3gpp:video-orientation',
      'a=extmap:6  urn:ietf:params:rtp-hdrext:sdes:mid', // two blanks: read differently elsewhere?
      'a=extmap:7 urn:example#urn:ietf:params:rtp-hdrext:sdes:mid',
    ];
    const lines = ['v=0', evil[0], 'm=video 9 X 96', mid, ...evil, level, 'a=extmap-allow-mixed', ''];
    expect(guardAnswer(lines.join('\r\n'))).toBe(
      ['v=0', 'm=video 9 X 96', mid, level, 'a=extmap-allow-mixed', ''].join('\r\n'),
    );
    expect(guardAnswer(lines.join('\n'))).toBe(guardAnswer(lines.join('\r\n')));
  });

  it('is refused with the addresses of half the world', () => {
    const candidate = 'a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n';
    expect(guardAnswer(`v=0\r\n${candidate.repeat(32)}`)).toContain(candidate);
    expect(() => guardAnswer(`v=0\r\n${candidate.repeat(33)}`)).toThrow('too many addresses');
  });

  it('is not touched where there is no Opus', () => {
    const other = 'v=0\r\nm=audio 9 X 0\r\na=mid:0\r\n';
    expect(setOpusParameters(other, new Map([['0', speech]]))).toBe(other);
  });
});

const member = (id: string, sources = {}) => ({ id, device_key: 'k', connected: true, sources });

describe('people', () => {
  it('take their names from the roster and nothing else from it', () => {
    const people = new People();
    expect(people.put(member('ada', { camera: 'live' }))).toBe(true);
    expect(people.put(member('ada', { camera: 'off' }))).toBe(false);
    expect(
      people.setRoster([{ participant: 'ada', name: 'Ada', hasKey: true }]).map((one) => one.name),
    ).toEqual(['Ada']);
    expect(people.setRoster([{ participant: 'ada', name: 'Ada L', hasKey: true }])).toEqual([]);
    expect(people.get('ada')).toMatchObject({ name: 'Ada L', hasKey: true, sources: { camera: 'off' } });
    people.setRoster([{ participant: 'ghost', name: 'Ghost', hasKey: true }]);
    expect(people.list.map((one) => one.id)).toEqual(['ada']);
  });

  it('keep the order in which they came', () => {
    const people = new People();
    for (const id of ['c', 'a', 'b']) people.put(member(id));
    people.put(member('c', { mic: 'live' }));
    people.remove('a');
    people.put(member('a'));
    expect(people.list.map((one) => one.id)).toEqual(['c', 'b', 'a']);
    expect(people.remove('nobody')).toBeUndefined();
  });

  it('find the name that came before they did', () => {
    const people = new People();
    people.setRoster([{ participant: 'ada', name: 'Ada', hasKey: true }]);
    people.put(member('ada'));
    expect(people.get('ada')).toMatchObject({ name: 'Ada', hasKey: true });
  });
});

describe('wants', () => {
  const people = new People();
  people.put(member('ada', { mic: 'muted', camera: 'live' }));
  people.put(member('ben', { mic: 'live', screen: 'live', screen_audio: 'live' }));
  const tile = (participant: string, source: 'camera' | 'screen', width = 300) => ({
    participant,
    source,
    width,
    height: 170,
  });

  it('put screens first, then cameras, then voices, live ones first', () => {
    const wants = makeWants(people.list, [
      tile('ada', 'camera'),
      tile('ben', 'screen'),
      tile('gone', 'camera'),
    ]);
    expect(wants.map((want) => `${want.participant}/${want.source}`)).toEqual([
      'ben/screen',
      'ada/camera',
      'ben/mic',
      'ada/mic',
      'ben/screen_audio',
    ]);
  });

  it('do not change with every pixel', () => {
    const at = (width: number) => makeWants(people.list, [tile('ada', 'camera', width)]);
    expect(sameWants(at(300), at(319))).toBe(true);
    expect(sameWants(at(300), at(330))).toBe(false);
    expect(at(300)[0]).toMatchObject({ max_width: 320, max_height: 320 });
  });
});

describe('health', () => {
  const report = (decrypted: number, failed = 0, unknown = 0) => ({
    slot: 's',
    participant: 'ada',
    ctx: 1,
    decrypted,
    failed,
    unknown,
  });

  it('flows while frames are decrypted, and not for long after', () => {
    const health = new Health();
    health.update([report(0)], 0);
    expect(health.flowing('s', 'camera', 0)).toBe(false);
    health.update([report(10)], 250);
    expect(health.flowing('s', 'camera', 250)).toBe(true);
    health.update([report(10)], 6000);
    expect(health.flowing('s', 'camera', 6000)).toBe(false);
    expect(health.flowing('s', 'screen', 6000)).toBe(true); // it may just not change
  });

  it('fails only when nothing succeeds in between', () => {
    const health = new Health();
    health.update([report(0, 5)], 0);
    expect(health.failing('s', 100)).toBe(false);
    health.update([report(0, 9)], 800);
    expect(health.failing('s', 800)).toBe(true);
    health.update([report(1, 12)], 1000);
    expect(health.failing('s', 1000)).toBe(false);
    health.update([report(1, 13)], 1250);
    health.update([report(1, 13)], 5000);
    expect(health.failing('s', 5000)).toBe(false);
  });

  it('has no key while unknown frames come and none else', () => {
    const health = new Health();
    health.update([report(0, 0, 3)], 100);
    expect(health.keyless('s', 200)).toBe(true);
    health.update([report(2, 0, 3)], 300);
    expect(health.keyless('s', 300)).toBe(false);
    health.update([], 400);
    expect(health.keyless('s', 400)).toBe(false);
    expect(health.flowing('s', 'camera', 400)).toBe(false);
  });

  const facts = (change: Partial<SourceFacts> = {}): SourceFacts => ({
    hasKey: true,
    live: true,
    failing: false,
    keyless: false,
    flowing: true,
    ...change,
  });

  it.each([
    ['ok', {}],
    ['muted', { live: false, failing: true }],
    ['cannot-decrypt', { failing: true, hasKey: false }],
    ['no-key', { hasKey: false }],
    ['no-key', { keyless: true }],
    ['no-media', { flowing: false }],
  ] as const)('a source is %s when %o', (state, change) => {
    expect(sourceState(facts(change))).toBe(state);
  });

  it('a tile follows its camera, but never hides a voice that cannot be decrypted', () => {
    expect(tileState(facts(), facts({ live: false }))).toBe('ok');
    expect(tileState(facts({ live: false }), facts())).toBe('muted');
    expect(tileState(facts(), facts({ failing: true }))).toBe('cannot-decrypt');
    expect(tileState(facts({ live: false }), facts({ hasKey: false }))).toBe('no-key');
    expect(tileState(facts({ flowing: false }), facts())).toBe('no-media');
  });
});

describe('speakers', () => {
  const levels = (values: Record<string, number>) => new Map(Object.entries(values));

  it('follow the loudest, and stay over pauses', () => {
    const speakers = new Speakers();
    expect(speakers.sample(levels({ ada: 0.3, ben: 0.001 }), 0)).toBe(true);
    expect(speakers.active).toBe('ada');
    expect(speakers.sample(levels({ ada: 0, ben: 0 }), 300)).toBe(false);
    expect(speakers.active).toBe('ada');
    speakers.sample(levels({ ada: 0, ben: 0 }), 2000);
    expect(speakers.active).toBeNull();
  });

  it('change hands only to who is clearly louder', () => {
    const speakers = new Speakers();
    speakers.sample(levels({ ada: 0.3, ben: 0.05 }), 0);
    speakers.sample(levels({ ada: 0.3, ben: 0.33 }), 150);
    expect(speakers.active).toBe('ada');
    for (let t = 300; t < 2000; t += 150) speakers.sample(levels({ ada: 0.02, ben: 0.33 }), t);
    expect(speakers.active).toBe('ben');
  });

  it('forget who is gone', () => {
    const speakers = new Speakers();
    speakers.sample(levels({ ada: 0.3 }), 0);
    speakers.sample(levels({}), 150);
    expect(speakers.active).toBeNull();
  });
});

describe('the outbox', () => {
  it('gives one message per participant and batch, and keeps the order', () => {
    const outbox = new Outbox();
    outbox.add([
      { to: 'a', payload: '1' },
      { to: 'b', payload: '2' },
      { to: 'a', payload: '3' },
    ]);
    const batch = outbox.take();
    expect(batch.map((one) => one.payload)).toEqual(['1', '2']);
    outbox.restore(batch);
    expect(outbox.take().map((one) => one.payload)).toEqual(['1', '2']);
    expect(outbox.take().map((one) => one.payload)).toEqual(['3']);
    expect(outbox.empty).toBe(true);
  });

  it('cuts large batches', () => {
    const outbox = new Outbox();
    outbox.add(Array.from({ length: 250 }, (_, i) => ({ to: `p${i}`, payload: 'x' })));
    expect([outbox.take().length, outbox.take().length, outbox.take().length]).toEqual([100, 100, 50]);
  });
});
