import { existsSync } from 'node:fs';
import path from 'node:path';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { precompress } from './scripts/precompress.ts';

/** Fails early and clearly when the WASM core was not built. */
function requireCore(): Plugin {
  return {
    name: 'sotto-require-core',
    apply: 'build',
    buildStart() {
      for (const name of ['core.wasm', 'wasm_exec.js']) {
        const file = path.resolve(import.meta.dirname, 'public', name);
        if (!existsSync(file)) {
          this.error(`web/public/${name} is missing: run "make wasm" (or "npm run wasm") first`);
        }
      }
    },
  };
}

export default defineConfig({
  plugins: [requireCore(), svelte(), precompress()],
  // public/ holds what the Go build makes: it is imported, so that the files get
  // hashed names and are cached for good. Files served as they are live in static/.
  publicDir: 'static',
  worker: { format: 'es' },
  build: {
    target: ['chrome120', 'firefox117', 'safari17'],
    outDir: 'dist',
    emptyOutDir: true,
    // Nothing inline: the Content-Security-Policy forbids it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      '/v1': { target: process.env.SOTTO_SERVER ?? 'https://localhost:8443', ws: true, secure: false },
    },
  },
});
