import { beforeEach, describe, expect, it } from 'vitest';
import type { CoreOutput, CoreRequest, FromCore } from '../workers/messages.ts';
import { Core, type WorkerLike } from './core.ts';

class FakeWorker implements WorkerLike {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly sent: { message: CoreRequest; transfer: Transferable[] }[] = [];

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.sent.push({ message: message as CoreRequest, transfer });
  }

  say(message: FromCore): void {
    this.onmessage?.({ data: message } as MessageEvent);
  }
}

describe('the core', () => {
  let worker: FakeWorker;
  let core: Core;

  beforeEach(() => {
    worker = new FakeWorker();
    core = new Core(worker);
  });

  it('pairs answers with questions, in whatever order they come', async () => {
    const first = core.call('newDevice');
    const second = core.call('load');
    expect(worker.sent.map(({ message }) => message.method)).toEqual(['newDevice', 'load']);
    worker.say({ id: 2, result: { version: '1' } });
    worker.say({ id: 1, result: new Uint8Array([7]) });
    await expect(second).resolves.toEqual({ version: '1' });
    await expect(first).resolves.toEqual(new Uint8Array([7]));
  });

  it('rejects with the code that the core gave', async () => {
    const call = core.call('callFromSecret', new Uint8Array(3));
    worker.say({ id: 1, error: { code: 'bad_length', message: 'too short' } });
    await expect(call).rejects.toMatchObject({ code: 'bad_length' });
  });

  it('hands ports over instead of copying them', () => {
    const { port1, port2 } = new MessageChannel();
    void core.call('connect', port1);
    expect(worker.sent[0]?.transfer).toEqual([port1]);
    port1.close();
    port2.close();
  });

  it('passes on what the core does by itself', () => {
    const seen: CoreOutput[] = [];
    core.onOutput = (output) => seen.push(output);
    const output: CoreOutput = { messages: [], roster: [{ participant: 'p', name: 'Ada', hasKey: true }] };
    worker.say({ output });
    expect(seen).toEqual([output]);
  });

  it('fails everything, now and later, when the worker breaks', async () => {
    const before = core.call('load');
    worker.onerror?.({} as ErrorEvent);
    await expect(before).rejects.toMatchObject({ code: 'core_failed' });
    await expect(core.call('load')).rejects.toMatchObject({ code: 'core_failed' });
  });
});
