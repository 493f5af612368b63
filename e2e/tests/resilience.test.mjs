// What happens when wires are cut and servers die.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { closeBrowsers, join, joinCall, Person, startCall } from '../lib/browsers.mjs';
import * as inpage from '../lib/inpage.mjs';
import { Server } from '../lib/server.mjs';
import { median } from '../lib/until.mjs';

let server;
before(async () => {
  server = await Server.start();
});
after(async () => {
  await closeBrowsers();
  await server?.stop();
});

test('a late joiner sees video at once', { timeout: 240_000 }, async (t) => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'early' });
  const waits = [];
  try {
    for (let i = 0; i < 5; i++) {
      const late = await Person.open('chromium', link, { name: `late-${i}` });
      await late.view('prejoin');
      // As a person does, they look at themselves before they click.
      await late.until('their own preview', 10_000, () =>
        late.evaluate(() => [...document.querySelectorAll('video')].some((video) => video.currentTime > 0.5)));
      await join(late);
      await late.seesVideo(1);
      // From the click on join to the first decoded frame of somebody else.
      const wait = await late.evaluate(() => window.__firstFrameAt - window.__joinedAt);
      waits.push(Math.round(wait));
      await late.close();
    }
    t.diagnostic(`join to first decoded video frame, ms: ${waits.join(' ')}; median ${median(waits)}`);
    console.log(`late joiner, ms from join to first video frame: ${waits.join(' ')}; median ${median(waits)}`);
    // The figure is for reading: under a second on a machine with nothing else to
    // do. The bound only catches what is broken, also where two cores carry much more.
    assert.ok(median(waits) > 0 && median(waits) < 3000, `median of ${waits}`);
  } finally {
    await a.close();
  }
});

for (const kind of ['chromium', 'firefox']) {
  test(`${kind}: where UDP is blocked, media takes the TCP port`, { timeout: 240_000 }, async () => {
    const { person: a, link } = await startCall('chromium', server.url, { name: 'a' });
    const b = await joinCall(kind, link, { name: 'b', init: [inpage.noUdp] });
    try {
      await a.seesVideo(1);
      await b.seesVideo(1);
      const pairs = (await b.stats()).pair.filter((one) => one.protocol);
      assert.ok(pairs.length > 0 && pairs.every((one) => one.protocol === 'tcp'), JSON.stringify(pairs));
      assert.ok(pairs.every((one) => one.port === server.port), 'the same port as HTTPS');
      assert.equal((await b.counters()).failures, 0);
    } finally {
      await a.close();
      await b.close();
    }
  });

  test(`${kind}: the WebSocket is cut, media goes on, the session resumes`, { timeout: 240_000 }, async () => {
    const { person: a, link } = await startCall('chromium', server.url, { name: 'a' });
    const b = await joinCall(kind, link, { name: 'b' });
    try {
      await a.seesVideo(1);
      await b.seesVideo(1);
      const before = await b.others();
      // The wire is cut and new ones are refused for a while.
      await b.evaluate(() => {
        window.__refuseSockets = true;
        for (const socket of window.__sockets) socket.close(4000, 'cut by the test');
      });
      await b.until('the reconnecting banner', 5_000, () =>
        b.evaluate(() => Boolean(document.querySelector('[data-banner="reconnecting"]'))));
      await b.screenshot(`reconnecting-${kind}`);
      await b.seesVideo(1); // media goes on without signalling
      await a.seesVideo(1);
      await b.evaluate(() => {
        window.__refuseSockets = false;
      });
      await b.until('the banner to go', 10_000, () =>
        b.evaluate(() => !document.querySelector('[data-banner="reconnecting"]')));
      await b.seesVideo(1);
      const afterwards = await b.others();
      assert.deepEqual(afterwards.map((tile) => tile.participant), before.map((tile) => tile.participant), 'the same people');
      assert.equal((await b.stats()).pcs, 1, 'the media connection was not made anew');
      assert.equal((await b.counters()).failures, 0);
    } finally {
      await a.close();
      await b.close();
    }
  });
}

test('kill -9 of the server: everybody is back within 5 s', { timeout: 240_000 }, async () => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'a' });
  const b = await joinCall('firefox', link, { name: 'b' });
  try {
    await a.seesVideo(1);
    await b.seesVideo(1);
    const { pathname, hash } = new URL(link);
    const address = pathname + hash;
    await server.kill();
    await a.until('the reconnecting banner', 5_000, () =>
      a.evaluate(() => Boolean(document.querySelector('[data-banner="reconnecting"]'))));
    await server.launch();
    const ready = Date.now();
    const back = (person) =>
      person.until('video again', 15_000, async () => {
        const stats = await person.rtp();
        const video = stats?.inbound.filter((one) => one.kind === 'video' && one.framesDecoded > 3) ?? [];
        return stats?.pcs >= 2 && stats.state === 'connected' && video.length >= 1;
      });
    await Promise.all([back(a), back(b)]);
    const seconds = (Date.now() - ready) / 1000;
    console.log(`back with decoded video ${seconds.toFixed(1)} s after the server was up again`);
    assert.ok(seconds < 5, `back within 5 s, took ${seconds}`);
    await a.seesVideo(1);
    await b.seesVideo(1);
    for (const person of [a, b]) {
      assert.equal(await person.evaluate(() => document.body.dataset.view), 'call');
      assert.equal((await person.counters()).failures, 0);
      // What each typed before the #, such as a name, is their own.
      const where = await person.evaluate(() => location.pathname + location.hash);
      assert.equal(where, new URL(link).pathname + new URL(link).hash, 'the link did not change');
    }
  } finally {
    await a.close();
    await b.close();
  }
});
