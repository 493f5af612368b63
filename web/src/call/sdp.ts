// What is done to the server's answer before the browser sees it. Header extensions
// and addresses that we have no use for are taken out or refused: the server is the
// adversary. And the one thing that browsers let a page say about Opus only through
// SDP is said: what the encoder should do is read from the answer's format parameters.
import { SottoError } from '../lib/errors.ts';

/**
 * The RTP header extensions that a server may have. Extensions travel outside of the
 * sealed frame, and browsers know some that tell of the picture itself, such as samples
 * of its pixels (corruption-detection), or let the server hold pictures back
 * (playout-delay). What is not in this list is not negotiated.
 */
const harmlessExtensions: ReadonlySet<string> = new Set([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
  'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
]);

/**
 * The browser sends a check to each address of a server, and must not be made to
 * knock on the doors of strangers.
 */
const maxCandidates = 32;

/** Takes out of an answer what a server has no business with. Throws SottoError `bad_server`. */
export function guardAnswer(sdp: string): string {
  const lines = sdp.split(/\r\n|\n|\r/);
  if (lines.filter((line) => line.startsWith('a=candidate:')).length > maxCandidates)
    throw new SottoError('bad_server', 'too many addresses in the answer');
  return lines.filter((line) => !line.startsWith('a=extmap:') || isHarmless(line)).join('\r\n');
}

/** a=extmap:ID[/DIRECTION] URI [ATTRIBUTES] (RFC 8285 §5) */
function isHarmless(line: string): boolean {
  const uri = /^a=extmap:\d+(?:\/\w+)? (\S+)/.exec(line)?.[1];
  return uri !== undefined && harmlessExtensions.has(uri);
}

/** The microphone: speech, silent when nobody speaks, with redundancy against loss. */
export const speech = 'minptime=10;useinbandfec=1;usedtx=1;stereo=0;sprop-stereo=0';

/** The sound of a shared screen: music survives, and silence is not cut. */
export const sound = 'minptime=10;useinbandfec=1;usedtx=0;stereo=0;sprop-stereo=0;maxaveragebitrate=96000';

/** Sets the Opus parameters of the sections with the given mids. */
export function setOpusParameters(sdp: string, parameters: ReadonlyMap<string, string>): string {
  const [head = '', ...sections] = sdp.split(/\r?\n(?=m=)/);
  const changed = sections.map((section) => {
    const mid = /^a=mid:(\S+)/m.exec(section)?.[1];
    const wanted = mid === undefined ? undefined : parameters.get(mid);
    return wanted === undefined ? section : setInSection(section, wanted);
  });
  return [head, ...changed].join('\r\n');
}

function setInSection(section: string, parameters: string): string {
  const opus = /^a=rtpmap:(\d+) opus\//im.exec(section)?.[1];
  if (opus === undefined) return section;
  const lines = section.split(/\r?\n/).filter((line) => !line.startsWith(`a=fmtp:${opus} `));
  const at = lines.findIndex((line) => line.startsWith(`a=rtpmap:${opus} `));
  lines.splice(at + 1, 0, `a=fmtp:${opus} ${parameters}`);
  return lines.join('\r\n');
}
