import type { Bytes } from '../lib/bytes.ts';
import type { Clock } from '../lib/clock.ts';
import { SottoError } from '../lib/errors.ts';
import { Store } from '../lib/store.ts';
import {
  CloseCode,
  type Events,
  type EventType,
  type HelloReply,
  PATH,
  type Requests,
  type RequestType,
  SUBPROTOCOL,
} from '../protocol/messages.generated';
import { decodeBytes, encodeBytes, parseServerMessage, type ServerMessage } from '../protocol/validate';
import { backoffMs } from './backoff.ts';

/** The part of a WebSocket that is used. */
export interface Socket {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
}

/** An event as it is handed on. */
export type ServerEvent = { [T in EventType]: { type: T; body: Events[T] } }[EventType];

/** `online`: logged in. `waiting`: the connection is lost and will be tried again. */
export type Status = 'connecting' | 'online' | 'waiting' | 'closed';

/** What the signalling client is given. */
export interface SignallingOptions {
  /** Origin of the server's WebSocket: wss://host:port */
  origin: string;
  /** Host as in the URL, which the login signature names. */
  host: string;
  open(url: string, subprotocol: string): Socket;
  clock: Clock;
  random(): number;
  /** The device's public key. */
  deviceKey(): Promise<Bytes>;
  signLogin(challenge: Bytes, host: string): Promise<Bytes>;
  /** A session is open. Not resumed: the server knows nothing of us. */
  onSession(resumed: boolean): void;
  onEvent(event: ServerEvent): void;
  /** It ended for good, and this is why. */
  onFatal(error: SottoError): void;
}

/** How long a request may stay unanswered before the connection counts as dead. */
const requestTimeoutMs = 10_000;
/** How long a connection may take up to its login. */
const connectTimeoutMs = 8_000;
/** A message that breaks the protocol ends the connection; so many in a row end it for good. */
const maxProtocolFailures = 5;
const maxRetries = 5;

/** Thrown to who waits for a reply when the connection goes: the outcome is not known. */
export const lost = 'connection_lost';

interface Pending {
  type: RequestType;
  resolve(body: unknown): void;
  reject(error: SottoError): void;
  cancelTimeout(): void;
}

/**
 * One signalling session over as many WebSockets as it takes: logs in, resumes
 * within the server's window, numbers requests, checks every message against the
 * protocol's schema, and hands events on once and in order.
 */
export class Signalling {
  readonly status = new Store<Status>('connecting');
  readonly #options: SignallingOptions;
  #socket: Socket | undefined;
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #session: { id: string; lastSeq: number } | undefined;
  #hello: HelloReply | undefined;
  #failures = 0;
  #protocolFailures = 0;
  #cancelRetry: (() => void) | undefined;
  #cancelPing: (() => void) | undefined;
  #cancelConnect: (() => void) | undefined;
  /** The server asked to stay away for so long. */
  #pauseMs = 0;

  constructor(options: SignallingOptions) {
    this.#options = options;
  }

  /** What the server said of itself and its limits, once it did. */
  get hello(): HelloReply | undefined {
    return this.#hello;
  }

  /** Begins to connect. */
  start(): void {
    this.#connect();
  }

  /** Tries at once instead of waiting, after the network came back. */
  poke(): void {
    if (this.status.get() !== 'waiting') return;
    this.#cancelRetry?.();
    this.#connect();
  }

  /** Ends the session for good. */
  close(): void {
    if (this.status.get() === 'closed') return;
    this.status.set('closed');
    this.#cancelRetry?.();
    this.#drop(1000);
  }

  /**
   * Sends a request and resolves to its reply. Rejects with the server's code, or
   * `connection_lost` when the outcome is not known. What the server calls
   * retryable is tried again a few times.
   */
  async request<T extends RequestType>(type: T, body: Requests[T]['request']): Promise<Requests[T]['reply']> {
    for (let attempt = 0; ; attempt++) {
      if (this.status.get() !== 'online') throw new SottoError(lost, `${type}: not connected`);
      try {
        return await this.#ask(type, body);
      } catch (error) {
        const again = error instanceof SottoError && error.code === 'rate_limited' && attempt < maxRetries;
        if (!again) throw error;
        await new Promise<void>((resolve) => {
          this.#options.clock.after(error.retryAfterMs ?? 500, resolve);
        });
      }
    }
  }

  /** Sends a last message without waiting for anything, as the page goes away. */
  sendAndForget<T extends RequestType>(type: T, body: Requests[T]['request']): void {
    if (this.status.get() === 'online')
      this.#socket?.send(JSON.stringify({ id: this.#nextId++, type, body }));
  }

  #connect(): void {
    this.status.set('connecting');
    let socket: Socket;
    try {
      socket = this.#options.open(`${this.#options.origin}${PATH}`, SUBPROTOCOL);
    } catch {
      this.#closed(0); // blocked by the browser before it began
      return;
    }
    this.#socket = socket;
    const current = () => this.#socket === socket;
    this.#cancelConnect = this.#options.clock.after(connectTimeoutMs, () => this.#drop());
    socket.onopen = () => {
      if (current()) void this.#login(current);
    };
    socket.onmessage = (event) => {
      if (current()) this.#receive(event.data);
    };
    socket.onclose = (event) => {
      if (current()) this.#closed(event.code);
    };
  }

  async #login(current: () => boolean): Promise<void> {
    try {
      const hello = await this.#ask('hello', { client: 'sotto-web/0.1.0' });
      this.#hello = hello;
      const [key, signature] = await Promise.all([
        this.#options.deviceKey(),
        this.#options.signLogin(decodeBytes(hello.challenge), this.#options.host),
      ]);
      if (!current()) return;
      const resume = this.#session && { session: this.#session.id, last_seq: this.#session.lastSeq };
      const login = { device_key: encodeBytes(key), signature: encodeBytes(signature) };
      // The reply is handled where it arrives: the events behind it may come in the same instant.
      await this.#ask('login', resume ? { ...login, resume } : login);
    } catch (error) {
      if (!current()) return;
      if (!(error instanceof SottoError)) this.#fatal(new SottoError('core_failed', String(error)));
      else if (error.code === lost || error.retryable) this.#drop();
      else this.#fatal(error);
    }
  }

  #ask<T extends RequestType>(type: T, body: Requests[T]['request']): Promise<Requests[T]['reply']> {
    return new Promise<Requests[T]['reply']>((resolve, reject) => {
      const id = this.#nextId++;
      const cancelTimeout = this.#options.clock.after(requestTimeoutMs, () => this.#drop());
      this.#pending.set(id, { type, resolve: resolve as (body: unknown) => void, reject, cancelTimeout });
      this.#socket?.send(JSON.stringify({ id, type, body }));
    });
  }

  #receive(data: unknown): void {
    let message: ServerMessage;
    try {
      message = parseServerMessage(data);
    } catch {
      this.#protocolFailure();
      return;
    }
    if (message.kind === 'event' || message.kind === 'unknown') this.#event(message);
    else this.#reply(message);
  }

  #reply(message: ServerMessage & { kind: 'reply' | 'refusal' }): void {
    const pending = this.#pending.get(message.re);
    if (!pending) return; // of an earlier life, or of nobody
    if (message.kind === 'reply' && message.type !== pending.type) {
      this.#protocolFailure();
      return;
    }
    this.#pending.delete(message.re);
    pending.cancelTimeout();
    if (message.kind === 'refusal') {
      const { code, message: text, retryable, retry_after_ms } = message.error;
      const options =
        retry_after_ms === undefined ? { retryable } : { retryable, retryAfterMs: retry_after_ms };
      pending.reject(new SottoError(code, text, options));
      return;
    }
    if (message.type === 'login') this.#loggedIn(message.body.session, message.body.resumed);
    pending.resolve(message.body);
  }

  #loggedIn(session: string, resumed: boolean): void {
    // A resume that we did not ask for, or of another session, is no resume.
    const same = resumed && this.#session?.id === session;
    if (!same) this.#session = { id: session, lastSeq: 0 };
    this.#failures = 0;
    this.#protocolFailures = 0;
    this.#pauseMs = 0;
    this.#cancelConnect?.();
    this.status.set('online');
    this.#planPing();
    this.#options.onSession(same);
  }

  #event(message: ServerMessage & { kind: 'event' | 'unknown' }): void {
    if (!this.#session || message.seq <= this.#session.lastSeq) return; // handled already
    if (message.seq !== this.#session.lastSeq + 1) {
      this.#drop(); // one is missing: resuming brings it
      return;
    }
    this.#session.lastSeq = message.seq;
    if (message.kind === 'unknown') return;
    if (message.type === 'server.shutdown') this.#pauseMs = message.body.reconnect_ms;
    this.#options.onEvent(message);
  }

  #planPing(): void {
    this.#cancelPing?.();
    this.#cancelPing = this.#options.clock.after(this.#hello?.ping_ms ?? 15_000, () => {
      this.#ask('ping', {}).catch(() => undefined);
      this.#planPing();
    });
  }

  #protocolFailure(): void {
    this.#protocolFailures++;
    if (this.#protocolFailures >= maxProtocolFailures) this.#fatal(new SottoError('bad_server'));
    else this.#drop(CloseCode.protocol);
  }

  /** Gives the current WebSocket up; a new one is tried, unless all is over. */
  #drop(code?: number): void {
    const socket = this.#socket;
    this.#closed(0);
    if (code === undefined) socket?.close();
    else socket?.close(code);
  }

  #closed(code: number): void {
    this.#socket = undefined;
    this.#cancelPing?.();
    this.#cancelConnect?.();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    const final = this.status.get() !== 'closed' ? finalReason(code) : null;
    if (final) this.#fatal(final);
    else if (this.status.get() !== 'closed') {
      this.status.set('waiting');
      const wait = Math.max(this.#pauseMs, backoffMs(this.#failures++, this.#options.random));
      this.#pauseMs = 0;
      this.#cancelRetry = this.#options.clock.after(wait, () => this.#connect());
    }
    for (const one of pending) {
      one.cancelTimeout();
      one.reject(new SottoError(lost, `${one.type}: the connection was lost`));
    }
  }

  #fatal(error: SottoError): void {
    if (this.status.get() === 'closed') return;
    this.close();
    this.#options.onFatal(error);
  }
}

/** Close codes after which it makes no sense to come back. */
function finalReason(code: number): SottoError | null {
  if (code === CloseCode.unauthorized) return new SottoError('bad_signature');
  if (code === CloseCode.replaced) return new SottoError('replaced');
  return null;
}
