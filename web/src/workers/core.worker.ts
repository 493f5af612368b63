// The core worker: runs the end-to-end encryption core, our Go code as WASM. The
// device key and all call keys live here; receive and send keys go straight to the
// transform worker. The page asks for signatures and sealed messages, and gets
// nothing with which a frame could be opened.
import '../../public/wasm_exec.js';
import coreUrl from '../../public/core.wasm?url';
import { throwing } from '../../wasm/core.js';
import type { Bytes } from '../lib/bytes.ts';
import type { ParticipantID } from '../protocol/messages.generated';
import type {
  CoreMethods,
  CoreOutput,
  CoreRequest,
  FromCore,
  KeyMessage,
  RosterEntry,
  UnknownKid,
} from './messages.ts';

/** What web/wasm puts into the global scope. */
interface SottoCore {
  version(): string;
  newSecret(): Bytes;
  callFromSecret(secret: Bytes): { call: string; admissionKey: Bytes };
  newDevice(): Bytes;
  deviceKey(seed: Bytes): Bytes;
  signLogin(seed: Bytes, challenge: Bytes, host: string): Bytes;
  signAdmission(secret: Bytes, challenge: Bytes, deviceKey: Bytes): Bytes;
  openSession(secret: Bytes, self: ParticipantID, name: string): number;
  joined(session: number, participant: ParticipantID, nowMs: number): Output;
  left(session: number, participant: ParticipantID, nowMs: number): Output;
  message(session: number, from: ParticipantID, payload: Bytes, nowMs: number): Output;
  unknownKid(session: number, participant: ParticipantID, nowMs: number): Output;
  tick(session: number, nowMs: number): Output;
  setName(session: number, name: string, nowMs: number): Output;
  closeSession(session: number): void;
}

interface Output {
  messages: { to: ParticipantID; payload: Bytes }[];
  keys: KeyMessage[];
  roster: RosterEntry[] | null;
  /** When tick is due, on the clock of nowMs; 0: not at all. */
  nextTickMs: number;
  refused?: string;
}

declare const Go: new () => {
  importObject: WebAssembly.Imports;
  run(instance: WebAssembly.Instance): Promise<void>;
};
/** As Go left it: its functions return their errors instead of throwing them. */
declare const sottoCore: Record<string, (...args: unknown[]) => unknown>;

class CoreError extends Error {
  readonly code: string;

  constructor(code: string) {
    super(`core: ${code}`);
    this.code = code;
  }
}

let core: SottoCore;
let keyPort: MessagePort | undefined;
let device: { seed: Bytes; key: Bytes } | undefined;
let session: number | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

const now = (): number => Math.round(performance.timeOrigin + performance.now());

function post(message: FromCore): void {
  postMessage(message);
}

function sendKeys(keys: KeyMessage[]): void {
  if (keys.length === 0) return;
  const copies = keys.map((key) => ('baseKey' in key ? { ...key, baseKey: key.baseKey.slice() } : key));
  for (const key of keys) if ('baseKey' in key) key.baseKey.fill(0);
  // Transferred, not copied: afterwards this worker's copy is empty.
  keyPort?.postMessage(
    copies,
    copies.flatMap((key) => ('baseKey' in key ? [key.baseKey.buffer] : [])),
  );
}

/** Sends keys on their way, plans the next tick, and returns what the page may see. */
function digest(output: Output): CoreOutput {
  sendKeys(output.keys);
  clearTimeout(timer);
  if (output.nextTickMs > 0) {
    timer = setTimeout(
      () => {
        if (session !== undefined) announce(core.tick(session, now()));
      },
      Math.max(0, output.nextTickMs - now()),
    );
  }
  const { messages, roster } = output;
  return output.refused ? { messages, roster, refused: output.refused } : { messages, roster };
}

function announce(output: Output): void {
  const seen = digest(output);
  if (seen.messages.length > 0 || seen.roster) post({ output: seen });
}

function merge(outputs: CoreOutput[]): CoreOutput {
  return {
    messages: outputs.flatMap((output) => output.messages),
    roster: outputs.findLast((output) => output.roster)?.roster ?? null,
  };
}

function withSession(run: (session: number) => Output): CoreOutput {
  if (session === undefined) throw new CoreError('no_session');
  return digest(run(session));
}

function ownDevice(): { seed: Bytes; key: Bytes } {
  if (!device) {
    const seed = core.newDevice();
    device = { seed, key: core.deviceKey(seed) };
  }
  return device;
}

function closeSession(): void {
  clearTimeout(timer);
  if (session === undefined) return;
  core.closeSession(session);
  session = undefined;
  keyPort?.postMessage([{ op: 'reset' } satisfies KeyMessage]);
}

async function load(): Promise<{ version: string }> {
  const go = new Go();
  const { instance } = await WebAssembly.instantiateStreaming(fetch(coreUrl), go.importObject);
  void go.run(instance);
  core = throwing(sottoCore);
  return { version: core.version() };
}

const loaded = load();

const methods: {
  [M in keyof CoreMethods]: (...args: Parameters<CoreMethods[M]>) => ReturnType<CoreMethods[M]>;
} = {
  load: () => ({ version: core.version() }),
  connect(port) {
    keyPort = port;
    port.onmessage = (event: MessageEvent<UnknownKid>) => {
      if (session !== undefined) announce(core.unknownKid(session, event.data.participant, now()));
    };
  },
  newCall() {
    const secret = core.newSecret();
    return { secret, ...core.callFromSecret(secret) };
  },
  callFromSecret: (secret) => core.callFromSecret(secret),
  newDevice: () => ownDevice().key,
  signLogin: (challenge, host) => core.signLogin(ownDevice().seed, challenge, host),
  signAdmission: (secret, challenge) => core.signAdmission(secret, challenge, ownDevice().key),
  open(secret, self, name, present) {
    closeSession();
    const opened = core.openSession(secret, self, name);
    session = opened;
    const joins = present.map((participant) => digest(core.joined(opened, participant, now())));
    return merge([...joins, digest(core.tick(opened, now()))]);
  },
  joined: (participant) => withSession((s) => core.joined(s, participant, now())),
  left: (participant) => withSession((s) => core.left(s, participant, now())),
  message: (from, payload) => withSession((s) => core.message(s, from, payload, now())),
  setName: (name) => withSession((s) => core.setName(s, name, now())),
  close: closeSession,
};

addEventListener('message', (event: MessageEvent<CoreRequest>) => {
  const { id, method, args } = event.data;
  loaded
    .then(() => (methods[method] as (...args: unknown[]) => unknown)(...args))
    .then(
      (result) => post({ id, result }),
      (error: { code?: unknown; message?: unknown }) => {
        const code = typeof error.code === 'string' ? error.code : 'core_failed';
        post({ id, error: { code, message: String(error.message ?? error) } });
      },
    );
});
