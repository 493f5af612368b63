// The JavaScript side of the end-to-end encryption core: see doc.go. Works in a
// worker and in Node; wasm_exec.js of the same Go version must have run before.

/**
 * @typedef {{op: 'install', kid: number, ctx: number, baseKey: Uint8Array<ArrayBuffer>, participant: string}
 *   | {op: 'remove', kid: number}
 *   | {op: 'send', ctx: number, kid: number, baseKey: Uint8Array<ArrayBuffer>}} KeyEvent
 *
 * @typedef {object} Output What is to be done after an input, in this order.
 * @property {{to: string, payload: Uint8Array<ArrayBuffer>}[]} messages One batch, at most one for each participant.
 * @property {KeyEvent[]} keys To be applied in order.
 * @property {{participant: string, name: string, hasKey: boolean}[] | null} roster The others in the call, if that changed.
 * @property {number} nextTickMs When to call tick at the latest; 0: no need.
 * @property {string} [refused] Why the input was not followed.
 *
 * @typedef {object} SottoCore Every function throws an Error with a `code` if its arguments are wrong.
 * @property {() => string} version
 * @property {() => Uint8Array<ArrayBuffer>} newSecret
 * @property {(secret: Uint8Array) => {call: string, admissionKey: Uint8Array<ArrayBuffer>}} callFromSecret
 * @property {() => Uint8Array<ArrayBuffer>} newDevice A device's seed.
 * @property {(seed: Uint8Array) => Uint8Array<ArrayBuffer>} deviceKey
 * @property {(seed: Uint8Array, challenge: Uint8Array, host: string) => Uint8Array<ArrayBuffer>} signLogin
 * @property {(secret: Uint8Array, challenge: Uint8Array, deviceKey: Uint8Array) => Uint8Array<ArrayBuffer>} signAdmission
 * @property {(secret: Uint8Array, self: string, name: string) => number} openSession A handle; call tick with it at once.
 * @property {(session: number, participant: string, nowMs: number) => Output} joined
 * @property {(session: number, participant: string, nowMs: number) => Output} left
 * @property {(session: number, from: string, payload: Uint8Array, nowMs: number) => Output} message
 * @property {(session: number, participant: string, nowMs: number) => Output} unknownKid
 * @property {(session: number, nowMs: number) => Output} tick
 * @property {(session: number, name: string, nowMs: number) => Output} setName
 * @property {(session: number) => void} closeSession
 */

/**
 * Makes the core's functions throw the errors that Go can only return.
 * @param {Record<string, (...args: unknown[]) => unknown>} raw globalThis.sottoCore as Go left it
 * @returns {SottoCore}
 */
export function throwing(raw) {
  /** @type {Record<string, unknown>} */
  const core = {};
  for (const [name, run] of Object.entries(raw)) {
    core[name] = (/** @type {unknown[]} */ ...args) => {
      const result = run(...args);
      if (result instanceof Error) throw result;
      return result;
    };
  }
  return /** @type {any} */ (Object.freeze(core));
}
