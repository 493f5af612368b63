// The relay cannot see. A server with a tap on everything it decrypts writes down
// every RTP packet of a real call. What the receivers decode from that call is a
// picture and a tone; the same decoders make nothing of what the tap holds.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { closeBrowsers, joinCall, startCall } from '../lib/browsers.mjs';
import { ivfFrames, oggPackets, tappedPackets, vp8Frames } from '../lib/containers.mjs';
import { nativeCall } from '../lib/native.mjs';
import { root, Server } from '../lib/server.mjs';

const work = mkdtempSync(path.join(tmpdir(), 'sotto-relay-'));
const tap = path.join(work, 'tap.rtp');
let server;

before(async () => {
  const binary = path.join(work, 'tapserver');
  execFileSync('go', ['build', '-o', binary, './internal/testkit/tapserver'], { cwd: root, stdio: 'inherit' });
  server = await Server.start([], { binary, before: ['-tap', tap, '--'] });
});
after(async () => {
  await closeBrowsers();
  await server?.stop();
});

/** Runs in Chromium: feeds VP8 frames to its decoder. */
async function decodeVideo(frames) {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  let decoded = 0;
  let failed = 0;
  let spread = 0;
  let decoder;
  const open = () => {
    decoder = new VideoDecoder({
      output(frame) {
        decoded++;
        const canvas = new OffscreenCanvas(64, 36);
        const context = canvas.getContext('2d');
        context.drawImage(frame, 0, 0, 64, 36);
        frame.close();
        const data = context.getImageData(0, 0, 64, 36).data;
        let min = 255;
        let max = 0;
        for (let i = 0; i < data.length; i += 4) {
          min = Math.min(min, data[i + 1]);
          max = Math.max(max, data[i + 1]);
        }
        spread = Math.max(spread, max - min);
      },
      error() {
        failed++;
      },
    });
    decoder.configure({ codec: 'vp8' });
  };
  // In runs of a key frame and what follows it; an error ends its run. The
  // lowest bit of a VP8 frame tag is 0 in a key frame (RFC 6386 section 9.1).
  const runs = [];
  for (const frame of frames) {
    const data = bytes(frame);
    if ((data[0] & 1) === 0) runs.push([]);
    runs.at(-1)?.push(data);
  }
  for (const run of runs) {
    if (decoder?.state !== 'configured') open();
    try {
      run.forEach((data, i) =>
        decoder.decode(new EncodedVideoChunk({ type: i === 0 ? 'key' : 'delta', timestamp: i, data })));
      await decoder.flush();
    } catch {
      failed++;
    }
  }
  return { decoded, failed, spread };
}

/** Runs in Chromium: decodes Opus and says how much of the sound is one tone,
 * as the share of the energy at 440 Hz, 0 to 1. */
async function toneShare(packets) {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const samples = [];
  let failed = 0;
  let decoder;
  const open = () => {
    decoder = new AudioDecoder({
      output(data) {
        const plane = new Float32Array(data.numberOfFrames);
        data.copyTo(plane, { planeIndex: 0, format: 'f32-planar' });
        data.close();
        samples.push(...plane);
      },
      error() {
        failed++;
      },
    });
    decoder.configure({ codec: 'opus', sampleRate: 48000, numberOfChannels: 2 });
  };
  open();
  for (const packet of packets) {
    try {
      decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp: 0, data: bytes(packet) }));
      await decoder.flush();
    } catch {
      failed++;
      if (decoder.state === 'closed') open();
    }
  }
  let share = 0;
  let energy = 0;
  const block = 4800;
  let blocks = 0;
  for (let at = 0; at + block <= samples.length; at += block) {
    let re = 0;
    let im = 0;
    let sum = 0;
    for (let i = 0; i < block; i++) {
      const phase = (2 * Math.PI * 440 * i) / 48000;
      re += samples[at + i] * Math.cos(phase);
      im += samples[at + i] * Math.sin(phase);
      sum += samples[at + i] ** 2;
    }
    if (sum > 0.01) {
      share += (2 * (re * re + im * im)) / (block * sum);
      energy += sum;
      blocks++;
    }
  }
  return { samples: samples.length, failed, energy, share: blocks ? share / blocks : 0 };
}

const base64 = (frames) => frames.map((frame) => Buffer.from(frame).toString('base64'));

test('what the relay decrypts of SRTP is not the media', { timeout: 240_000 }, async () => {
  const { person: camera, link } = await startCall('chromium', server.url, { name: 'camera', query: '?codec=vp8' });
  const watcher = await joinCall('chromium', link, { name: 'watcher' });
  const record = path.join(work, 'record');
  const recorder = nativeCall(link, ['--name', 'Recorder', '--record', record, '--duration', '14s']);
  const tone = nativeCall(link, ['--name', 'Tone', '--send', 'tone', '--duration', '16s']);
  await watcher.seesVideo(1);
  const before = await watcher.received();
  const { code, log } = await recorder.done;
  assert.equal(code, 0, log);
  const received = await watcher.received();
  assert.ok(received.frames > before.frames + 50, 'the receivers decode the call');
  tone.stop();
  await tone.done;
  await camera.close();

  const files = readdirSync(record, { recursive: true }).map((name) => path.join(record, String(name)));
  const plainVideo = files.filter((name) => name.endsWith('.ivf')).map((name) => ivfFrames(readFileSync(name)));
  const plainAudio = files.filter((name) => name.endsWith('.ogg')).map((name) => oggPackets(readFileSync(name)));
  const packets = tappedPackets(readFileSync(tap));
  const streams = Map.groupBy ? Map.groupBy(packets, (one) => one.ssrc) : group(packets);
  const sizes = [...streams].map(([ssrc, list]) => ({
    ssrc,
    list,
    mean: list.reduce((sum, one) => sum + one.payload.length, 0) / list.length,
  }));
  const video = sizes.filter((one) => one.list.length > 100 && one.mean > 400);
  const audio = sizes.filter((one) => one.list.length > 100 && one.mean <= 400);
  assert.ok(video.length >= 1 && audio.length >= 2, `the tap saw ${video.length} video and ${audio.length} audio streams`);

  // 1. Not one stretch of a recorded frame is anywhere in what the relay saw.
  const seen = Buffer.concat(packets.map((one) => one.payload));
  const longest = plainVideo.sort((a, b) => b.length - a.length)[0];
  assert.ok(longest?.length > 50, 'the recorder decrypted the video');
  for (const frame of [...longest, ...plainAudio.flat()]) {
    if (frame.length < 40) continue;
    assert.equal(seen.indexOf(frame.subarray(12, 36)), -1, 'plaintext in the relay');
  }

  // 2. A decoder makes a picture of what the receiver has, none of what the relay has.
  const lab = watcher;
  const control = await lab.evaluate(decodeVideo, base64(longest));
  assert.ok(control.decoded > 50 && control.spread > 60, `the recording decodes: ${JSON.stringify(control)}`);
  for (const { list } of video) {
    const frames = vp8Frames(list);
    assert.ok(frames.length > 50, 'the tap holds whole frames');
    // As sent; without the marker byte; without marker and SFrame header.
    for (const skip of [0, 1, 8, 9, 10]) {
      const outcome = await lab.evaluate(decodeVideo, base64(frames.map((frame) => frame.subarray(skip))));
      assert.ok(outcome.decoded <= frames.length * 0.02 || outcome.spread < 20,
        `the relay's frames, ${skip} bytes in, decode: ${JSON.stringify(outcome)}`);
    }
  }

  // 3. The tone is in what the receiver has and not in what the relay has.
  const heard = [];
  for (const one of plainAudio) heard.push(await lab.evaluate(toneShare, base64(one)));
  assert.ok(heard.some((one) => one.share > 0.8), `the receiver hears the tone: ${JSON.stringify(heard)}`);
  for (const { list } of audio) {
    const outcome = await lab.evaluate(toneShare, base64(list.map((one) => one.payload).filter((one) => one.length > 0)));
    assert.ok(outcome.share < 0.1, `the relay hears the tone: ${JSON.stringify(outcome)}`);
  }
  console.log(`relay: ${packets.length} packets tapped; recording decodes to ${control.decoded} frames, tone share ${Math.max(...heard.map((one) => one.share)).toFixed(2)}; tap decodes to nothing`);
  await watcher.close();
});

function group(packets) {
  const groups = new Map();
  for (const one of packets) groups.set(one.ssrc, [...(groups.get(one.ssrc) ?? []), one]);
  return groups;
}

test('a wrong key shows nothing and sounds like nothing', { timeout: 240_000 }, async () => {
  // A participant who hands out one key and seals with another: all that differs
  // from an honest one is the key, so what is seen is what a wrong key does.
  const binary = path.join(work, 'wrongkey');
  execFileSync('go', ['test', '-c', '-o', binary, './client'], { cwd: root, stdio: 'inherit' });
  for (const kind of ['chromium', 'firefox']) {
    const { person, link } = await startCall(kind, server.url, { name: 'victim' });
    const liar = spawn(binary, ['-test.run', '^TestWrongKeyPeer$'], {
      env: { ...process.env, SOTTO_WRONGKEY_LINK: link },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const gone = once(liar, 'exit');
    try {
      await person.until('the tile to say that it cannot decrypt', 20_000, async () =>
        (await person.others()).some((tile) => tile.state === 'cannot-decrypt' && /cannot decrypt/i.test(tile.text)));
      await person.until('failures to be counted', 10_000, async () => (await person.counters()).failures > 50);
      // Sound and picture share the failures, and the browser's statistics lag.
      await person.until('packets to arrive', 5_000, async () =>
        (await person.stats()).inbound.reduce((sum, one) => sum + one.packets, 0) > 50);
      const { frames, energy } = await person.received();
      assert.equal(frames, 0, 'not one frame was decoded');
      assert.ok(energy < 1e-6, `silence, not noise: energy ${energy}`);
      await person.screenshot(`wrong-key-${kind}`);
    } finally {
      liar.kill('SIGINT');
      await gone;
      await person.close();
    }
  }
});
