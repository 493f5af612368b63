import { encodeBytes } from '../protocol/validate';
import type { Socket } from '../signalling/signalling.ts';

/** A message as it goes over the wire. */
export interface Message {
  id?: number;
  type: string;
  body: Record<string, unknown>;
}

type Answer =
  | Record<string, unknown>
  | { refuse: string; retryable?: boolean; retry_after_ms?: number }
  | null;

/** A WebSocket whose other end is a test. */
export class ScriptedSocket implements Socket {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: Message[] = [];
  closedWith: number | undefined;
  readonly #server: ScriptedServer;

  constructor(server: ScriptedServer) {
    this.#server = server;
  }

  send(text: string): void {
    const message: Message = JSON.parse(text);
    this.sent.push(message);
    this.#server.handle(this, message);
  }

  close(code = 1005): void {
    this.closedWith = code;
  }

  /** The server says something. */
  receive(message: unknown): void {
    const data = typeof message === 'string' ? message : JSON.stringify(message);
    this.onmessage?.({ data } as MessageEvent);
  }

  /** The connection ends, and not by our wish. */
  drop(code = 1006): void {
    this.onclose?.({ code } as CloseEvent);
  }
}

const id = (n: number): string => encodeBytes(new Uint8Array(16).fill(n));

/** Ids that pass the schema. */
export const ids = { session: id(1), device: id(2), self: id(3), ada: id(4), ben: id(5), call: id(6) };
const key = encodeBytes(new Uint8Array(32).fill(7));

/** A participant as the server describes them. */
export const participant = (who: string, sources: Record<string, string> = {}) => ({
  id: who,
  device_key: key,
  connected: true,
  sources,
});

/** Answers as a server would; a test overrides what it is about. */
export class ScriptedServer {
  readonly sockets: ScriptedSocket[] = [];
  /** Connections are refused while true. */
  refusing = false;
  resumed = false;
  session = ids.session;
  #seq = 0;
  readonly answers = new Map<string, (body: Record<string, unknown>) => Answer>();

  constructor() {
    const limits = {
      message_bytes: 262144,
      messages_per_second: 50,
      message_burst: 100,
      calls_per_device: 8,
      participants: 100,
      audio_slots: 4,
      video_slots: 3,
      payload_bytes: 16384,
    };
    this.answers.set('hello', () => ({
      server: 'test/1',
      challenge: key,
      limits,
      ping_ms: 20_000,
      resume_ms: 30_000,
    }));
    this.answers.set('login', () => ({ device: ids.device, session: this.session, resumed: this.resumed }));
    this.answers.set('call.create', () => ({ created: true, expires_at: 1 }));
    this.answers.set('call.challenge', () => ({ challenge: key }));
    this.answers.set('call.join', () => ({ participant: ids.self, participants: [] }));
    this.answers.set('call.send', () => ({ undelivered: [] }));
    this.answers.set('media.offer', () => ({ sdp: 'v=0' }));
    this.answers.set('media.restart', () => ({ sdp: 'v=0' }));
    this.answers.set('media.subscribe', () => ({ bindings: [] }));
    for (const type of ['ping', 'call.leave', 'source.update']) this.answers.set(type, () => ({}));
  }

  readonly open = (): ScriptedSocket => {
    const socket = new ScriptedSocket(this);
    this.sockets.push(socket);
    queueMicrotask(() => {
      if (this.refusing) socket.drop();
      else socket.onopen?.({} as Event);
    });
    return socket;
  };

  get socket(): ScriptedSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error('nobody connected');
    return socket;
  }

  /** Every request so far, on all connections. */
  get requests(): Message[] {
    return this.sockets.flatMap((socket) => socket.sent);
  }

  /** The names of the requests on the newest connection. */
  get types(): string[] {
    return this.socket.sent.map((message) => message.type);
  }

  handle(socket: ScriptedSocket, message: Message): void {
    const answer = this.answers.get(message.type)?.(message.body);
    if (!answer) return; // silence
    queueMicrotask(() => {
      if (!('refuse' in answer)) {
        socket.receive({ re: message.id, type: message.type, body: answer });
        return;
      }
      const { refuse: code, retryable = false, ...rest } = answer;
      socket.receive({
        re: message.id,
        type: message.type,
        error: { code, message: '', retryable, ...rest },
      });
    });
  }

  /** Sends an event with the next sequence number. */
  event(type: string, body: unknown, seq = ++this.#seq): void {
    this.#seq = seq;
    this.socket.receive({ seq, type, body });
  }

  /** Forgets everything, as a server does that was killed. */
  restart(): void {
    this.#seq = 0;
    this.resumed = false;
    this.session = id(99);
  }
}
