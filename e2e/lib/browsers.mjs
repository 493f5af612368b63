// One face for Chromium (playwright) and Firefox (puppeteer over WebDriver
// BiDi): one process each, one context per participant.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';
import * as inpage from './inpage.mjs';
import { root } from './server.mjs';
import { until } from './until.mjs';

const artifacts = path.join(root, 'artifacts');
mkdirSync(artifacts, { recursive: true });

function find(variable, candidates) {
  const path = process.env[variable] ?? candidates.find((one) => existsSync(one));
  if (!path) throw new Error(`no browser found: run make browsers, or set ${variable}`);
  return path;
}

const chromiumArguments = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--disable-default-apps', '--disable-dev-shm-usage', '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection', '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding',
  '--auto-select-desktop-capture-source=Entire screen',
];

const firefoxPreferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.peerconnection.ice.loopback': true,
  // Without these two Firefox never pairs with 127.0.0.1.
  'permissions.default.microphone': 1,
  'permissions.default.camera': 1,
  'media.autoplay.default': 0,
  'media.autoplay.blocking_policy': 0,
  'media.gmp-manager.updateEnabled': false,
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'toolkit.telemetry.enabled': false,
  'browser.safebrowsing.malware.enabled': false,
  'browser.safebrowsing.phishing.enabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

let chromiumBrowser;
let firefoxBrowser;

async function newChromiumPage({ viewport, colorScheme, init }) {
  chromiumBrowser ??= await chromium.launch({
    executablePath: find('SOTTO_CHROMIUM', ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']),
    args: chromiumArguments,
    ignoreDefaultArgs: ['--mute-audio', '--hide-scrollbars'],
  });
  const context = await chromiumBrowser.newContext({
    ignoreHTTPSErrors: true,
    viewport,
    colorScheme,
    permissions: ['camera', 'microphone', 'clipboard-read', 'clipboard-write'],
  });
  for (const script of [inpage.observe, ...init]) await context.addInitScript(script);
  const page = await context.newPage();
  return { page, close: () => context.close() };
}

async function newFirefoxPage({ viewport, init }) {
  firefoxBrowser ??= await puppeteer.launch({
    browser: 'firefox',
    executablePath: find('SOTTO_FIREFOX', ['/usr/bin/firefox-esr', '/usr/bin/firefox']),
    headless: true,
    acceptInsecureCerts: true,
    extraPrefsFirefox: firefoxPreferences,
  });
  const context = await firefoxBrowser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(viewport);
  for (const script of [inpage.observe, ...init]) await page.evaluateOnNewDocument(script);
  return { page, close: () => context.close() };
}

export async function closeBrowsers() {
  await Promise.allSettled([chromiumBrowser?.close(), firefoxBrowser?.close()]);
  chromiumBrowser = firefoxBrowser = undefined;
}

/** One person at one browser. */
export class Person {
  static async open(kind, url, { name = kind, viewport = { width: 1280, height: 800 }, colorScheme = 'light', init = [] } = {}) {
    const person = new Person();
    person.kind = kind;
    person.name = name;
    person.console = [];
    const opened = await (kind === 'firefox' ? newFirefoxPage : newChromiumPage)({ viewport, colorScheme, init });
    Object.assign(person, opened);
    person.page.on('console', (message) => person.console.push(`${message.type()}: ${message.text()}`));
    person.requests = [];
    person.page.on('request', (request) => person.requests.push(request.url()));
    await person.page.goto(url);
    return person;
  }

  evaluate(fn, argument) {
    return this.page.evaluate(fn, argument);
  }

  tiles() {
    return this.evaluate(inpage.tiles);
  }

  rtp() {
    return this.evaluate(inpage.rtp);
  }

  /** As rtp(), once there is something to say. */
  stats() {
    return this.until('statistics', 10_000, () => this.rtp());
  }

  counters() {
    return this.evaluate(inpage.counters);
  }

  async others() {
    return (await this.tiles()).filter((tile) => !tile.self);
  }

  /** Waits with a deadline; a failure shows what the page looked like. */
  async until(what, timeoutMs, condition, intervalMs) {
    try {
      return await until(`${this.name}: ${what}`, timeoutMs, condition, intervalMs);
    } catch (error) {
      await this.screenshot(`failure-${this.name}`).catch(() => {});
      const text = await this.evaluate(() => document.body.innerText.slice(0, 600)).catch(() => '?');
      const seen = await this.tiles().catch(() => '?');
      const extra = await this.evaluate(() => ({ errors: window.__errors, violations: window.__violations })).catch(() => ({}));
      error.message += `\n  page says: ${JSON.stringify(text)}\n  tiles: ${JSON.stringify(seen)}\n  ${JSON.stringify(extra)}\n  console: ${this.console.slice(-15).join(' | ')}`;
      throw error;
    }
  }

  view(name, timeoutMs = 15_000) {
    return this.until(`the ${name} view`, timeoutMs, () => this.evaluate((want) => document.body.dataset.view === want, name));
  }

  async click(action) {
    await this.until(`a button to ${action}`, 10_000, () =>
      this.evaluate((name) => {
        const button = document.querySelector(`[data-action="${name}"]:not([disabled])`);
        button?.click();
        return Boolean(button);
      }, action),
    );
  }

  async screenshot(name) {
    await this.page.screenshot({ path: path.join(artifacts, `${name}.png`) });
  }

  /** Video of `count` others is being decoded right now, with rising frames. */
  async seesVideo(count, timeoutMs = 20_000) {
    const before = new Map();
    return this.until(`moving video of ${count} others`, timeoutMs, async () => {
      const playing = (await this.others()).filter((tile) => tile.state === 'ok' && tile.width > 0);
      const moving = playing.filter((tile) => {
        const key = `${tile.participant}/${tile.source}`;
        if (!before.has(key)) before.set(key, tile.time);
        return tile.time > before.get(key) + 0.3;
      });
      return moving.length >= count && moving;
    });
  }

  /** Frames decoded and audio energy, summed over all slots. */
  async received() {
    const stats = await this.stats();
    const video = stats.inbound.filter((one) => one.kind === 'video');
    const audio = stats.inbound.filter((one) => one.kind === 'audio');
    return {
      frames: video.reduce((sum, one) => sum + one.framesDecoded, 0),
      energy: audio.reduce((sum, one) => sum + one.energy, 0),
      codecs: [...new Set(video.filter((one) => one.framesDecoded > 0).map((one) => one.codec))],
      video: video.filter((one) => one.framesDecoded > 0),
      stats,
    };
  }
}

/** Goes through pre-join as a person does; resolves in the call view. */
export async function join(person) {
  await person.view('prejoin');
  await person.click('join');
  await person.view('call', 30_000);
  return person;
}

function named(href, name) {
  const url = new URL(href);
  if (name) url.searchParams.set('name', name);
  return url.href;
}

/** Opens the home page, starts a call and resolves to the person and the link. */
export async function startCall(kind, base, { query = '', ...options } = {}) {
  const person = await Person.open(kind, named(`${base}/${query}`, options.name), options);
  await person.view('home');
  await person.click('start');
  await join(person);
  const link = await person.evaluate(() => location.href);
  return { person, link };
}

/** Joins by link; the query goes before the fragment, where the secret is. */
export async function joinCall(kind, link, { query = '', ...options } = {}) {
  const url = new URL(link);
  url.search = query;
  return join(await Person.open(kind, named(url.href, options.name), options));
}
