// The one thing that browsers let a page say about Opus only through SDP: what
// the encoder should do is read from the answer's format parameters.

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
