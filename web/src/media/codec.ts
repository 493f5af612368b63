/** The codecs of a call, by their names in SDP. The codec decides the wrapper. */
export type Codec = 'opus' | 'vp8' | 'vp9' | 'av1';

/** Reads a MIME type as browsers write them: video/VP8, audio/opus. Null for any other codec. */
export function codecOfMime(mime: string | undefined): Codec | null {
  switch (mime?.toLowerCase()) {
    case 'audio/opus':
      return 'opus';
    case 'video/vp8':
      return 'vp8';
    case 'video/vp9':
      return 'vp9';
    case 'video/av1':
      return 'av1';
    default:
      return null;
  }
}

/**
 * The first byte of every plaintext: what the encoder said the frame is,
 * authenticated and hidden. The values are on the wire.
 */
export const frameType = {
  /** A video frame that needs earlier ones. */
  delta: 0x00,
  /** A video frame that needs none. */
  key: 0x01,
  audio: 0x02,
} as const;

export type FrameType = (typeof frameType)[keyof typeof frameType];

/** Whether frames of this type occur with the codec. */
export function typeFits(type: number, codec: Codec): type is FrameType {
  return codec === 'opus' ? type === frameType.audio : type === frameType.delta || type === frameType.key;
}
