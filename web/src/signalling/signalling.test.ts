import { beforeEach, describe, expect, it } from 'vitest';
import type { SottoError } from '../lib/errors.ts';
import { FakeClock, settle } from '../testkit/clock.ts';
import { ids, participant, ScriptedServer } from '../testkit/server.ts';
import { backoffMs } from './backoff.ts';
import { type ServerEvent, Signalling } from './signalling.ts';

let server: ScriptedServer;
let clock: FakeClock;
let sessions: boolean[];
let events: ServerEvent[];
let fatal: SottoError | undefined;
let signalling: Signalling;

beforeEach(() => {
  server = new ScriptedServer();
  clock = new FakeClock();
  sessions = [];
  events = [];
  fatal = undefined;
  signalling = new Signalling({
    origin: 'wss://calls.example',
    host: 'calls.example',
    open: server.open,
    clock,
    random: () => 0.5,
    deviceKey: async () => new Uint8Array(32),
    signLogin: async () => new Uint8Array(64),
    onSession: (resumed) => sessions.push(resumed),
    onEvent: (event) => events.push(event),
    onFatal: (error) => {
      fatal = error;
    },
  });
});

async function online(): Promise<void> {
  signalling.start();
  await clock.advance(0);
  expect(signalling.status.get()).toBe('online');
}

describe('logging in', () => {
  it('says hello, signs the challenge and opens a session', async () => {
    await online();
    expect(server.types).toEqual(['hello', 'login']);
    expect(server.socket.sent[1]?.body).not.toHaveProperty('resume');
    expect(sessions).toEqual([false]);
    expect(signalling.hello?.limits.audio_slots).toBe(4);
  });

  it('ends for good when the signature is refused', async () => {
    server.answers.set('login', () => ({ refuse: 'bad_signature' }));
    signalling.start();
    await clock.advance(60_000);
    expect(fatal?.code).toBe('bad_signature');
    expect(signalling.status.get()).toBe('closed');
    expect(server.sockets).toHaveLength(1);
  });

  it('tries again when the server is overloaded', async () => {
    let tries = 0;
    const login = server.answers.get('login');
    server.answers.set('login', (body) =>
      ++tries < 3 ? { refuse: 'internal', retryable: true } : (login?.(body) ?? null),
    );
    signalling.start();
    await clock.advance(2000);
    expect(signalling.status.get()).toBe('online');
    expect(tries).toBe(3);
  });

  it('gives a connection up that does not answer', async () => {
    server.answers.set('hello', () => null);
    signalling.start();
    await clock.advance(9000);
    expect(server.sockets.length).toBeGreaterThan(1);
  });
});

describe('a lost connection', () => {
  it('is resumed from the newest event', async () => {
    await online();
    server.event('participant.left', { participant: ids.ada, reason: 'left' });
    server.socket.drop();
    expect(signalling.status.get()).toBe('waiting');
    server.resumed = true;
    await clock.advance(200);
    expect(signalling.status.get()).toBe('online');
    expect(sessions).toEqual([false, true]);
    expect(server.socket.sent[1]?.body.resume).toEqual({ session: ids.session, last_seq: 1 });
  });

  it('is back within a second of a restart, at whatever moment', async () => {
    await online();
    server.refusing = true;
    server.socket.drop();
    await clock.advance(7000);
    expect(server.sockets.length).toBeLessThan(15);
    server.refusing = false;
    server.restart();
    await clock.advance(1300);
    expect(signalling.status.get()).toBe('online');
    expect(sessions).toEqual([false, false]);
  });

  it('fails the requests that were under way', async () => {
    await online();
    server.answers.set('call.leave', () => null);
    const request = signalling.request('call.leave', {});
    server.socket.drop();
    await expect(request).rejects.toMatchObject({ code: 'connection_lost' });
    await expect(signalling.request('call.leave', {})).rejects.toMatchObject({ code: 'connection_lost' });
  });

  it('is noticed by a ping without a reply', async () => {
    await online();
    server.answers.set('ping', () => null);
    await clock.advance(31_000);
    expect(server.sockets).toHaveLength(2);
  });

  it('is tried at once when the network comes back', async () => {
    await online();
    server.refusing = true;
    server.socket.drop();
    await clock.advance(5000);
    server.refusing = false;
    signalling.poke();
    await clock.advance(0);
    expect(signalling.status.get()).toBe('online');
  });

  it('does not resume a session that the server took for another', async () => {
    await online();
    server.socket.drop();
    server.resumed = true;
    server.session = ids.ben;
    await clock.advance(200);
    expect(sessions).toEqual([false, false]);
  });

  it('ends when another window took the session', async () => {
    await online();
    server.socket.drop(4409);
    await clock.advance(10_000);
    expect(fatal?.code).toBe('replaced');
    expect(server.sockets).toHaveLength(1);
  });

  it('waits as long as a stopping server asks', async () => {
    await online();
    server.event('server.shutdown', { reconnect_ms: 3000 });
    server.socket.drop(1001);
    await clock.advance(2900);
    expect(server.sockets).toHaveLength(1);
    await clock.advance(200);
    expect(server.sockets).toHaveLength(2);
  });

  it('survives a browser that refuses to connect', async () => {
    await online();
    const { open } = server;
    let blocked = 0;
    const blocking = new Signalling({
      origin: 'wss://x',
      host: 'x',
      open: () => {
        if (++blocked < 3) throw new Error('blocked');
        return open();
      },
      clock,
      random: () => 0.5,
      deviceKey: async () => new Uint8Array(32),
      signLogin: async () => new Uint8Array(64),
      onSession: () => undefined,
      onEvent: () => undefined,
      onFatal: () => undefined,
    });
    blocking.start();
    await clock.advance(1000);
    expect(blocking.status.get()).toBe('online');
  });
});

describe('events', () => {
  it('come once and in order', async () => {
    await online();
    const joined = { participant: participant(ids.ada) };
    server.event('participant.joined', joined, 1);
    server.event('participant.joined', joined, 1);
    server.event('call.message', { from: ids.ada, payload: 'AAAA' }, 2);
    expect(events.map((event) => event.type)).toEqual(['participant.joined', 'call.message']);
  });

  it('with a gap make it reconnect, to get what is missing', async () => {
    await online();
    server.event('participant.left', { participant: ids.ada, reason: 'left' }, 3);
    expect(events).toHaveLength(0);
    expect(signalling.status.get()).toBe('waiting');
    await clock.advance(200);
    expect(server.socket.sent[1]?.body.resume).toEqual({ session: ids.session, last_seq: 0 });
  });

  it('of a newer server are counted and skipped', async () => {
    await online();
    server.event('moon.risen', { full: true }, 1);
    server.event('participant.left', { participant: ids.ada, reason: 'left' }, 2);
    expect(events.map((event) => event.type)).toEqual(['participant.left']);
  });
});

describe('a server that breaks the protocol', () => {
  it.each(['not json', '[]', '{"re":1}', '{"seq":1,"type":"participant.left","body":{}}'])(
    'is hung up on: %s',
    async (text) => {
      await online();
      const { socket } = server;
      socket.receive(text);
      expect(socket.closedWith).toBe(4400);
      await clock.advance(200);
      expect(signalling.status.get()).toBe('online');
    },
  );

  it('is given up in the end', async () => {
    server.answers.set('login', () => null);
    signalling.start();
    for (let i = 0; i < 5; i++) {
      await settle();
      server.socket.receive('nonsense');
      await clock.advance(1500);
    }
    expect(fatal?.code).toBe('bad_server');
  });

  it('is not believed when it answers another question', async () => {
    await online();
    server.answers.set('call.leave', () => null);
    const request = signalling.request('call.leave', {});
    const id = server.socket.sent.at(-1)?.id;
    server.socket.receive({ re: id, type: 'ping', body: {} });
    await expect(request).rejects.toMatchObject({ code: 'connection_lost' });
  });
});

describe('requests', () => {
  it('are repeated after the time that the server names', async () => {
    await online();
    let tries = 0;
    server.answers.set('call.leave', () =>
      ++tries === 1 ? { refuse: 'rate_limited', retryable: true, retry_after_ms: 700 } : {},
    );
    const request = signalling.request('call.leave', {});
    await clock.advance(600);
    expect(tries).toBe(1);
    await clock.advance(200);
    await expect(request).resolves.toEqual({});
    expect(tries).toBe(2);
  });

  it('reject with the code of a refusal', async () => {
    await online();
    server.answers.set('call.join', () => ({ refuse: 'call_full' }));
    const request = signalling.request('call.join', { call: ids.call, signature: '' });
    await expect(request).rejects.toMatchObject({ code: 'call_full', retryable: false });
  });
});

describe('backoff', () => {
  it('is quick first, steady for half a minute, then patient', () => {
    const waits = [0, 1, 2, 3, 4, 20, 39, 40, 1000].map((n) => backoffMs(n, () => 0.5));
    expect(waits).toEqual([100, 200, 400, 800, 1000, 1000, 1000, 3000, 3000]);
    expect(backoffMs(4, () => 0)).toBe(800);
    expect(backoffMs(4, () => 1)).toBe(1200);
  });
});
