// The parts of the Encoded Transform API that the worker uses
// (https://www.w3.org/TR/webrtc-encoded-transform/), for both kinds of media.

/** RTCEncodedVideoFrame or RTCEncodedAudioFrame. */
export interface EncodedFrame {
  data: ArrayBuffer;
  /** Video only. */
  readonly type?: string;
  getMetadata(): { mimeType?: string };
}

/** RTCRtpScriptTransformer. */
export interface Transformer {
  readonly readable: ReadableStream<EncodedFrame>;
  readonly writable: WritableStream<EncodedFrame>;
  readonly options: unknown;
  sendKeyFrameRequest(): Promise<unknown>;
  /** Firefox only. */
  generateKeyFrame?(): Promise<unknown>;
}
