import { SottoError } from '../lib/errors.ts';
import type { CoreMethods, CoreOutput, CoreRequest, FromCore } from '../workers/messages.ts';

/** The part of a Worker that is used. */
export interface WorkerLike {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: SottoError): void;
}

/** The page's side of the core worker: each method a promise. */
export class Core {
  /** The core acted of its own accord, by time or because frames came that no key fits. */
  onOutput: (output: CoreOutput) => void = () => undefined;
  readonly #worker: WorkerLike;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #broken = false;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<FromCore>) => this.#receive(event.data);
    worker.onerror = () => this.#break();
  }

  /** Calls a method; rejects with a SottoError that has the core's code. */
  call<M extends keyof CoreMethods>(
    method: M,
    ...args: Parameters<CoreMethods[M]>
  ): Promise<ReturnType<CoreMethods[M]>> {
    return new Promise((resolve, reject) => {
      if (this.#broken) {
        reject(new SottoError('core_failed'));
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: resolve as (result: unknown) => void, reject });
      const request: CoreRequest = { id, method, args };
      const ports = args.filter((arg): arg is MessagePort & typeof arg => arg instanceof MessagePort);
      this.#worker.postMessage(request, ports);
    });
  }

  #receive(message: FromCore): void {
    if ('output' in message) {
      this.onOutput(message.output);
      return;
    }
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if ('error' in message) pending?.reject(new SottoError(message.error.code, message.error.message));
    else pending?.resolve(message.result);
  }

  /** The worker could not be loaded, or threw where nobody caught it. */
  #break(): void {
    this.#broken = true;
    for (const pending of this.#pending.values()) pending.reject(new SottoError('core_failed'));
    this.#pending.clear();
  }
}
