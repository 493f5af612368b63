// What a server sends is checked here before the page looks at it: the server
// is the adversary of this product. A message comes out as a fresh object
// with the known fields only, each of the promised shape and within its limit,
// or not at all. Unknown fields are dropped: a newer server may add some.

import type { Events, EventType, Requests, RequestType, WireError } from './messages.generated';
import { MAX_DEPTH, MAX_SERVER_MESSAGE } from './messages.generated';
import { eventBodies, replyBodies, schemas } from './schema.generated';

/** What a value on the wire must look like; mirrors protocol.Schema in Go. */
export interface Schema {
  shape: 'object' | 'list' | 'map' | 'integer' | 'bool' | 'text' | 'ascii' | 'bytes' | 'id' | 'enum' | 'open';
  /** The struct meant, by name in `schemas`. */
  ref?: string;
  /** Bytes of a string or of decoded bytes, entries of a list, value of an integer. Absent: 0. */
  min?: number;
  max?: number;
  values?: readonly string[];
  item?: Schema;
  fields?: Readonly<Record<string, Schema>>;
  optional?: boolean;
}

type ReplyMessage = {
  [T in RequestType]: { kind: 'reply'; re: number; type: T; body: Requests[T]['reply'] };
}[RequestType];
type EventMessage = { [T in EventType]: { kind: 'event'; seq: number; type: T; body: Events[T] } }[EventType];

/** One checked message of a server. */
export type ServerMessage =
  | ReplyMessage
  | EventMessage
  /** A refused request; `re` is 0 when the server could not read the request's id. */
  | { kind: 'refusal'; re: number; error: WireError }
  /** An event of a newer server: count its seq and go on. */
  | { kind: 'unknown'; seq: number };

/** Thrown for a message that breaks the protocol. Names the place, never the value. */
export class InvalidMessage extends Error {
  override readonly name = 'InvalidMessage';
  constructor(path: string, problem: string) {
    super(`${path || 'message'}: ${problem}`);
  }
}

/** Reads one WebSocket text message, or throws InvalidMessage. */
export function parseServerMessage(data: unknown): ServerMessage {
  if (typeof data !== 'string') throw new InvalidMessage('', 'not text');
  if (data.length > MAX_SERVER_MESSAGE) throw new InvalidMessage('', 'too large');
  if (tooDeep(data)) throw new InvalidMessage('', 'nested too deep');
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    throw new InvalidMessage('', 'not JSON');
  }
  const envelope = plainObject(value, '');
  const number = (name: string): number =>
    Object.hasOwn(envelope, name) ? integer(envelope[name], 1, Number.MAX_SAFE_INTEGER, name) : 0;
  const re = number('re');
  const seq = number('seq');
  if (Object.hasOwn(envelope, 'id') || (re !== 0 && seq !== 0))
    throw new InvalidMessage('', 'neither reply nor event');

  if (Object.hasOwn(envelope, 'error')) {
    if (seq !== 0) throw new InvalidMessage('error', 'in an event');
    return { kind: 'refusal', re, error: check(envelope.error, named('WireError'), 'error') as WireError };
  }
  if (re === 0 && seq === 0) throw new InvalidMessage('', 'neither reply nor event');
  const type = envelope.type;
  if (typeof type !== 'string') throw new InvalidMessage('type', 'not a string');
  const bodies = seq !== 0 ? eventBodies : replyBodies;
  if (!Object.hasOwn(bodies, type)) {
    if (seq !== 0) return { kind: 'unknown', seq };
    throw new InvalidMessage('type', 'no such reply');
  }
  const body = check(Object.hasOwn(envelope, 'body') ? envelope.body : {}, named(bodies[type]), 'body');
  // The registry pairs type and body; check() has made the body of that shape.
  return (
    seq !== 0 ? { kind: 'event', seq, type, body } : { kind: 'reply', re, type, body }
  ) as ServerMessage;
}

/** Copies what the schema knows of a value, or throws InvalidMessage. */
export function check(value: unknown, schema: Schema, path: string): unknown {
  const min = schema.min ?? 0;
  const max = schema.max ?? 0;
  switch (schema.shape) {
    case 'object':
      return object(value, schema.ref === undefined ? schema : named(schema.ref), path);
    case 'map':
      return map(value, schema, path);
    case 'list':
      return list(value, schema, min, max, path);
    case 'integer':
      return integer(value, min, max, path);
    case 'bool':
      if (typeof value !== 'boolean') throw new InvalidMessage(path, 'not true or false');
      return value;
    default:
      return text(value, schema, min, max, path);
  }
}

function named(name: string | undefined): Schema {
  const schema = name === undefined || !Object.hasOwn(schemas, name) ? undefined : schemas[name];
  if (schema === undefined) throw new Error(`no schema ${String(name)}`); // our own mistake, not the server's
  return schema;
}

function plainObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new InvalidMessage(path, 'not an object');
  return value as Record<string, unknown>;
}

function object(value: unknown, schema: Schema, path: string): Record<string, unknown> {
  const source = plainObject(value, path);
  const out: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.fields ?? {})) {
    if (Object.hasOwn(source, name)) out[name] = check(source[name], field, `${path}.${name}`);
    else if (field.optional !== true) throw new InvalidMessage(`${path}.${name}`, 'is missing');
  }
  return out;
}

function map(value: unknown, schema: Schema, path: string): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(plainObject(value, path))) {
    if (!schema.values?.includes(name)) throw new InvalidMessage(path, 'has a key that is not known');
    out[name] = check(item, schema.item as Schema, `${path}.${name}`);
  }
  return out;
}

function list(value: unknown, schema: Schema, min: number, max: number, path: string): unknown[] {
  if (!Array.isArray(value)) throw new InvalidMessage(path, 'not a list');
  if (value.length < min || value.length > max)
    throw new InvalidMessage(path, `not ${min} to ${max} entries`);
  return value.map((item, i) => check(item, schema.item as Schema, `${path}[${i}]`));
}

function integer(value: unknown, min: number, max: number, path: string): number {
  if (
    typeof value !== 'number' ||
    !Number.isSafeInteger(value) ||
    Object.is(value, -0) ||
    value < min ||
    value > max
  )
    throw new InvalidMessage(path, `not an integer from ${min} to ${max}`);
  return value;
}

const utf8 = new TextEncoder();

function text(value: unknown, schema: Schema, min: number, max: number, path: string): string {
  if (typeof value !== 'string') throw new InvalidMessage(path, 'not a string');
  let size = value.length;
  switch (schema.shape) {
    case 'enum':
      if (!schema.values?.includes(value)) throw new InvalidMessage(path, 'not one of the values known');
      return value;
    case 'open':
      if (value.length > max || !/^[a-z0-9_]+$/.test(value))
        throw new InvalidMessage(path, 'not a lower-case word');
      return value;
    case 'id':
      if (decodedLength(value) !== 16) throw new InvalidMessage(path, 'not an id');
      return value;
    case 'bytes':
      size = decodedLength(value);
      if (size < 0) throw new InvalidMessage(path, 'not base64url without padding');
      break;
    case 'ascii':
      if (!/^[\x20-\x7e]*$/.test(value)) throw new InvalidMessage(path, 'not printable ASCII');
      break;
    default:
      // Encoding at most three bytes a character; skip it when too long anyway.
      size = value.length > max ? value.length : utf8.encode(value).length;
  }
  if (size < min || size > max) throw new InvalidMessage(path, `not ${min} to ${max} bytes`);
  return value;
}

// The last character of a partial group must leave its unused bits zero, so
// that one value has one spelling (RFC 4648 section 3.5).
const lastOfOneByte = /[AQgw]$/;
const lastOfTwoBytes = /[AEIMQUYcgkosw048]$/;

/** How many bytes a strict base64url string stands for; -1 if it is none. */
function decodedLength(s: string): number {
  if (!/^[A-Za-z0-9_-]*$/.test(s)) return -1;
  const rest = s.length % 4;
  if (rest === 1 || (rest === 2 && !lastOfOneByte.test(s)) || (rest === 3 && !lastOfTwoBytes.test(s)))
    return -1;
  return Math.floor((s.length * 3) / 4);
}

/** Decodes strict base64url; throws InvalidMessage for anything else. */
export function decodeBytes(s: string): Uint8Array<ArrayBuffer> {
  const size = decodedLength(s);
  if (size < 0) throw new InvalidMessage('', 'not base64url without padding');
  const binary = atob(s.replaceAll('-', '+').replaceAll('_', '/'));
  const out = new Uint8Array(size);
  for (let i = 0; i < size; i++) out[i] = binary.charCodeAt(i);
  return out;
}

/** Encodes as base64url without padding. */
export function encodeBytes(bytes: Uint8Array): string {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 0x8000)
    binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Counts brackets outside strings before JSON.parse may recurse. */
function tooDeep(data: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < data.length; i++) {
    const c = data.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return false;
}
