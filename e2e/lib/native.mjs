// The native client as a user runs it.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { root } from './server.mjs';

/** Starts `sotto call`; `done` resolves to { code, summary, log }. */
export function nativeCall(link, options = []) {
  const child = spawn(path.join(root, 'bin/sotto'), ['call', link, '--insecure', '--json', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let log = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const done = new Promise((resolve) => {
    child.once('exit', (code) => {
      let summary = null;
      try {
        summary = JSON.parse(out.slice(out.indexOf('{')));
      } catch {
        // The caller sees the log instead.
      }
      resolve({ code, summary, log, out });
    });
  });
  return {
    child,
    done,
    stop: () => child.kill('SIGINT'),
    /** Rejects if the client ends before its time, with what it said. */
    async failure() {
      const { code, log: said } = await done;
      throw new Error(`sotto call ended with ${code}: ${said}`);
    },
  };
}
