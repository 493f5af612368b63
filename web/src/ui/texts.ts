// What people read when something is wrong: what happened, and what they can do.

/** An explanation with a title. */
export interface ErrorText {
  title: string;
  text: string;
  /** Trying the same again makes sense. */
  retry: boolean;
}

const texts: Readonly<Record<string, ErrorText>> = {
  link_damaged: {
    title: 'This link is damaged',
    text: 'A part of it is missing or was changed on the way, perhaps by the program it was sent with. Ask for the link again and copy all of it. Nothing was sent to the server.',
    retry: false,
  },
  no_such_call: {
    title: 'This call does not exist',
    text: 'It was never started on this server, or it has been empty for so long that it was forgotten. Ask for a new link, or start a new call.',
    retry: false,
  },
  call_full: {
    title: 'This call is full',
    text: 'As many people are in it as this server allows. Somebody has to leave before you can join.',
    retry: true,
  },
  too_many_calls: {
    title: 'You are in too many calls',
    text: 'Leave another call in this browser first.',
    retry: true,
  },
  bad_signature: {
    title: 'The server did not accept this device',
    text: 'The proof that you hold the link was refused. If the server was moved to another address, ask for a new link.',
    retry: true,
  },
  call_mismatch: {
    title: 'This link does not fit its call',
    text: 'Ask for the link again and copy all of it.',
    retry: false,
  },
  unreachable: {
    title: 'The server cannot be reached',
    text: 'Check your connection. If other pages load, this server is down or a firewall is in the way.',
    retry: true,
  },
  media_unavailable: {
    title: 'Sound and video are not available now',
    text: 'The server let you in but could not connect your media. It may be overloaded.',
    retry: true,
  },
  bad_sdp: {
    title: 'This browser and the server do not understand each other',
    text: 'The media connection could not be agreed on. Update your browser, or tell who runs this server.',
    retry: true,
  },
  bad_server: {
    title: 'The server does not keep to the protocol',
    text: 'It repeatedly sent what it should not, so the connection was ended for your safety. Tell who runs this server.',
    retry: true,
  },
  replaced: {
    title: 'The call goes on elsewhere',
    text: 'Your session was taken up by another window.',
    retry: true,
  },
  shutting_down: {
    title: 'The server is stopping',
    text: 'It will probably be back in a moment.',
    retry: true,
  },
  rate_limited: {
    title: 'Too many requests',
    text: 'The server asks you to wait for a moment.',
    retry: true,
  },
  insecure: {
    title: 'This page is not served securely',
    text: 'Browsers give camera, microphone and encryption only to pages that come over https. Ask who runs this server to set a certificate up.',
    retry: false,
  },
  unsupported: {
    title: 'This browser is too old',
    text: 'Sotto encrypts every frame in the browser, which this one cannot do. Current versions of Chrome, Edge, Firefox and Safari can.',
    retry: false,
  },
  core_failed: {
    title: 'The encryption could not be started',
    text: 'The part of the page that encrypts did not load. Without it there is no call, encrypted or not. Reload the page; if it stays so, an extension or a setting may forbid WebAssembly.',
    retry: true,
  },
};

const unknown: ErrorText = {
  title: 'Something went wrong',
  text: 'The call could not go on. Trying again may help.',
  retry: true,
};

/** The text for an error code. */
export function errorText(code: string): ErrorText {
  return Object.hasOwn(texts, code) ? (texts[code] ?? unknown) : unknown;
}

/** What is said where a microphone or camera is not there. */
export const deviceTexts = {
  mic: {
    denied: 'The microphone is blocked. Allow it in the address bar to be heard.',
    missing: 'No microphone was found.',
    busy: 'The microphone is used by another program.',
  },
  camera: {
    denied: 'The camera is blocked. Allow it in the address bar to be seen.',
    missing: 'No camera was found.',
    busy: 'The camera is used by another program.',
  },
} as const;

/** Shown on a tile that is not simply fine. */
export const tileTexts = {
  ok: '',
  muted: '',
  'no-media': 'No media yet',
  'no-key': 'No key yet',
  'cannot-decrypt': 'Cannot decrypt',
} as const;

/** What a person is called who has no name yet. */
export const nameless = 'Someone';
