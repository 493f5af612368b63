/** Why this browser, or this page in it, cannot make an encrypted call; null if it can. */
export function missingSupport(scope: typeof globalThis): 'insecure' | 'unsupported' | null {
  if (!scope.isSecureContext) return 'insecure';
  const needed = [
    'RTCPeerConnection',
    'RTCRtpScriptTransform',
    'WebAssembly',
    'WebSocket',
    'Worker',
  ] as const;
  const has = needed.every((name) => name in scope) && scope.crypto?.subtle !== undefined;
  return has ? null : 'unsupported';
}
