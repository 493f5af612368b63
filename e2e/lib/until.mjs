/** Asks again until the condition gives a truthy value, which it resolves to. */
export async function until(what, timeoutMs, condition, intervalMs = 50) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    const value = await condition();
    if (value) return value;
    last = value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what} (last: ${JSON.stringify(last)})`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
