/** IP addresses and ranges of them, as bytes: one address has many texts, and ranges are compared by bits. */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** A range in CIDR notation (RFC 4632, RFC 4291). */
export interface AddressRange {
  bytes: Uint8Array;
  prefix: number;
}

export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/**
 * 4 or 16 bytes; null for what is no address. An IPv4 address that a socket for both shows as IPv6 is an IPv4 address,
 * or a range of the one would not find the other.
 */
export function parseAddress(text: string): Uint8Array | null {
  const bare = text.split('%', 1)[0] ?? '';
  if (isIPv4(bare)) return Uint8Array.from(bare.split('.'), Number);
  if (!isIPv6(bare)) return null;
  const bytes = bytesOfIPv6(new SocketAddress({ address: bare, family: 'ipv6' }).address);
  const isMapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return isMapped ? bytes.slice(12) : bytes;
}

/** The one text of an address; null for what is none. */
export function canonicalAddress(text: string): string | null {
  const bytes = parseAddress(text);
  if (bytes === null) return null;
  if (bytes.length === 4) return bytes.join('.');
  return new SocketAddress({ address: text.split('%', 1)[0] ?? '', family: 'ipv6' }).address;
}

/** Whom an address belongs to, for counting: one host has a whole /64 of IPv6 to call from (RFC 6177). */
export function hostOf(address: string): string {
  const bytes = parseAddress(address);
  if (bytes === null) return address;
  return bytes.length === 4 ? bytes.join('.') : Buffer.from(bytes.subarray(0, 8)).toString('hex');
}

/** Throws AddressError with a sentence for who wrote it. */
export function parseRange(text: string): AddressRange {
  const [address = '', length, ...rest] = text.split('/');
  const bytes = address.includes('%') ? null : parseAddress(address);
  if (bytes === null || rest.length > 0) {
    throw new AddressError(
      `${text} is no address and no range: write one such as 10.0.0.0/8 or 2001:db8::/32`,
    );
  }
  const bits = bytes.length * 8;
  const prefix = length === undefined ? bits : /^(?:0|[1-9]\d{0,2})$/.test(length) ? Number(length) : -1;
  if (prefix < 0 || prefix > bits) throw new AddressError(`${text}: a prefix is a number from 0 to ${bits}`);
  const hasHostBits = bytes.some((byte, at) => (byte & ~maskAt(prefix, at) & 255) !== 0);
  if (hasHostBits)
    throw new AddressError(`${text} names one host and a range: clear the bits after /${prefix}`);
  return { bytes, prefix };
}

export function isInRange(address: Uint8Array, { bytes, prefix }: AddressRange): boolean {
  if (address.length !== bytes.length) return false;
  return bytes.every((byte, at) => ((address[at] as number) & maskAt(prefix, at)) === byte);
}

/** Which bits of a byte a prefix covers. */
function maskAt(prefix: number, at: number): number {
  const covered = Math.min(8, Math.max(0, prefix - 8 * at));
  return (0xff00 >> covered) & 255;
}

/** The last four bytes may be written as an IPv4 address. */
function bytesOfIPv6(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const left = bytesOfGroups(head);
  const right = tail === undefined ? [] : bytesOfGroups(tail);
  const zeros = Array.from({ length: 16 - left.length - right.length }, () => 0);
  return Uint8Array.from([...left, ...zeros, ...right]);
}

function bytesOfGroups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}
