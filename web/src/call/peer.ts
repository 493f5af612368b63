import { contextOfSource, kindOfSource } from '../media/context.ts';
import type { MediaKind, Section, Source } from '../protocol/messages.generated';
import type { TransformOptions } from '../workers/messages.ts';
import { audioPreferences, type VideoCodec, videoPreferences } from './codecs.ts';
import { guardAnswer, setOpusParameters, sound, speech } from './sdp.ts';

/** The order in which sections are offered. */
export const publishOrder: readonly Source[] = ['mic', 'camera', 'screen', 'screen_audio'];

/** One receive section: a place where the server can put someone's media. */
export interface Slot {
  /** Unique over the life of the page, also across peers. */
  readonly id: string;
  readonly kind: MediaKind;
  readonly receiver: RTCRtpReceiver;
  readonly transceiver: RTCRtpTransceiver;
}

/** What a peer is made with. */
export interface PeerOptions {
  /** Makes slot ids unique. */
  generation: number;
  transformWorker: Worker;
  audioSlots: number;
  videoSlots: number;
  codec: VideoCodec;
  onState(state: RTCPeerConnectionState): void;
}

// Ceilings, in bit/s; the browser's own congestion control works below them.
const maxBitrate: Partial<Record<Source, number>> = { camera: 1_700_000, screen: 2_500_000, mic: 40_000 };
const maxFramerate: Partial<Record<Source, number>> = { camera: 30, screen: 15 };

/**
 * One RTCPeerConnection with all its sections, negotiated once: four to publish,
 * idle until used, and slots to receive. Every section has its transform from the
 * moment it exists, so that no frame can go out or come in unsealed.
 */
export class Peer {
  readonly slots: readonly Slot[];
  readonly #pc: RTCPeerConnection;
  readonly #publish = new Map<Source, RTCRtpTransceiver>();

  constructor(options: PeerOptions) {
    // The server is the only peer and has a public address: no STUN, no third party.
    this.#pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' });
    this.#pc.onconnectionstatechange = () => options.onState(this.#pc.connectionState);
    for (const source of publishOrder) this.#publish.set(source, this.#addPublish(source, options));
    const slots: Slot[] = [];
    for (let i = 0; i < options.audioSlots; i++) slots.push(this.#addSlot('audio', i, options));
    for (let i = 0; i < options.videoSlots; i++) slots.push(this.#addSlot('video', i, options));
    this.slots = slots;
  }

  get state(): RTCPeerConnectionState {
    return this.#pc.connectionState;
  }

  /** Makes the offer. The server learns our addresses from the connectivity checks, so nothing is gathered first. */
  async offer(): Promise<{ sdp: string; sections: Section[] }> {
    const offer = await this.#pc.createOffer();
    await this.#pc.setLocalDescription(offer);
    const sections: Section[] = [];
    for (const [source, transceiver] of this.#publish) {
      if (transceiver.mid !== null) sections.push({ mid: transceiver.mid, publish: source });
    }
    for (const slot of this.slots) {
      if (slot.transceiver.mid !== null) sections.push({ mid: slot.transceiver.mid, receive: slot.kind });
    }
    return { sdp: offer.sdp ?? '', sections };
  }

  /** Makes an offer with new ICE credentials. */
  async restartOffer(): Promise<string> {
    const offer = await this.#pc.createOffer({ iceRestart: true });
    await this.#pc.setLocalDescription(offer);
    return offer.sdp ?? '';
  }

  /** Takes the server's answer to either. */
  async accept(sdp: string): Promise<void> {
    const parameters = new Map<string, string>();
    const mic = this.#publish.get('mic')?.mid;
    const screenAudio = this.#publish.get('screen_audio')?.mid;
    if (mic) parameters.set(mic, speech);
    if (screenAudio) parameters.set(screenAudio, sound);
    const answer = setOpusParameters(guardAnswer(sdp), parameters);
    await this.#pc.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /** The slot of a section. */
  slotOfMid(mid: string): Slot | undefined {
    return this.slots.find((slot) => slot.transceiver.mid === mid);
  }

  /** Sends a track as a source, or nothing. */
  async setTrack(source: Source, track: MediaStreamTrack | null): Promise<void> {
    await this.#publish.get(source)?.sender.replaceTrack(track);
  }

  /** Changes the codec of a source that is being sent; resolves to false where the browser cannot. */
  async setCodec(source: Source, codec: VideoCodec): Promise<boolean> {
    const sender = this.#publish.get(source)?.sender;
    const capability = videoPreferences(RTCRtpSender.getCapabilities('video')?.codecs ?? [], codec)[0];
    if (!sender || !capability) return false;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) {
      (encoding as RTCRtpEncodingParameters & { codec?: unknown }).codec = capability;
    }
    try {
      await sender.setParameters(parameters);
      const now = sender.getParameters().encodings[0] as RTCRtpEncodingParameters & {
        codec?: { mimeType: string };
      };
      return now.codec?.mimeType.toLowerCase() === capability.mimeType.toLowerCase();
    } catch {
      return false;
    }
  }

  /** Has the encoder of a source make a key frame (Chromium's way; Firefox has one in the worker). */
  async makeKeyFrame(source: Source): Promise<void> {
    const sender = this.#publish.get(source)?.sender;
    if (!sender?.track) return;
    const parameters = sender.getParameters();
    const set = sender.setParameters.bind(sender) as (
      parameters: RTCRtpSendParameters,
      options: { encodingOptions: { keyFrame: boolean }[] },
    ) => Promise<void>;
    await set(parameters, { encodingOptions: parameters.encodings.map(() => ({ keyFrame: true })) }).catch(
      () => undefined,
    );
  }

  close(): void {
    this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }

  #addPublish(source: Source, options: PeerOptions): RTCRtpTransceiver {
    const kind = kindOfSource(source);
    const encoding: RTCRtpEncodingParameters = {};
    const bitrate = maxBitrate[source];
    const framerate = maxFramerate[source];
    if (bitrate !== undefined) encoding.maxBitrate = bitrate;
    if (framerate !== undefined) encoding.maxFramerate = framerate;
    const transceiver = this.#pc.addTransceiver(kind, { direction: 'sendonly', sendEncodings: [encoding] });
    this.#attach(transceiver.sender, options, { side: 'send', ctx: contextOfSource(source), kind });
    const available = RTCRtpSender.getCapabilities(kind)?.codecs ?? [];
    transceiver.setCodecPreferences(
      kind === 'audio' ? audioPreferences(available) : videoPreferences(available, options.codec),
    );
    return transceiver;
  }

  #addSlot(kind: MediaKind, index: number, options: PeerOptions): Slot {
    const transceiver = this.#pc.addTransceiver(kind, { direction: 'recvonly' });
    const id = `${options.generation}/${kind}/${index}`;
    this.#attach(transceiver.receiver, options, { side: 'receive', slot: id, kind });
    const available = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
    transceiver.setCodecPreferences(
      kind === 'audio' ? audioPreferences(available) : videoPreferences(available, 'vp8'),
    );
    return { id, kind, receiver: transceiver.receiver, transceiver };
  }

  /** In the same task in which the section was made: there is no moment without a transform. */
  #attach(end: RTCRtpSender | RTCRtpReceiver, options: PeerOptions, transform: TransformOptions): void {
    end.transform = new RTCRtpScriptTransform(options.transformWorker, transform);
  }
}
