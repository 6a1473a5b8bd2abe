/** Where a request comes from: the address of the peer, or what a proxy that is trusted says of it. */
import type { KeyObject } from 'node:crypto';
import {
  AddressError,
  type AddressRange,
  canonicalAddress,
  isInRange,
  parseAddress,
  parseRange,
} from './address.ts';

export interface NetworkSettings {
  /** Ranges by name, for policies: `{"office": ["192.0.2.0/24"]}`. */
  networks: Record<string, string[]>;
  trustedProxies: TrustedProxy[];
}

/** Something in front of the server whose X-Forwarded-For is believed. */
export interface TrustedProxy {
  /** Ranges that it connects from. */
  addresses: string[];
  /** The SPIFFE id of its certificate; null where it connects without one. */
  spiffeId: string | null;
  /** For HMAC-SHA-256 over what it says of devices; null where it says nothing, or shows a certificate. */
  secret: KeyObject | null;
}

const PEERS_MAX = 10_000;

export class Networks {
  readonly #peers = new Map<string, string | null>();
  readonly #named: readonly { name: string; ranges: readonly AddressRange[] }[];
  readonly #proxies: readonly { proxy: TrustedProxy; ranges: readonly AddressRange[] }[];

  /** Throws AddressError for a range that is none. */
  constructor({ networks, trustedProxies }: NetworkSettings) {
    const names = Object.keys(networks).sort();
    this.#named = names.map((name) => ({ name, ranges: (networks[name] ?? []).map(parseRange) }));
    this.#proxies = trustedProxies.map((proxy) => ({ proxy, ranges: proxy.addresses.map(parseRange) }));
  }

  /** Peers are few, and asked about with each request. */
  #canonical(peer: string): string | null {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const address = canonicalAddress(peer);
    if (this.#peers.size >= PEERS_MAX) this.#peers.clear();
    this.#peers.set(peer, address);
    return address;
  }

  /** The proxy that connects from an address; undefined for none. */
  proxyAt(address: string): TrustedProxy | undefined {
    return this.#proxies.find(({ ranges }) => isInAny(address, ranges))?.proxy;
  }

  /** Sorted. */
  namesOf(address: string): string[] {
    return this.#named.filter(({ ranges }) => isInAny(address, ranges)).map(({ name }) => name);
  }

  /**
   * The address that a request came from. Proxies append to X-Forwarded-For, so what is right of the first address that
   * is no trusted proxy was written by trusted ones, and what is left of it by anybody. null where a trusted proxy
   * passed on what is no address.
   */
  addressOf(peer: string, forwardedFor: string | undefined): string | null {
    let address = this.#canonical(peer);
    if (forwardedFor === undefined) return address;
    const hops = forwardedFor.split(',').map((hop) => hop.trim());
    while (address !== null && this.proxyAt(address) !== undefined) {
      const hop = hops.pop();
      if (hop === undefined) break;
      address = canonicalAddress(hop);
    }
    return address;
  }
}

/** True where an address is in one of the ranges, in CIDR notation; in one that cannot be read nobody is. */
export function isInRanges(address: string, ranges: readonly string[]): boolean {
  return isInAny(address, ranges.flatMap(readableRange));
}

function readableRange(text: string): AddressRange[] {
  try {
    return [parseRange(text)];
  } catch (error) {
    if (error instanceof AddressError) return [];
    throw error;
  }
}

function isInAny(address: string, ranges: readonly AddressRange[]): boolean {
  const bytes = parseAddress(address);
  return bytes !== null && ranges.some((range) => isInRange(bytes, range));
}
