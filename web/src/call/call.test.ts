// The whole engine against a scripted server, an invented core, worker and peer.
import { beforeEach, describe, expect, it } from 'vitest';
import type { Core } from '../core/core.ts';
import { SottoError } from '../lib/errors.ts';
import type { Source } from '../protocol/messages.generated';
import { encodeBytes } from '../protocol/validate';
import { Signalling } from '../signalling/signalling.ts';
import { FakeClock } from '../testkit/clock.ts';
import { ids, participant, ScriptedServer } from '../testkit/server.ts';
import type { CoreOutput, FromTransform, SlotReport, ToTransform } from '../workers/messages.ts';
import { Call, type TransformPort } from './call.ts';
import type { Peer, PeerOptions, Slot } from './peer.ts';
import type { Notice } from './state.ts';

const secret = new Uint8Array(32).fill(9);
const payload = (text: string) => new TextEncoder().encode(text);
const nothing: CoreOutput = { messages: [], roster: null };

/** Answers like a core that seals nothing: what it was told can be read off. */
class FakeCore {
  onOutput: (output: CoreOutput) => void = () => undefined;
  readonly calls: [method: string, ...args: unknown[]][] = [];
  outputs: Record<string, CoreOutput> = {};

  async call(method: string, ...args: unknown[]): Promise<unknown> {
    this.calls.push([method, ...args]);
    if (method === 'callFromSecret') return { call: ids.call, admissionKey: new Uint8Array(32) };
    if (method === 'signAdmission') return new Uint8Array(64);
    return this.outputs[method] ?? nothing;
  }

  methods(): string[] {
    return this.calls.map(([method]) => method);
  }
}

class FakeTransform implements TransformPort {
  onmessage: ((event: MessageEvent<FromTransform>) => void) | null = null;
  readonly sent: ToTransform[] = [];

  postMessage(message: ToTransform): void {
    this.sent.push(message);
  }

  say(message: FromTransform): void {
    this.onmessage?.({ data: message } as MessageEvent<FromTransform>);
  }
}

class FakePeer {
  state: RTCPeerConnectionState = 'connected';
  readonly slots: readonly Slot[];
  readonly tracks = new Map<Source, MediaStreamTrack | null>();
  readonly options: Omit<PeerOptions, 'transformWorker'>;
  closed = false;
  restarts = 0;

  constructor(options: Omit<PeerOptions, 'transformWorker'>) {
    this.options = options;
    const slot = (kind: 'audio' | 'video', i: number) =>
      ({
        id: `${options.generation}/${kind}/${i}`,
        kind,
        receiver: { track: { id: `track-${kind}-${i}` }, getSynchronizationSources: () => [] },
        transceiver: { mid: `${kind[0]}${i}` },
      }) as unknown as Slot;
    this.slots = [
      ...Array.from({ length: options.audioSlots }, (_, i) => slot('audio', i)),
      ...Array.from({ length: options.videoSlots }, (_, i) => slot('video', i)),
    ];
  }

  offer = async () => ({ sdp: 'offer', sections: [{ mid: '0', publish: 'mic' as const }] });
  accept = async () => undefined;
  setCodec = async () => true;
  makeKeyFrame = async () => undefined;
  slotOfMid = (mid: string) => this.slots.find((slot) => slot.transceiver.mid === mid);

  async setTrack(source: Source, track: MediaStreamTrack | null): Promise<void> {
    this.tracks.set(source, track);
  }

  async restartOffer(): Promise<string> {
    this.restarts++;
    return 'restart';
  }

  close(): void {
    this.closed = true;
  }
}

let server: ScriptedServer;
let clock: FakeClock;
let core: FakeCore;
let transform: FakeTransform;
let peers: FakePeer[];
let notices: Notice[];
let call: Call;

function makeCall(founder = false): Call {
  return new Call({
    link: { call: ids.call, secret },
    founder,
    codec: 'vp8',
    core: core as unknown as Core,
    transform,
    clock,
    makePeer: (options) => {
      const peer = new FakePeer(options);
      peers.push(peer);
      return peer as unknown as Peer;
    },
    makeSignalling: (handlers) =>
      new Signalling({
        ...handlers,
        origin: 'wss://x',
        host: 'x',
        open: server.open,
        clock,
        random: () => 0.5,
        deviceKey: async () => new Uint8Array(32),
        signLogin: async () => new Uint8Array(64),
      }),
    selfLevel: () => 0,
    onNotice: (notice) => notices.push(notice),
  });
}

beforeEach(() => {
  server = new ScriptedServer();
  clock = new FakeClock();
  core = new FakeCore();
  transform = new FakeTransform();
  peers = [];
  notices = [];
  call = makeCall();
});

async function join(): Promise<void> {
  call.prepare();
  await clock.advance(10);
  call.join('Me');
  await clock.advance(10);
}

const peer = (): FakePeer => {
  const newest = peers.at(-1);
  if (!newest) throw new Error('no peer');
  return newest;
};
const person = (id: string) => call.state.get().people.find((one) => one.id === id);
const report = (slot: string, change: Partial<SlotReport>): FromTransform => ({
  type: 'report',
  slots: [{ slot, participant: ids.ada, ctx: 1, decrypted: 0, failed: 0, unknown: 0, ...change }],
  sending: [{ ctx: 0, generation: 3, sealed: 5 }],
  totals: { decrypted: 1, failed: 0, unknown: 0, replayed: 0, sealed: 5, unsealed: 0 },
});
const adaIsHere = () => {
  server.answers.set('call.join', () => ({
    participant: ids.self,
    participants: [participant(ids.ada, { camera: 'live', mic: 'live' })],
  }));
  core.outputs.open = { messages: [], roster: [{ participant: ids.ada, name: 'Ada', hasKey: true }] };
};

describe('joining', () => {
  it('proves admission, opens the session, offers once and subscribes', async () => {
    adaIsHere();
    core.outputs.open = { ...nothing, messages: [{ to: ids.ada, payload: payload('key') }] };
    await join();
    expect(server.types.slice(0, 4)).toEqual(['hello', 'login', 'call.challenge', 'call.join']);
    expect(server.types).toContain('media.offer');
    expect(server.types.filter((type) => type === 'media.offer')).toHaveLength(1);
    const sent = server.requests.find((message) => message.type === 'call.send');
    expect(sent?.body.messages).toEqual([{ to: ids.ada, payload: encodeBytes(payload('key')) }]);
    expect(core.calls.find(([method]) => method === 'open')).toEqual([
      'open',
      secret,
      ids.self,
      'Me',
      [ids.ada],
    ]);
    expect(call.state.get()).toMatchObject({ phase: 'in', self: ids.self, reconnecting: false });
    const wants = server.requests.find((message) => message.type === 'media.subscribe')?.body.wants;
    expect(wants).toEqual([{ participant: ids.ada, source: 'mic' }]);
  });

  it('keeps to the slots that the server allows', async () => {
    await join();
    expect(peer().options).toMatchObject({ audioSlots: 4, videoSlots: 3 });
  });

  it('registers the call first when it is ours', async () => {
    call = makeCall(true);
    await join();
    expect(server.types.slice(2, 5)).toEqual(['call.create', 'call.challenge', 'call.join']);
  });

  it('has asked for the challenge and made the offer before the person wants in', async () => {
    call.prepare();
    await clock.advance(10);
    expect(server.types).toEqual(['hello', 'login', 'call.challenge']);
    expect(peers).toHaveLength(1);
    call.join('Me');
    await clock.advance(10);
    expect(server.types.filter((type) => type === 'call.challenge')).toHaveLength(1);
    expect(peers).toHaveLength(1);
  });

  it('asks for another challenge when the first has grown old', async () => {
    call.prepare();
    await clock.advance(50_000);
    call.join('Me');
    await clock.advance(10);
    expect(server.types.filter((type) => type === 'call.challenge')).toHaveLength(2);
    expect(call.state.get().phase).toBe('in');
    expect(peers).toHaveLength(1);
  });

  it('finds out before joining that there is no such call', async () => {
    server.answers.set('call.challenge', () => ({ refuse: 'no_such_call' }));
    call.prepare();
    await clock.advance(10);
    expect(call.state.get()).toMatchObject({ phase: 'failed', error: 'no_such_call' });
  });

  it('survives a connection that is lost before joining', async () => {
    call.prepare();
    await clock.advance(10);
    server.socket.drop();
    await clock.advance(200);
    call.join('Me');
    await clock.advance(10);
    expect(call.state.get().phase).toBe('in');
    expect(peers).toHaveLength(1);
  });

  it.each(['no_such_call', 'call_full', 'bad_signature'])('fails with the code: %s', async (code) => {
    server.answers.set(code === 'no_such_call' ? 'call.challenge' : 'call.join', () => ({ refuse: code }));
    await join();
    expect(call.state.get()).toMatchObject({ phase: 'failed', error: code });
    expect(peers.every((one) => one.closed)).toBe(true);
    expect(core.methods().at(-1)).toBe('close');
  });

  it('tries again what may succeed later', async () => {
    let tries = 0;
    server.answers.set('media.offer', () =>
      ++tries < 3 ? { refuse: 'media_unavailable', retryable: true } : { sdp: 'v=0' },
    );
    await join();
    await clock.advance(3000);
    expect(call.state.get().phase).toBe('in');
    expect(server.types.filter((type) => type === 'call.leave')).toHaveLength(2);
  });

  it('gives up when the server is never reached', async () => {
    server.refusing = true;
    call.prepare();
    call.join('Me');
    await clock.advance(16_000);
    expect(call.state.get()).toMatchObject({ phase: 'failed', error: 'unreachable' });
  });

  it('waits for a server that is only slow', async () => {
    server.answers.set('media.offer', () => null);
    await join();
    for (let second = 0; second < 9; second++) await clock.advance(1000);
    expect(call.state.get().phase).toBe('joining');
    server.answers.set('media.offer', () => ({ sdp: 'v=0' }));
    await clock.advance(8000);
    expect(call.state.get().phase).toBe('in');
  });
});

describe('people', () => {
  it('are told to the core as they come and go, and announced by name', async () => {
    await join();
    core.outputs.message = { messages: [], roster: [{ participant: ids.ada, name: 'Ada', hasKey: true }] };
    server.event('participant.joined', { participant: participant(ids.ada) });
    server.event('call.message', { from: ids.ada, payload: encodeBytes(payload('sealed')) });
    await clock.advance(100);
    expect(core.calls).toContainEqual(['joined', ids.ada]);
    expect(core.calls).toContainEqual(['message', ids.ada, payload('sealed')]);
    expect(person(ids.ada)).toMatchObject({ name: 'Ada', hasKey: true });
    server.event('participant.left', { participant: ids.ada, reason: 'left' });
    await clock.advance(100);
    expect(core.calls).toContainEqual(['left', ids.ada]);
    expect(call.state.get().people).toHaveLength(0);
    expect(notices).toEqual([
      { type: 'joined', name: 'Ada' },
      { type: 'left', name: 'Ada' },
    ]);
  });

  it('who were there before are not announced', async () => {
    adaIsHere();
    core.outputs.open = nothing;
    await join();
    core.onOutput({ messages: [], roster: [{ participant: ids.ada, name: 'Ada', hasKey: true }] });
    expect(person(ids.ada)?.name).toBe('Ada');
    expect(notices).toEqual([]);
  });

  it('are asked for in the size of their tiles', async () => {
    adaIsHere();
    await join();
    call.setVisible([{ participant: ids.ada, source: 'camera', width: 600, height: 340 }]);
    await clock.advance(100);
    const wants = server.requests.filter((message) => message.type === 'media.subscribe').at(-1)?.body.wants;
    expect(wants).toEqual([
      { participant: ids.ada, source: 'camera', max_width: 640, max_height: 480 },
      { participant: ids.ada, source: 'mic' },
    ]);
  });
});

describe('a core that is gone', () => {
  it('ends the call: nobody would renew the key when somebody leaves', async () => {
    adaIsHere();
    await join();
    const before = core.call.bind(core);
    core.call = async (method, ...args) => {
      if (method === 'left') throw new SottoError('core_failed');
      return before(method, ...args);
    };
    server.event('participant.left', { participant: ids.ada, reason: 'left' });
    await clock.advance(10);
    expect(call.state.get()).toMatchObject({ phase: 'failed', error: 'core_failed' });
    expect(peers.at(-1)?.closed).toBe(true);
  });
});

describe('what is shown', () => {
  const slot = '1/video/0';

  beforeEach(async () => {
    adaIsHere();
    await join();
  });

  it('believes the KID about who is in a slot, not the server', async () => {
    server.event('media.bindings', { bindings: [{ mid: 'v0', participant: ids.ada, source: 'camera' }] });
    await clock.advance(10);
    expect(person(ids.ada)?.camera).toEqual({ state: 'no-media', track: null });
    transform.say({ type: 'owner', slot: '1/video/1', participant: ids.ada, ctx: 1 });
    expect(person(ids.ada)?.camera.track?.id).toBe('track-video-1');
    expect(transform.sent.at(-1)?.type).toBe('hints');
    await clock.advance(0);
    expect(transform.sent.at(-1)).toEqual({ type: 'shown', slot: '1/video/1' });
  });

  it('takes a slot from its former owner before its frames flow again', async () => {
    transform.say({ type: 'owner', slot, participant: ids.ada, ctx: 1 });
    server.event('participant.joined', { participant: participant(ids.ben, { camera: 'live' }) });
    await clock.advance(100);
    transform.say({ type: 'owner', slot, participant: ids.ben, ctx: 1 });
    expect(person(ids.ada)?.camera.track).toBeNull();
    expect(person(ids.ben)?.camera.track).toBeNull(); // the decoder may still hold Ada
    await clock.advance(250);
    expect(person(ids.ben)?.camera.track?.id).toBe('track-video-0');
  });

  it('waits with a slot whose former owner is shown elsewhere, too', async () => {
    server.event('participant.joined', { participant: participant(ids.ben, { camera: 'live' }) });
    transform.say({ type: 'owner', slot, participant: ids.ada, ctx: 1 });
    transform.say({ type: 'owner', slot: '1/video/1', participant: ids.ada, ctx: 1 });
    await clock.advance(100);
    expect(person(ids.ada)?.camera.track?.id).toBe('track-video-1');
    transform.say({ type: 'owner', slot, participant: ids.ben, ctx: 1 });
    expect(person(ids.ben)?.camera.track).toBeNull(); // the decoder may still hold Ada
    await clock.advance(250);
    expect(person(ids.ben)?.camera.track?.id).toBe('track-video-0');
  });

  it('tells no media, ok and cannot decrypt apart', async () => {
    server.event('media.bindings', { bindings: [{ mid: 'v0', participant: ids.ada, source: 'camera' }] });
    await clock.advance(10);
    expect(person(ids.ada)?.camera.state).toBe('no-media');
    transform.say({ type: 'owner', slot, participant: ids.ada, ctx: 1 });
    transform.say(report(slot, { decrypted: 4 }));
    expect(person(ids.ada)?.camera.state).toBe('ok');
    for (let failed = 1; failed < 6; failed++) {
      await clock.advance(250);
      transform.say(report(slot, { decrypted: 4, failed }));
    }
    expect(person(ids.ada)?.camera.state).toBe('cannot-decrypt');
    expect(call.state.get().security).toMatchObject({ generation: 3, totals: { sealed: 5 } });
  });

  it('plays a voice from the slot that is proven to be theirs', async () => {
    transform.say({ type: 'owner', slot: '1/audio/2', participant: ids.ada, ctx: 0 });
    expect(call.state.get().sounds).toEqual([
      { slot: '1/audio/2', participant: ids.ada, track: expect.objectContaining({ id: 'track-audio-2' }) },
    ]);
  });

  it('draws nothing anew when nothing changed', () => {
    transform.say({ type: 'owner', slot, participant: ids.ada, ctx: 1 });
    transform.say(report(slot, { decrypted: 4 }));
    const before = call.state.get().people;
    transform.say(report(slot, { decrypted: 9 }));
    expect(call.state.get().people).toBe(before);
  });
});

describe('one’s own media', () => {
  const track = { id: 'cam' } as MediaStreamTrack;

  it('is sent and announced', async () => {
    await call.publish('camera', track, 'live');
    await join();
    expect(peer().tracks.get('camera')).toBe(track);
    expect(
      server.requests.filter((message) => message.type === 'source.update').map((message) => message.body),
    ).toEqual([{ source: 'camera', state: 'live' }]);
    await call.publish('camera', track, 'muted');
    expect(peer().tracks.get('camera')).toBeNull();
  });
});

describe('a lost connection', () => {
  it('is resumed: the same peer, everything said again that may be lost', async () => {
    adaIsHere();
    await join();
    await call.publish('mic', { id: 'mic' } as MediaStreamTrack, 'live');
    server.socket.drop();
    expect(call.state.get().reconnecting).toBe(true);
    server.resumed = true;
    await clock.advance(200);
    expect(call.state.get().reconnecting).toBe(false);
    expect(peers).toHaveLength(1);
    expect(server.types).toEqual(['hello', 'login', 'source.update', 'media.subscribe']);
  });

  it('sends sealed messages again whose delivery was not confirmed', async () => {
    adaIsHere();
    server.answers.set('call.send', () => null);
    await join();
    core.onOutput({ messages: [{ to: ids.ada, payload: payload('k2') }], roster: null });
    await clock.advance(10);
    server.socket.drop();
    server.resumed = true;
    server.answers.set('call.send', () => ({ undelivered: [] }));
    await clock.advance(200);
    const again = server.socket.sent.find((message) => message.type === 'call.send');
    expect(again?.body.messages).toEqual([{ to: ids.ada, payload: encodeBytes(payload('k2')) }]);
  });

  it('to a server that was killed ends in the call again, with a new session and peer', async () => {
    adaIsHere();
    await join();
    const before = call.state.get().people;
    server.refusing = true;
    server.socket.drop();
    await clock.advance(3000);
    expect(call.state.get().people).toBe(before); // the last picture stays
    server.refusing = false;
    server.restart();
    await clock.advance(1300);
    expect(call.state.get()).toMatchObject({ phase: 'in', reconnecting: false });
    expect(peers).toHaveLength(2);
    expect(peers[0]?.closed).toBe(true);
    expect(core.methods().filter((method) => method === 'open')).toHaveLength(2);
    expect(server.types).not.toContain('call.create');
  });

  it('registers the call anew when the server has forgotten even that', async () => {
    await join();
    server.socket.drop();
    server.restart();
    let created = false;
    server.answers.set('call.challenge', () =>
      created ? { challenge: encodeBytes(secret) } : { refuse: 'no_such_call' },
    );
    server.answers.set('call.create', () => {
      created = true;
      return { created: true, expires_at: 1 };
    });
    await clock.advance(1000);
    expect(call.state.get().phase).toBe('in');
  });

  it('in the middle of joining begins again from the start', async () => {
    let offers = 0;
    server.answers.set('media.offer', () => (++offers === 1 ? null : { sdp: 'v=0' }));
    await join();
    expect(call.state.get().phase).toBe('joining');
    server.socket.drop();
    server.resumed = true;
    await clock.advance(500);
    expect(call.state.get().phase).toBe('in');
    expect(server.types.slice(0, 4)).toEqual(['hello', 'login', 'call.leave', 'call.challenge']);
  });

  it('does not mix events of an earlier life into the new one', async () => {
    await join();
    server.event('participant.joined', { participant: participant(ids.ben) });
    server.socket.drop();
    server.restart();
    await clock.advance(500);
    expect(person(ids.ben)).toBeUndefined();
  });
});

describe('a lost media connection', () => {
  it('is restarted when it fails', async () => {
    await join();
    peer().state = 'failed';
    peer().options.onState('failed');
    expect(call.state.get().reconnecting).toBe(true);
    await clock.advance(10);
    expect(peer().restarts).toBe(1);
    expect(server.types).toContain('media.restart');
    peer().state = 'connected';
    peer().options.onState('connected');
    expect(call.state.get().reconnecting).toBe(false);
  });

  it('is left alone for a moment when only interrupted', async () => {
    await join();
    peer().state = 'disconnected';
    peer().options.onState('disconnected');
    await clock.advance(1000);
    expect(peer().restarts).toBe(0);
    await clock.advance(2000);
    expect(peer().restarts).toBe(1);
  });

  it('is made anew when restarting does not help, or the server says so', async () => {
    await join();
    peer().state = 'failed';
    peer().options.onState('failed');
    await clock.advance(30_000);
    expect(peers.length).toBeGreaterThan(1);
    const count = peers.length;
    server.event('media.failed', { reason: 'gone' });
    await clock.advance(100);
    expect(peers).toHaveLength(count + 1);
    expect(call.state.get().phase).toBe('in');
  });
});

describe('leaving', () => {
  it('says so, closes everything and comes back for nothing', async () => {
    adaIsHere();
    await join();
    const { socket } = server;
    call.leave();
    expect(socket.sent.at(-1)?.type).toBe('call.leave');
    expect(socket.closedWith).toBe(1000);
    expect(peer().closed).toBe(true);
    expect(call.state.get()).toMatchObject({ phase: 'left', people: [], sounds: [] });
    await clock.advance(60_000);
    expect(server.sockets).toHaveLength(1);
    expect(clock.waiting).toBe(0);
  });
});
