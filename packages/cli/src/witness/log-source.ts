/** Which log a witness is to follow, as somebody hands it over: a trust root, a policy, or keys. */
import { accessVerifierKeys } from '@tallystick/access';
import type { AccessIdentity } from '@tallystick/contract';
import {
  decodeBase64,
  decodeUtf8,
  formatVerifierKey,
  IntegrityError,
  noteSignatureType,
  parsePolicy,
  parseTrustRootFile,
  parseVerifierKey,
  type TrustRoot,
  type VerifierKey,
  verifyTrustChain,
} from '@tallystick/core';
import type { Context } from '../context.ts';
import { CliError, messageOf, unreachable, usageError } from '../errors.ts';
import { readInput } from '../files.ts';

export interface OfferedLog {
  origin: string;
  vkeys: VerifierKey[];
}

const answerLengthMax = 4 * 1024 * 1024;
const fetchMsMax = 15_000;
const versionsMax = 1000;

/** The log of a trust root, or the one log of a tlog-policy, from a file or an address. Throws CliError. */
export async function readOfferedLog(from: string, context: Context): Promise<OfferedLog> {
  const bytes = /^https?:\/\//.test(from) ? await fetchBytes(from) : await readInput(from, context);
  try {
    const text = decodeUtf8(bytes);
    return text.trimStart().startsWith('{') ? logOfTrustRoot(await readTrustRoot(text)) : logOfPolicy(text);
  } catch (error) {
    throw usageError(
      `${from} names no log to follow: ${messageOf(error)}.`,
      "Give the trust-root.json of a system, or a policy with the lines of one log, or --vkey with the log's keys.",
    );
  }
}

/**
 * Both logs of a server, from its public listener: the main one, and the access log that its keys vouch for. Throws CliError.
 *
 * @param pinned a trust root file that came another way; without it, what the server says is taken
 */
export async function readOfferedLogs(
  server: string,
  pinned: string | undefined,
  context: Context,
): Promise<OfferedLog[]> {
  const base = server.replace(/\/+$/, '');
  const envelopes = pinned === undefined ? await fetchTrustRoot(base) : null;
  try {
    const trust =
      envelopes === null
        ? await readTrustRoot(decodeUtf8(await readInput(pinned ?? '', context)))
        : newestOf(await verifyTrustChain(envelopes));
    const { origin, identity } = JSON.parse(
      decodeUtf8(await fetchBytes(`${base}/log/access`)),
    ) as AccessIdentity;
    const vkeys = await accessVerifierKeys(decodeBase64(identity), trust, origin);
    return [logOfTrustRoot(trust), { origin, vkeys }];
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usageError(
      `${server} names no logs to follow: ${messageOf(error)}.`,
      'Name the public address of a server that keeps an access log, and the trust root that its operator hands over.',
    );
  }
}

/** A log of keys alone; its name is the keys'. Throws a usage error. */
export function logOfKeys(texts: readonly string[], origin: string | undefined): OfferedLog {
  try {
    return logOf(texts.map(parseVerifierKey), origin);
  } catch (error) {
    throw usageError(
      `These are not the keys of a log: ${messageOf(error)}.`,
      'Give each with a --vkey of its own.',
    );
  }
}

export function sameKeys(a: OfferedLog, b: { vkeys: readonly VerifierKey[] }): boolean {
  const texts = (vkeys: readonly VerifierKey[]): string => vkeys.map(formatVerifierKey).sort().join(' ');
  return texts(a.vkeys) === texts(b.vkeys);
}

/** Throws where it is no trust root. */
async function readTrustRoot(text: string): Promise<TrustRoot> {
  return newestOf(await verifyTrustChain(parseTrustRootFile(text)));
}

function newestOf(versions: readonly TrustRoot[]): TrustRoot {
  const newest = versions.at(-1);
  if (newest === undefined) throw new Error('it holds no version');
  return newest;
}

/** Every version that a server has. */
async function fetchTrustRoot(base: string): Promise<Uint8Array[]> {
  const envelopes: Uint8Array[] = [];
  while (envelopes.length < versionsMax) {
    const envelope = await fetchIfThere(`${base}/trust/${envelopes.length + 1}`);
    if (envelope === null) break;
    envelopes.push(envelope);
  }
  return envelopes;
}

function logOfTrustRoot({ log }: TrustRoot): OfferedLog {
  return logOf([...log.vkeys], log.origin);
}

function logOfPolicy(text: string): OfferedLog {
  return logOf(parsePolicy(text).logs, undefined);
}

function logOf(vkeys: VerifierKey[], given: string | undefined): OfferedLog {
  const origin = given ?? vkeys[0]?.name;
  if (origin === undefined) throw new IntegrityError('MALFORMED', 'there is no key of a log');
  const stranger = vkeys.find(({ name }) => name !== origin);
  if (stranger !== undefined)
    throw new IntegrityError('MALFORMED', `a key is of ${stranger.name}, another one of ${origin}`);
  if (vkeys.some(({ type }) => type === noteSignatureType.ed25519Cosignature))
    throw new IntegrityError('MALFORMED', `a key of ${origin} is a cosigner's`);
  return { origin, vkeys };
}

async function fetchBytes(address: string): Promise<Uint8Array> {
  const bytes = await fetchIfThere(address);
  if (bytes !== null) return bytes;
  throw unreachable(`${address} cannot be fetched: it answers 404.`, 'Check the address, or give a file.');
}

/**
 * null where the server says that there is nothing. Only over TLS, or from this machine: whoever stands in between would choose
 * whom the witness believes.
 */
async function fetchIfThere(address: string): Promise<Uint8Array | null> {
  const { protocol, hostname } = new URL(address);
  if (protocol !== 'https:' && !['127.0.0.1', 'localhost', '[::1]'].includes(hostname))
    throw usageError(`${address} is not encrypted.`, 'Use https, or fetch the file in a way that you trust.');
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(fetchMsMax) });
    if (response.status === 404) return null;
    if (!response.ok || response.body === null) throw new Error(`it answers ${response.status}`);
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > answerLengthMax) throw new Error('it is too long for a trust root');
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (error) {
    throw unreachable(
      `${address} cannot be fetched: ${messageOf(error)}.`,
      'Check the address, or give a file.',
    );
  }
}
