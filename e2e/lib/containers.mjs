// Just enough of IVF, Ogg, RTP and the VP8 descriptor to lay what the relay saw
// beside what a receiver recorded.

/** Frames of an IVF file. */
export function ivfFrames(bytes) {
  if (bytes.toString('latin1', 0, 4) !== 'DKIF') throw new Error('not an IVF file');
  const frames = [];
  for (let at = bytes.readUInt16LE(6); at + 12 <= bytes.length; ) {
    const size = bytes.readUInt32LE(at);
    frames.push(bytes.subarray(at + 12, at + 12 + size));
    at += 12 + size;
  }
  return frames;
}

/** Packets of an Ogg Opus file, without its two headers. */
export function oggPackets(bytes) {
  const packets = [];
  let open = [];
  for (let at = 0; at + 27 <= bytes.length; ) {
    if (bytes.toString('latin1', at, at + 4) !== 'OggS') throw new Error(`no Ogg page at ${at}`);
    const lacing = bytes.subarray(at + 27, at + 27 + bytes[at + 26]);
    at += 27 + lacing.length;
    for (const size of lacing) {
      open.push(bytes.subarray(at, at + size));
      at += size;
      if (size < 255) {
        packets.push(Buffer.concat(open));
        open = [];
      }
    }
  }
  return packets.slice(2);
}

/** RTP packets of a tap file: a 4-byte length before each. */
export function tappedPackets(bytes) {
  const packets = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    const packet = bytes.subarray(at + 4, at + 4 + size);
    at += 4 + size;
    if (packet.length < size) break; // the last one was still being written
    let payload = 12 + 4 * (packet[0] & 0x0f);
    if (packet[0] & 0x10) payload += 4 + 4 * packet.readUInt16BE(payload + 2);
    const end = packet[0] & 0x20 ? packet.length - packet[packet.length - 1] : packet.length;
    packets.push({
      ssrc: packet.readUInt32BE(8),
      sequence: packet.readUInt16BE(2),
      timestamp: packet.readUInt32BE(4),
      marker: (packet[1] & 0x80) !== 0,
      type: packet[1] & 0x7f,
      payload: packet.subarray(payload, end),
    });
  }
  return packets;
}

/** The VP8 payload descriptor (RFC 7741 section 4.2) taken off. */
export function vp8Payload(payload) {
  let size = 1;
  if (payload[0] & 0x80) {
    const flags = payload[1];
    size++;
    if (flags & 0x80) size += payload[size] & 0x80 ? 2 : 1;
    if (flags & 0x40) size++;
    if (flags & 0x30) size++;
  }
  return payload.subarray(size);
}

/** Whole frames of one VP8 stream, as the relay could put them together. */
export function vp8Frames(packets) {
  const frames = new Map();
  const seen = new Set();
  for (const packet of packets) {
    if (seen.has(packet.sequence) || packet.payload.length === 0) continue;
    seen.add(packet.sequence);
    const parts = frames.get(packet.timestamp) ?? [];
    parts.push(packet);
    frames.set(packet.timestamp, parts);
  }
  return [...frames.values()].map((parts) =>
    Buffer.concat(
      parts
        .sort((a, b) => ((a.sequence - b.sequence + 0x18000) % 0x10000) - 0x8000)
        .map((packet) => vp8Payload(packet.payload)),
    ),
  );
}
