// The page itself: accessible, usable by keyboard, fits a phone, honest in its
// errors.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { closeBrowsers, join, joinCall, Person, startCall } from '../lib/browsers.mjs';
import { Server } from '../lib/server.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const phone = { width: 390, height: 844 };

let server;
before(async () => {
  server = await Server.start();
});
after(async () => {
  await closeBrowsers();
  await server?.stop();
});

async function assertAccessible(person, where) {
  await person.evaluate(axe);
  const found = await person.evaluate(async () => {
    const result = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    return result.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`);
  });
  assert.deepEqual(found, [], `accessibility of ${where}`);
}

for (const colorScheme of ['light', 'dark']) {
  test(`every view is accessible, ${colorScheme}`, { timeout: 240_000 }, async () => {
    const a = await Person.open('chromium', `${server.url}/`, { name: 'Ada', colorScheme });
    try {
      await a.view('home');
      await assertAccessible(a, 'home');
      await a.screenshot(`home-${colorScheme}`);
      await a.click('start');
      await a.view('prejoin');
      await assertAccessible(a, 'prejoin');
      await a.screenshot(`prejoin-${colorScheme}`);
      await join(a);
      const b = await joinCall('chromium', await a.evaluate(() => location.href), { name: 'Ben' });
      await a.seesVideo(1);
      await assertAccessible(a, 'call');
      await a.screenshot(`call-${colorScheme}`);
      await a.click('security');
      await a.until('the security panel', 5_000, () => a.evaluate(() => Boolean(document.querySelector('[role="dialog"]'))));
      await assertAccessible(a, 'security panel');
      await a.screenshot(`security-${colorScheme}`);
      await b.close();
    } finally {
      await a.close();
    }
  });
}

test('fits a phone: nothing scrolls sideways, every control is in reach', { timeout: 240_000 }, async () => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'Phone', viewport: phone });
  const others = [];
  try {
    for (const name of ['Ben', 'Cleo', 'Dan']) others.push(await joinCall('chromium', link, { name }));
    await a.seesVideo(3, 40_000);
    await a.screenshot('call-phone');
    const wide = await a.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(wide, 0);
    const unreachable = await a.evaluate(() =>
      [...document.querySelectorAll('[data-action="mic"],[data-action="camera"],[data-action="leave"]')]
        .map((button) => button.getBoundingClientRect())
        .filter((box) => box.bottom > innerHeight || box.right > innerWidth || box.width < 40 || box.height < 40).length);
    assert.equal(unreachable, 0, 'controls are on screen and large enough for a thumb');
  } finally {
    for (const one of others) await one.close();
    await a.close();
  }
});

test('a call by keyboard alone', { timeout: 240_000 }, async () => {
  const a = await Person.open('chromium', `${server.url}/`, { name: 'Keys' });
  try {
    await a.view('home');
    const reach = async (action) => {
      for (let i = 0; i < 40; i++) {
        if (await a.evaluate((name) => document.activeElement?.closest(`[data-action="${name}"]`) !== null, action)) return;
        await a.page.keyboard.press('Tab');
      }
      assert.fail(`Tab never reaches ${action}`);
    };
    await reach('start');
    await a.page.keyboard.press('Enter');
    await a.view('prejoin');
    await reach('join');
    await a.page.keyboard.press('Enter');
    await a.view('call');
    const pressed = () => a.evaluate(() => document.querySelector('[data-action="mic"]').getAttribute('aria-pressed'));
    const was = await pressed();
    await a.page.keyboard.press('m');
    await a.until('the microphone to toggle', 5_000, async () => (await pressed()) !== was);
    await reach('leave');
    await a.page.keyboard.press('Enter');
    await a.view('ended');
  } finally {
    await a.close();
  }
});

test('mute and camera off are seen by the others', { timeout: 240_000 }, async () => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'Ada' });
  const b = await joinCall('chromium', link, { name: 'Ben' });
  try {
    await a.seesVideo(1);
    await b.click('camera');
    await a.until('the tile without video', 10_000, async () => (await a.others()).some((tile) => tile.state !== 'ok'));
    await b.click('camera');
    await a.seesVideo(1);
    await b.click('mic');
    await a.until('the muted mark', 10_000, async () =>
      a.evaluate(() => /muted/i.test(document.querySelector('[data-tile][data-self="false"]')?.outerHTML ?? '')));
    await a.screenshot('call-muted');
  } finally {
    await a.close();
    await b.close();
  }
});

test('a damaged link is refused before anything is sent', { timeout: 240_000 }, async () => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'Ada' });
  await a.close();
  const url = new URL(link);
  url.hash = `#${url.hash.slice(2)}A`;
  const b = await Person.open('chromium', url.href, { name: 'typo' });
  try {
    await b.view('error');
    await b.screenshot('error-link-damaged');
    const sockets = await b.evaluate(() => window.__sockets.length);
    assert.equal(sockets, 0, 'nothing was said to the server');
  } finally {
    await b.close();
  }
});

test('the call secret never reaches the server', { timeout: 240_000 }, async () => {
  const { person: a, link } = await startCall('chromium', server.url, { name: 'Ada' });
  const sent = [];
  const b = await Person.open('chromium', 'about:blank', { name: 'watched' });
  b.page.on('request', (request) => sent.push(request.url(), JSON.stringify(request.headers()), request.postData() ?? ''));
  b.page.on('websocket', (socket) => socket.on('framesent', (frame) => sent.push(String(frame.payload))));
  try {
    await b.page.goto(link);
    await join(b);
    await b.seesVideo(1);
    const secret = new URL(link).hash.slice(1);
    assert.ok(secret.length >= 43, 'the link carries a secret');
    assert.ok(sent.some((text) => text.includes('call.join')), 'the WebSocket was watched');
    for (const text of sent) assert.ok(!text.includes(secret), 'the secret is in nothing that was sent');
  } finally {
    await a.close();
    await b.close();
  }
});
