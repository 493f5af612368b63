// The transform worker: every frame of the call passes through here, out of an
// encoder or into a decoder, and only here are frame keys used. They come from
// the core worker over a port of their own and go into WebCrypto at once, from
// where nothing can read them back. The page's own thread never has them.
import { Opener, type Owner } from '../media/opener.ts';
import { type Sealer, SealerFactory } from '../media/sealer.ts';
import type { ParticipantID } from '../protocol/messages.generated';
import type { FromTransform, KeyMessage, ToTransform, TransformOptions, UnknownKid } from './messages.ts';
import { Counters } from './transform/counters.ts';
import type { EncodedFrame, Transformer } from './transform/frame.ts';
import { ReceiveSlot } from './transform/receive.ts';
import { SendSlot } from './transform/send.ts';

const reportIntervalMs = 250;

const counters = new Counters();
const opener = new Opener();
const factory = new SealerFactory();
const sealers = new Map<number, Sealer>();
const senders = new Set<SendSlot>();
const receivers = new Map<string, ReceiveSlot>();
const hints = new Map<string, ParticipantID>();
const awaitingShow = new Map<string, () => void>();
let keyPort: MessagePort | undefined;

function post(message: FromTransform): void {
  postMessage(message);
}

// ---- keys, in the order in which they come

let keyQueue: Promise<void> = Promise.resolve();

async function takeKey(message: KeyMessage): Promise<void> {
  switch (message.op) {
    case 'reset':
      opener.clear();
      for (const sealer of sealers.values()) sealer.close();
      sealers.clear();
      for (const sender of senders) sender.setSealer(null);
      break;
    case 'install': {
      const owner: Owner = { participant: message.participant, ctx: message.ctx };
      await opener.install(message.kid, owner, message.baseKey);
      break;
    }
    case 'remove':
      opener.remove(message.kid);
      break;
    case 'send': {
      const sealer = await factory.make(message.kid, message.baseKey);
      if (!sealer) return;
      sealers.get(message.ctx)?.close();
      sealers.set(message.ctx, sealer);
      for (const sender of senders) if (sender.ctx === message.ctx) sender.setSealer(sealer);
      return;
    }
  }
  for (const receiver of receivers.values()) receiver.keysChanged();
}

function listenForKeys(port: MessagePort): void {
  keyPort = port;
  port.onmessage = (event: MessageEvent<KeyMessage[]>) => {
    for (const message of event.data) keyQueue = keyQueue.then(() => takeKey(message)).catch(() => undefined);
  };
}

// ---- frames

async function readFrames(transformer: Transformer, take: (frame: EncodedFrame) => unknown): Promise<void> {
  const reader = transformer.readable.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      await take(value);
    }
  } catch {
    // The section was closed: nothing more will come.
  }
}

function emitter(transformer: Transformer): (frame: EncodedFrame) => void {
  const writer = transformer.writable.getWriter();
  return (frame) => {
    writer.write(frame).catch(() => undefined); // closed meanwhile
  };
}

async function runSender(
  transformer: Transformer,
  options: TransformOptions & { side: 'send' },
): Promise<void> {
  const makeKeyFrame = () => {
    if (!transformer.generateKeyFrame) post({ type: 'make-key-frame', ctx: options.ctx });
    else transformer.generateKeyFrame().catch(() => undefined);
  };
  const sealer = sealers.get(options.ctx) ?? null;
  const slot = new SendSlot(options.ctx, options.kind, sealer, counters, emitter(transformer), makeKeyFrame);
  senders.add(slot);
  await readFrames(transformer, (frame) => slot.push(frame));
  senders.delete(slot);
}

async function runReceiver(
  transformer: Transformer,
  options: TransformOptions & { side: 'receive' },
): Promise<void> {
  const id = options.slot;
  const slot = new ReceiveSlot(id, options.kind, opener, counters, {
    now: () => performance.now(),
    setTimer: (run, ms) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
    emit: emitter(transformer),
    requestKeyFrame: () => {
      transformer.sendKeyFrameRequest().catch(() => undefined);
    },
    announce: (owner) =>
      new Promise((resolve) => {
        // A source is in one place, as the page sees it.
        for (const other of receivers.values()) if (other !== slot && other.belongsTo(owner)) other.disown();
        awaitingShow.set(id, resolve);
        post({ type: 'owner', slot: id, participant: owner.participant, ctx: owner.ctx });
      }),
    unknownKid: () => {
      const participant = hints.get(id);
      const message: UnknownKid | null = participant ? { participant } : null;
      if (message) keyPort?.postMessage(message);
    },
  });
  receivers.set(id, slot);
  await readFrames(transformer, (frame) => slot.push(frame));
  slot.close();
  receivers.delete(id);
  awaitingShow.delete(id);
  hints.delete(id);
}

addEventListener('rtctransform', (event) => {
  const { transformer } = event as Event & { transformer: Transformer };
  const options = transformer.options as TransformOptions;
  void (options.side === 'send' ? runSender(transformer, options) : runReceiver(transformer, options));
});

// ---- the page

addEventListener('message', (event: MessageEvent<ToTransform>) => {
  const message = event.data;
  switch (message.type) {
    case 'keys':
      listenForKeys(message.port);
      break;
    case 'hints':
      hints.clear();
      for (const [slot, participant] of message.slots) hints.set(slot, participant);
      break;
    case 'shown':
      awaitingShow.get(message.slot)?.();
      awaitingShow.delete(message.slot);
      break;
  }
});

setInterval(() => {
  post({
    type: 'report',
    slots: [...receivers.values()].map((slot) => slot.report()),
    sending: [...senders].map((slot) => slot.report()).filter((report) => report !== null),
    totals: counters.totals,
  });
}, reportIntervalMs);
