/** Where a request comes from, before anybody is believed to have sent it. */
import type { Caller } from '../caller.ts';
import type { Networks } from './networks.ts';
import { deviceHeader, deviceOfHeader } from './posture.ts';
import { spiffeIdOf } from './spiffe.ts';

/** A request as the listener has it. */
export interface RequestParts {
  method: string;
  /** Of the connection. */
  scheme: 'http' | 'https';
  /** Path and query, as they are on the wire. */
  target: string;
  /** Names in lower case, as Node has them. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The bytes as they came; null for none. */
  body: Uint8Array | null;
  /** The address at the other end of the connection. */
  socketAddress: string;
  /** The client's certificate in DER, if TLS asked for one and its chain holds; else null. */
  certificate: Uint8Array | null;
  /** Whether the route changes something. */
  isMutation: boolean;
  /** What was found out of this request already: limits, authentication and the access log ask for the same. */
  known: { origin?: RequestOrigin | null; lookup?: string };
}

export interface RequestOrigin {
  address: string;
  networks: string[];
  /** What a trusted proxy says of the device; null for nothing. */
  device: Caller['device'];
  /** Of the client's certificate, unless that is a proxy's; null for none. */
  spiffeId: string | null;
  /** As the caller sees it. */
  scheme: 'http' | 'https';
}

/** One text per header; several lines of one name are joined, as RFC 9110 has it. */
export function headerOf(parts: RequestParts, name: string): string | undefined {
  const value = parts.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** null where a trusted proxy passed on no address. Worked out once for a request. */
export function originOf(
  parts: RequestParts,
  networks: Networks,
  trustDomains: readonly string[],
  nowMs: number,
): RequestOrigin | null {
  parts.known.origin ??= findOrigin(parts, networks, trustDomains, nowMs);
  return parts.known.origin;
}

function findOrigin(
  parts: RequestParts,
  networks: Networks,
  trustDomains: readonly string[],
  nowMs: number,
): RequestOrigin | null {
  const address = networks.addressOf(parts.socketAddress, headerOf(parts, 'x-forwarded-for'));
  if (address === null) return null;
  const spiffeId = parts.certificate === null ? null : spiffeIdOf(parts.certificate, trustDomains, nowMs);
  const proxy = networks.proxyAt(parts.socketAddress);
  const isAuthenticated = spiffeId !== null && proxy?.spiffeId === spiffeId;
  const sender = proxy === undefined ? null : { isAuthenticated, secret: proxy.secret };
  const isSecure = proxy !== undefined && headerOf(parts, 'x-forwarded-proto') === 'https';
  const credential = ['authorization', 'cookie', 'signature'].flatMap((name) => headerOf(parts, name) ?? []);
  const { method, target } = parts;
  const request = { method, target, credential: credential.join('\n') };
  return {
    address,
    networks: networks.namesOf(address),
    device: deviceOfHeader(headerOf(parts, deviceHeader), sender, request, nowMs),
    spiffeId: isAuthenticated ? null : spiffeId,
    scheme: isSecure ? 'https' : parts.scheme,
  };
}
