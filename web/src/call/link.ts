// The invitation link: https://HOST/c/CALL#SECRET. The fragment never leaves the
// browser, so the server learns the call and not the secret.
import { type Bytes, fromBase64Url, toBase64Url } from '../lib/bytes.ts';
import { isLoopback } from '../lib/hosts.ts';

/** Length of a call secret in bytes. */
export const secretBytes = 32;

/** What a link says. */
export interface Link {
  call: string;
  secret: Bytes;
}

/** What an address of this page is: home, a call, or a link that something happened to. */
export type Address = { view: 'home' } | { view: 'call'; link: Link } | { view: 'damaged' };

/** Reads an address of this page. Whether call and secret fit each other is for the core to check. */
export function parseAddress(pathname: string, hash: string): Address {
  if (pathname === '/' || pathname === '/index.html') return { view: 'home' };
  const call = /^\/c\/([^/]+)\/?$/.exec(pathname)?.[1];
  const secret = fromBase64Url(hash.replace(/^#/, ''));
  if (!call || fromBase64Url(call)?.length !== 16 || secret?.length !== secretBytes)
    return { view: 'damaged' };
  return { view: 'call', link: { call, secret } };
}

/**
 * Reads a link that somebody pasted, for this server or another. Null: not a link of a
 * call. The page behind it will see the secret, so it must not come over plain HTTP.
 */
export function parsePasted(text: string, here: string): URL | null {
  const trimmed = text.trim().replace(/^<|>$/g, '');
  if (!trimmed) return null;
  const url = parseUrl(trimmed, here) ?? parseUrl(`https://${trimmed}`, here);
  if (!url || parseAddress(url.pathname, url.hash).view !== 'call') return null;
  if (!isLoopback(url.hostname)) url.protocol = 'https:';
  return url;
}

function parseUrl(text: string, here: string): URL | null {
  try {
    const url = text.startsWith('/c/') ? new URL(text, here) : new URL(text);
    return url.protocol === 'https:' || url.protocol === 'http:' ? url : null;
  } catch {
    return null;
  }
}

/** Path and fragment of a call. */
export function formatLink(link: Link): string {
  return `/c/${link.call}#${toBase64Url(link.secret)}`;
}
