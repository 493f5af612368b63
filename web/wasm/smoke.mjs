// Runs the core as the page does and takes two people through a call:
//
//   node web/wasm/smoke.mjs [core.wasm]
//
// Without an argument it builds the core itself. wasm_exec.js comes from the Go
// that is installed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { throwing } from './core.js';

const here = import.meta.dirname;
const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();

function coreBytes() {
  if (process.argv[2]) return readFileSync(process.argv[2]);
  const dir = mkdtempSync(path.join(os.tmpdir(), 'sotto-core-'));
  try {
    const out = path.join(dir, 'core.wasm');
    execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', out, '.'], {
      cwd: here,
      env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
      stdio: 'inherit',
    });
    return readFileSync(out);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

const wasm = coreBytes();
createRequire(import.meta.url)(path.join(goroot, 'lib/wasm/wasm_exec.js'));
const started = performance.now();
const go = new globalThis.Go();
const { instance } = await WebAssembly.instantiate(wasm, go.importObject);
void go.run(instance);
const startMs = performance.now() - started;
const core = throwing(globalThis.sottoCore);

// Identity, checked with another implementation of Ed25519 and SHA-256.
const hash = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.concat(parts)));
const verify = async (key, signature, ...parts) =>
  crypto.subtle.verify(
    'Ed25519',
    await crypto.subtle.importKey('raw', key, 'Ed25519', false, ['verify']),
    signature,
    Buffer.concat(parts),
  );
const text = (s) => Buffer.from(s);
const secret = core.newSecret();
const seed = core.newDevice();
const key = core.deviceKey(seed);
const { call, admissionKey } = core.callFromSecret(secret);
const challenge = crypto.getRandomValues(new Uint8Array(32));
assert.equal(secret.length, 32);
assert.notDeepEqual(secret, core.newSecret());
const callID = (await hash(text('sotto/1 call id'), admissionKey)).subarray(0, 16);
assert.equal(call, Buffer.from(callID).toString('base64url'));
const login = core.signLogin(seed, challenge, 'localhost:8443');
assert(await verify(key, login, text('sotto/1 login\0'), challenge, key, text('localhost:8443')));
const admission = core.signAdmission(secret, challenge, key);
assert(await verify(admissionKey, admission, text('sotto/1 admission\0'), callID, challenge, key));

// Two people, a loss-free network and a clock of our own.
const people = ['alice', 'bob'].map((name, i) => {
  const id = Buffer.alloc(16, i + 1).toString('base64url');
  return { id, name, session: core.openSession(secret, id, name), installed: new Map(), send: new Map(), roster: [], tick: 0 };
});
const [alice, bob] = people;
let now = Date.now();
const flying = [];
function take(person, output) {
  assert.equal(output.refused, undefined);
  for (const m of output.messages) flying.push({ from: person.id, ...m });
  for (const k of output.keys) {
    if (k.op === 'remove') assert(person.installed.delete(k.kid));
    else if (k.op === 'send') person.send.set(k.ctx, k);
    else person.installed.set(k.kid, k);
  }
  person.roster = output.roster ?? person.roster;
  person.tick = output.nextTickMs;
}
function settle() {
  for (let round = 0; round < 100; round++) {
    for (const m of flying.splice(0)) {
      const to = people.find((p) => p.id === m.to);
      take(to, core.message(to.session, m.from, m.payload, now));
    }
    now += 10;
    for (const p of people) if (p.tick && p.tick <= now) take(p, core.tick(p.session, now));
  }
}
for (const p of people) take(p, core.tick(p.session, now));
take(alice, core.joined(alice.session, bob.id, now));
take(bob, core.joined(bob.session, alice.id, now));
settle();
for (const [me, other] of [
  [alice, bob],
  [bob, alice],
]) {
  assert.deepEqual(me.roster, [{ participant: other.id, name: other.name, hasKey: true }]);
  assert.equal(me.installed.size, 4);
  assert.deepEqual([...other.send.keys()], [0, 1, 2, 3]);
  for (const k of other.send.values()) {
    const mine = me.installed.get(k.kid);
    assert(Number.isSafeInteger(k.kid));
    assert.equal(mine.participant, other.id);
    assert.equal(mine.ctx, k.ctx);
    assert.equal(k.baseKey.length, 32);
    assert.deepEqual(mine.baseKey, k.baseKey);
  }
}
take(alice, core.setName(alice.session, 'Alice B.', now));
settle();
assert.equal(bob.roster[0].name, 'Alice B.');

// Refusals come back as codes, mistakes are thrown.
assert.equal(core.message(alice.session, bob.id, new Uint8Array(60), now).refused, 'malformed');
const old = alice.send.get(0).kid;
take(alice, core.left(alice.session, bob.id, now));
assert.equal(alice.installed.size, 0);
settle();
assert.notEqual(alice.send.get(0).kid, old);
const throws = (code, f) => assert.throws(f, (e) => e instanceof Error && e.code === code);
throws('bad_argument', () => core.callFromSecret(new Uint8Array(31)));
throws('bad_argument', () => core.callFromSecret('text'));
throws('bad_argument', () => core.callFromSecret());
throws('bad_argument', () => core.signLogin(seed, challenge, ''));
throws('bad_argument', () => core.signLogin(seed, new Uint16Array(16), 'localhost'));
throws('bad_argument', () => core.joined(alice.session, 'not an id', now));
throws('no_session', () => core.tick(99, now));
for (const p of people) core.closeSession(p.session);
core.closeSession(99);
throws('no_session', () => core.tick(alice.session, now));

const brotli = zlib.brotliCompressSync(wasm, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 9 } });
console.log(
  `core ${core.version()}: ok, ${(wasm.length / 1e6).toFixed(2)} MB, ${(brotli.length / 1e3).toFixed(0)} kB brotli, started in ${startMs.toFixed(0)} ms`,
);
process.exit(0);
