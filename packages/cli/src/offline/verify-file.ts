/** A license file from disk, and what can be said about it without the network. */
import { readFileSync } from 'node:fs';
import { IntegrityError } from '@tallystick/core';
import { type Need, type Release, VERDICT_CODES, type Verdict } from '@tallystick/license';
import { openPin, type Pin, type Verification, verify } from '@tallystick/sdk';
import { readClientFile } from '../client/connection.ts';
import { CliError, messageOf, usageError } from '../errors.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';

export interface TrustFlags {
  trustRoot?: string;
  namespace?: string;
}

export interface Trust {
  pin: Pin;
  namespace: string;
  /** Where the trust comes from: verification is worth as much as the way in which this file came here. */
  file: string;
}

/**
 * The trust root and namespace that flags name, or else `client.json`; null where neither does. Throws CliError:
 * usage, or integrity for a trust-root file that does not hold together.
 */
export async function findTrust(flags: TrustFlags, dataFolder: string): Promise<Trust | null> {
  const client = readClientFile(dataFolder);
  const file = findTrustFile(flags, dataFolder);
  if (file === undefined) return null;
  const pin = await openTrustFile(file);
  // A namespace that was not asked for is only taken together with the trust root that it came with.
  const namespace =
    flags.namespace ?? (flags.trustRoot === undefined ? client?.namespace : undefined) ?? onlyNamespace(pin);
  return { pin, namespace, file };
}

/** The trust root file that flags name, or else `client.json`. */
export function findTrustFile(flags: Pick<TrustFlags, 'trustRoot'>, dataFolder: string): string | undefined {
  return flags.trustRoot ?? readClientFile(dataFolder)?.trustRootFile;
}

/** Reads and verifies a trust root file. Throws CliError, as `findTrust`. */
export async function openTrustFile(file: string): Promise<Pin> {
  const text = readTrustFile(file);
  return openPin(text).catch((error: unknown) => {
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: error instanceof IntegrityError ? error.code : 'TRUST_INVALID',
      what: `${file} is no valid trust root: ${messageOf(error)}.`,
      todo: 'Get the trust root again, in a way that you trust.',
    });
  });
}

function readTrustFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`The trust root cannot be read: ${messageOf(error)}.`, 'Check --trust-root.');
  }
}

function onlyNamespace(pin: Pin): string {
  const names = [...(pin.versions.at(-1)?.namespaces.keys() ?? [])];
  const [only] = names;
  if (names.length === 1 && only !== undefined) return only;
  throw usageError(
    `The trust root serves several namespaces: ${names.join(', ')}.`,
    'Name one with --namespace.',
  );
}

export interface VerifyRequest {
  trust: Trust;
  /** Ids or codes; empty to take whatever product the license is for. */
  products: readonly string[];
  now: number;
  release?: Release;
  need: readonly Need[];
}

/** Verifies; where no product is asked for, the verdict is that of the product that the license names. */
export async function verifyFile(bytes: Uint8Array, request: VerifyRequest): Promise<Verification> {
  const { trust, products, now, release, need } = request;
  const options = {
    trustRoot: trust.pin,
    namespace: trust.namespace,
    now,
    need,
    ...(release === undefined ? {} : { release }),
  };
  const first = await verify(bytes, { ...options, products });
  if (products.length > 0 || first.license === null) return first;
  return verify(bytes, { ...options, products: [first.license.product.id] });
}

/** 0 valid, 1 proven but not valid, 2 altered, not provable, or about something else. */
export function exitCodeOfVerdict(verdict: Verdict): ExitCode {
  if (verdict.valid) return exitCodes.ok;
  return VERDICT_CODES[verdict.code].class <= 4 ? exitCodes.integrity : exitCodes.refused;
}

/** What `--json` shows. Times are instants. */
export function verdictJson({ verdict, license, proven }: Verification): object {
  return {
    verdict: { ...verdict, asOf: instant(verdict.asOf), changesAt: instant(verdict.changesAt) },
    proven: proven === null ? null : { ...proven, asOf: instant(proven.asOf) },
    license,
  };
}

export function instant(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
