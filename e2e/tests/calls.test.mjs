// Calls among real browsers and the native client, in every pairing and codec.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { closeBrowsers, joinCall, startCall } from '../lib/browsers.mjs';
import * as inpage from '../lib/inpage.mjs';
import { nativeCall } from '../lib/native.mjs';
import { Server } from '../lib/server.mjs';

let server;
before(async () => {
  server = await Server.start();
});
after(async () => {
  await closeBrowsers();
  await server?.stop();
});

/** Both hear and see: frames rise, energy rises, nothing fails to decrypt. */
async function assertMediaFlows(person, others, codec) {
  await person.seesVideo(others, 30_000);
  const first = await person.received();
  await person.until('frames and sound of everybody', 20_000, async () => {
    const now = await person.received();
    return now.frames > first.frames + 20 && now.energy > first.energy;
  });
  const now = await person.received();
  if (codec) assert.deepEqual(now.codecs, [`video/${codec.toUpperCase()}`], `${person.name} decodes ${codec}`);
  for (const tile of (await person.others()).filter((one) => one.state === 'ok')) {
    assert.ok(tile.width >= 160 && tile.height >= 120, `a real picture, got ${tile.width}x${tile.height}`);
    // Chromium's fake camera is a pie that grows from nothing to a full turn, so
    // it is plain for a moment. Firefox's is one changing colour, always plain.
    const contrast = /firefox/i.test(tile.text) ? 0 : 40;
    await person.until(`a real picture of ${tile.text}`, 10_000, async () => {
      const seen = await person.evaluate(inpage.picture, tile.participant);
      return seen && seen.mean > 16 && seen.max - seen.min >= contrast;
    });
  }
  const { decrypted, failures } = await person.counters();
  assert.ok(decrypted > 0, 'frames were decrypted');
  assert.equal(failures, 0, 'no frame failed to decrypt');
}

async function pair(kindA, kindB, codec, shot) {
  const query = codec ? `?codec=${codec}` : '';
  const { person: a, link } = await startCall(kindA, server.url, { name: `${kindA}-a`, query });
  const b = await joinCall(kindB, link, { name: `${kindB}-b`, query });
  try {
    await assertMediaFlows(a, 1, codec);
    await assertMediaFlows(b, 1, codec);
    await a.screenshot(shot);
    for (const one of [a, b]) {
      assert.deepEqual(await one.evaluate(() => window.__violations), [], 'the page obeys its own security policy');
      const outside = one.requests.filter((url) => !url.startsWith(server.url) && !/^(data|blob|about):/.test(url));
      assert.deepEqual(outside, [], 'no request leaves the server');
    }
  } finally {
    await a.close();
    await b.close();
  }
}

for (const codec of ['vp8', 'vp9', 'av1']) {
  test(`Chromium and Chromium, ${codec}`, { timeout: 240_000 }, () =>
    pair('chromium', 'chromium', codec, `call-chromium-chromium-${codec}`));
}
for (const codec of ['vp8', 'vp9', 'av1']) {
  test(`Chromium and Firefox, ${codec}`, { timeout: 240_000 }, async (t) => {
    if (codec === 'av1') {
      // Firefox decodes AV1 but not every build encodes it: each side then sends what it can.
      return pair('chromium', 'firefox', null, 'call-chromium-firefox-default');
    }
    return pair('chromium', 'firefox', codec, `call-chromium-firefox-${codec}`);
  });
}
test('Firefox and Firefox', { timeout: 240_000 }, () => pair('firefox', 'firefox', 'vp8', 'call-firefox-firefox'));

for (const codec of ['vp8', 'vp9', 'av1']) {
  test(`Chromium and the native client, ${codec}`, { timeout: 240_000 }, async () => {
    const record = mkdtempSync(path.join(tmpdir(), 'sotto-record-'));
    const { person, link } = await startCall('chromium', server.url, { name: 'browser', query: `?codec=${codec}` });
    const native = nativeCall(link, [
      '--name', 'Native', '--send', `pattern:${codec}`, '--send', 'tone', '--record', record, '--duration', '12s',
    ]);
    try {
      await Promise.race([assertMediaFlows(person, 1, codec), native.failure()]);
      await person.screenshot(`call-native-${codec}`);
      const { code, summary, log } = await native.done;
      assert.equal(code, 0, log);
      assert.ok(summary, 'a JSON summary at the end');
      const files = readdirSync(record, { recursive: true }).map((name) => path.join(record, String(name)));
      const video = files.find((name) => name.endsWith('.ivf'));
      const audio = files.find((name) => /\.(ogg|opus)$/.test(name));
      assert.ok(video && statSync(video).size > 10_000, `a recorded video in ${files}`);
      assert.ok(audio && statSync(audio).size > 1_000, `a recorded sound in ${files}`);
    } finally {
      native.stop();
      await person.close();
    }
  });
}

test('three people of three kinds', { timeout: 240_000 }, async () => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'Ada' });
  const b = await joinCall('firefox', link, { name: 'Firefox Ben' });
  const native = nativeCall(link, ['--name', 'Nat', '--send', 'pattern:vp8', '--send', 'tone', '--duration', '60s']);
  try {
    await assertMediaFlows(a, 2);
    await assertMediaFlows(b, 2);
    await a.screenshot('call-three-chromium');
    await b.screenshot('call-three-firefox');
    // Somebody leaves: his tile goes, the rest goes on under new keys.
    await b.click('leave');
    await a.until('the tile of who left to go', 10_000, async () => (await a.others()).length === 1);
    await assertMediaFlows(a, 1);
  } finally {
    native.stop();
    await native.done;
    await a.close();
    await b.close();
  }
});
