// Actions that connect media to elements, which attributes cannot.

/** Shows a track in a video element. */
export function showTrack(node: HTMLVideoElement, track: MediaStreamTrack | null) {
  let shown: MediaStreamTrack | null = null;
  const show = (next: MediaStreamTrack | null) => {
    if (next === shown) return;
    shown = next;
    node.srcObject = next ? new MediaStream([next]) : null;
    if (next) node.play().catch(() => undefined); // muted, so this is only about a change of mind
  };
  show(track);
  return {
    update: show,
    destroy: () => show(null),
  };
}

interface SoundOptions {
  track: MediaStreamTrack;
  /** Empty: the browser's choice. */
  speakerId: string;
  /** The browser wants a click before it makes a sound. */
  onBlocked(retry: () => void): void;
}

/** Plays a track from an audio element. */
export function playTrack(node: HTMLAudioElement, options: SoundOptions) {
  let current: Partial<SoundOptions> = {};
  const apply = (next: SoundOptions) => {
    if (next.track !== current.track) {
      node.srcObject = new MediaStream([next.track]);
      const play = () => {
        node.play().catch((error: DOMException) => {
          if (error.name === 'NotAllowedError') next.onBlocked(play);
        });
      };
      play();
    }
    if (next.speakerId !== (current.speakerId ?? '') && 'setSinkId' in node) {
      node.setSinkId(next.speakerId).catch(() => undefined); // unplugged: the default plays on
    }
    current = next;
  };
  apply(options);
  return {
    update: apply,
    destroy: () => {
      node.srcObject = null;
    },
  };
}

/** Reports an element's size, at once and at each change. */
export function watchSize(node: HTMLElement, report: (size: { width: number; height: number }) => void) {
  const observer = new ResizeObserver(() => {
    report({ width: node.clientWidth, height: node.clientHeight });
  });
  observer.observe(node);
  report({ width: node.clientWidth, height: node.clientHeight });
  return { destroy: () => observer.disconnect() };
}
