// What the Go side of the build makes and brings along.
declare module '*/wasm_exec.js';

declare module '*/wasm/core.js' {
  /** Makes the core's functions throw the errors that Go can only return. */
  export function throwing<T>(raw: Record<string, (...args: unknown[]) => unknown>): T;
}
