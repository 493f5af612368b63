// Starts the real sotto-sfu binary the way an operator would, on free ports
// and a data folder of its own.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.mjs';

export const root = new URL('../..', import.meta.url).pathname;

/** A TCP port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

export class Server {
  /** Starts a server and waits until it says that it is ready. Another binary
   * may stand in, with arguments of its own before those of sotto-sfu. */
  static async start(options = [], { binary = join(root, 'bin/sotto-sfu'), before = [] } = {}) {
    const server = new Server();
    server.binary = binary;
    server.before = before;
    server.port = await freePort();
    server.dataDir = mkdtempSync(join(tmpdir(), 'sotto-e2e-'));
    server.options = options;
    server.log = '';
    await server.launch();
    return server;
  }

  get url() {
    return `https://localhost:${this.port}`;
  }

  /** Starts the process; also used to start it again after kill(). */
  async launch() {
    const child = spawn(
      this.binary,
      [...this.before, 'serve', '--listen', `127.0.0.1:${this.port}`, '--data-dir', this.dataDir, ...this.options],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.child = child;
    this.exited = new Promise((resolve) => child.once('exit', resolve));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.log = (this.log + chunk).slice(-200_000);
      });
    }
    await until('the server to be ready', 15_000, async () => {
      if (child.exitCode !== null) throw new Error(`sotto-sfu ended with ${child.exitCode}:\n${this.log}`);
      return (await httpsStatus(`${this.url}/readyz`)) === 200;
    });
  }

  /** kill -9: no goodbye to anybody. */
  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async stop() {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** GETs a URL of the self-signed server; resolves to the status or 0. */
export async function httpsStatus(url) {
  const { get } = await import('node:https');
  return new Promise((resolve) => {
    const request = get(url, { rejectUnauthorized: false, timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(0));
  });
}
