/** Flags that say what is between callers and the server: networks with names, proxies, trust domains. */
import { resolve } from 'node:path';
import type { EdgeConfig, TrustedProxyConfig } from '@tallystick/server';
import { type Command, InvalidArgumentError } from 'commander';

export interface EdgeFlags {
  network?: Record<string, string[]>;
  trustedProxy?: TrustedProxyConfig[];
  trustDomain?: string[];
}

export function addEdgeFlags(command: Command): Command {
  return command
    .option(
      '--network <name=ranges>',
      'a network that policies can speak of, such as office=192.0.2.0/24,2001:db8::/32 (repeatable)',
      asNetwork,
    )
    .option(
      '--trusted-proxy <ranges[@proof]>',
      'where a proxy connects from whose X-Forwarded-For is believed; its SPIFFE id, or the file with the secret of its MAC, after an @ (repeatable)',
      asProxy,
    )
    .option('--trust-domain <name>', 'whose SPIFFE ids count, such as vendor.example (repeatable)', asDomain);
}

/** Only what was given. */
export function edgeOf({ network, trustedProxy, trustDomain }: EdgeFlags): Partial<EdgeConfig> {
  return {
    ...(network !== undefined && { networks: network }),
    ...(trustedProxy !== undefined && { trustedProxies: trustedProxy }),
    ...(trustDomain !== undefined && { trustDomains: trustDomain }),
  };
}

function asDomain(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function asNetwork(value: string, before: Record<string, string[]> = {}): Record<string, string[]> {
  const at = value.indexOf('=');
  const [name, ranges] = [value.slice(0, at), value.slice(at + 1)];
  if (at < 1 || ranges === '')
    throw new InvalidArgumentError('Give name=ranges, such as office=192.0.2.0/24.');
  if (Object.hasOwn(before, name))
    throw new InvalidArgumentError(`${name} stands twice: give all its ranges at once, with commas.`);
  return { ...before, [name]: ranges.split(',') };
}

function asProxy(value: string, before: TrustedProxyConfig[] = []): TrustedProxyConfig[] {
  const at = value.indexOf('@');
  const addresses = (at < 0 ? value : value.slice(0, at)).split(',');
  const proof = at < 0 ? null : value.slice(at + 1);
  if (proof === '') throw new InvalidArgumentError('Give a SPIFFE id or a file after the @.');
  if (proof === null) return [...before, { addresses }];
  const shown = proof.startsWith('spiffe:') ? { spiffeId: proof } : { secretFile: resolve(proof) };
  return [...before, { addresses, ...shown }];
}
