/**
 * Everything that can stop a call, as a stable code: the server's own codes, the
 * core's, and those of the page. What people read is in ui/texts.ts.
 */
export class SottoError extends Error {
  readonly code: string;
  /** The same may succeed later. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message = code, options: { retryable?: boolean; retryAfterMs?: number } = {}) {
    super(message);
    this.name = 'SottoError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The code of anything thrown. */
export function codeOf(error: unknown): string {
  return error instanceof SottoError ? error.code : 'unexpected';
}
