// Builds the end-to-end encryption core (Go) to WASM, where the page's build
// expects it. The Makefile does the same; this is for working on the page alone.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';

const web = path.resolve(import.meta.dirname, '..');
const out = path.join(web, 'public');
mkdirSync(out, { recursive: true });
execFileSync('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', path.join(out, 'core.wasm'), './wasm'], {
  cwd: web,
  env: { ...process.env, GOOS: 'js', GOARCH: 'wasm' },
  stdio: 'inherit',
});
const goroot = execFileSync('go', ['env', 'GOROOT'], { encoding: 'utf8' }).trim();
copyFileSync(path.join(goroot, 'lib/wasm/wasm_exec.js'), path.join(out, 'wasm_exec.js'));
