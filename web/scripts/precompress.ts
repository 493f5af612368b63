// Writes a brotli and a gzip copy beside every text and WASM file of the build,
// so that the server sends bytes instead of compressing, and fails the build
// when the page outgrows its budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { Plugin } from 'vite';

const compressible = /\.(js|css|html|svg|json|webmanifest|wasm|txt)$/;

/** What the first visit costs besides the WASM core, in gzip bytes. */
export const budgetBytes = 400_000;

/** A size in kB as people read it. */
function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => path.join(folder, String(name)))
    .filter((name) => statSync(name).isFile());
}

/** Compresses the files of a built page and checks them against the budget. */
export function compressFolder(folder: string): void {
  let page = 0;
  let report = '';
  for (const name of filesIn(folder)) {
    const bytes = readFileSync(name);
    const isCore = name.endsWith('.wasm');
    if (!compressible.test(name)) {
      page += bytes.length;
      continue;
    }
    const gzip = gzipSync(bytes, { level: 9 });
    const brotli = brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    });
    writeFileSync(`${name}.gz`, gzip);
    writeFileSync(`${name}.br`, brotli);
    if (isCore) report += `core ${kilobytes(bytes.length)}, brotli ${kilobytes(brotli.length)}; `;
    else page += gzip.length;
  }
  report += `page without core ${kilobytes(page)} gzip of ${kilobytes(budgetBytes)} allowed`;
  console.log(report);
  if (page > budgetBytes) throw new Error(`the page is too big: ${report}`);
}

/** The Vite plugin that runs it after the bundle is written. */
export function precompress(): Plugin {
  let folder = 'dist';
  return {
    name: 'sotto-precompress',
    apply: 'build',
    configResolved(config) {
      folder = path.resolve(config.root, config.build.outDir);
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      handler() {
        compressFolder(folder);
      },
    },
  };
}
