/**
 * What is known of the caller's device. A header that anybody can write says nothing. It counts where it comes from
 * the address of a proxy that is listed, and either carries the proxy's MAC, or comes over TLS with its certificate.
 *
 * `Tally-Device` is a dictionary of structured fields (RFC 9651):
 * `id="laptop-7", managed=?1, encrypted=?1, attested=?0, at=1790000000, mac=:…:`. The MAC is HMAC-SHA-256 under the secret
 * that the proxy shares with the server, over the lines of `devicePostureText`: it holds for one request of one
 * caller, for a minute, so that nobody's header makes somebody else's device a managed one.
 */
import { createHmac, hash, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type Dictionary, parseDictionary } from 'structured-headers';
import type { Device } from '../caller.ts';

export const deviceHeader = 'tally-device';
const ageSecondsMax = 60;

/** The parts of a request that a statement about its device is bound to. */
export interface PostureRequest {
  method: string;
  /** Path and query, as they came. */
  target: string;
  /** Headers Authorization, Cookie and Signature, those that there are, joined by line feeds: who the caller is. */
  credential: string;
}

/** The trusted proxy that sent the header. */
export interface PostureSender {
  /** True where its TLS certificate is that of the proxy. */
  isAuthenticated: boolean;
  /** The secret that it shares with the server; null for none. */
  secret: KeyObject | null;
}

/** null where the header is missing, malformed, stale, or from somebody who cannot vouch for it: no sender is no proxy. */
export function deviceOfHeader(
  header: string | undefined,
  sender: PostureSender | null,
  request: PostureRequest,
  nowMs: number,
): Device | null {
  if (header === undefined || sender === null) return null;
  const stated = readHeader(header);
  if (stated === null || Math.abs(nowMs / 1000 - stated.at) > ageSecondsMax) return null;
  if (!sender.isAuthenticated && !isVouchedFor(stated, sender.secret, request)) return null;
  return stated.device;
}

interface StatedDevice {
  device: Device;
  /** Seconds since 1970. */
  at: number;
  mac: Uint8Array | null;
}

function isVouchedFor(
  { device, at, mac }: StatedDevice,
  secret: KeyObject | null,
  request: PostureRequest,
): boolean {
  if (secret === null || mac?.length !== 32) return false;
  return timingSafeEqual(
    createHmac('sha256', secret)
      .update(devicePostureText(device, at, request))
      .digest(),
    mac,
  );
}

/** What the proxy's MAC is over. `at` in seconds since 1970. */
export function devicePostureText(device: Device, at: number, request: PostureRequest): string {
  const { id, managed, encrypted, attested } = device;
  const flags = [managed, encrypted, attested].map(Number).join('');
  const credential = hash('sha256', request.credential, 'base64');
  return ['tallystick/device/v1', id ?? '', flags, at, request.method, request.target, credential, ''].join(
    '\n',
  );
}

function readHeader(text: string): StatedDevice | null {
  let members: Dictionary;
  try {
    members = parseDictionary(text);
  } catch {
    // Whatever cannot be read says nothing, as if it were not there.
    return null;
  }
  const value = (name: string): unknown => members.get(name)?.[0];
  const [id, at, mac] = [value('id'), value('at'), value('mac')];
  const flags = ['managed', 'encrypted', 'attested'].map(value);
  const isStated = flags.every((flag) => flag === undefined || typeof flag === 'boolean');
  if (!isStated || !Number.isSafeInteger(at)) return null;
  if (id !== undefined && (typeof id !== 'string' || id.length > 200)) return null;
  const [managed, encrypted, attested] = flags.map((flag) => flag === true) as [boolean, boolean, boolean];
  const device = { id: id ?? null, managed, encrypted, attested };
  return { device, at: at as number, mac: mac instanceof ArrayBuffer ? new Uint8Array(mac) : null };
}

/** Names of the claims of a token that speak of the device; a name that is missing claims nothing. */
export interface PostureClaims {
  id?: string;
  managed?: string;
  encrypted?: string;
  attested?: string;
}

/** From the claims of a token whose signature, issuer and audience were verified. Only `true` is true. */
export function deviceOfClaims(
  claims: Readonly<Record<string, unknown>>,
  names: PostureClaims,
): Device | null {
  const claim = (name: string | undefined): unknown =>
    name !== undefined && Object.hasOwn(claims, name) ? claims[name] : undefined;
  const [managed, encrypted, attested] = [names.managed, names.encrypted, names.attested].map(claim);
  const id = claim(names.id);
  if ([id, managed, encrypted, attested].every((value) => value === undefined)) return null;
  return {
    id: typeof id === 'string' && id.length <= 200 ? id : null,
    managed: managed === true,
    encrypted: encrypted === true,
    attested: attested === true,
  };
}
