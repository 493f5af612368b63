import type { Codec } from '../media/codec.ts';

/** The video codecs that a person can choose. */
export type VideoCodec = Exclude<Codec, 'opus'>;

/** In the order in which they are offered when nobody chose. */
export const videoCodecs: readonly VideoCodec[] = ['vp8', 'vp9', 'av1'];

/** What is sent when nobody chose: VP8 is cheap to encode and every browser does it. */
export const defaultCodec: VideoCodec = 'vp8';

/** The part of RTCRtpCodec that decides. */
export interface CodecCapability {
  mimeType: string;
  clockRate: number;
  sdpFmtpLine?: string;
}

/** Reads a codec's name, as in a query or a stored setting. */
export function parseCodec(text: string | null): VideoCodec | null {
  const name = text?.toLowerCase();
  return videoCodecs.find((codec) => codec === name) ?? null;
}

function nameOf(codec: CodecCapability): string {
  return codec.mimeType.slice(codec.mimeType.indexOf('/') + 1).toLowerCase();
}

/** Whether it is the profile that every browser decodes. Others would cost sections without use. */
function isMainProfile(codec: CodecCapability): boolean {
  const line = codec.sdpFmtpLine ?? '';
  const profile = /(?:^|;)\s*profile(?:-id)?=(\d+)/.exec(line)?.[1];
  return profile === undefined || profile === '0';
}

/**
 * Which of the browser's video codecs to offer, and in which order: ours, the
 * chosen one first, and retransmission. No FEC that a relay would have to read
 * inside of, and no codec without a wrapper.
 */
export function videoPreferences<C extends CodecCapability>(available: readonly C[], first: VideoCodec): C[] {
  const order = [first, ...videoCodecs.filter((codec) => codec !== first)];
  const wanted = order.flatMap((name) =>
    available.filter((codec) => nameOf(codec) === name && isMainProfile(codec)),
  );
  return [...wanted, ...available.filter((codec) => nameOf(codec) === 'rtx')];
}

/** Opus alone: RED would have to be unwrapped by the relay, which cannot. */
export function audioPreferences<C extends CodecCapability>(available: readonly C[]): C[] {
  return available.filter((codec) => nameOf(codec) === 'opus');
}

/** Whether the browser can encode it at all. */
export function canEncode(available: readonly CodecCapability[], codec: VideoCodec): boolean {
  return available.some((one) => nameOf(one) === codec && isMainProfile(one));
}
