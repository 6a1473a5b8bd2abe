/**
 * The pin: the trust roots that an application is built with, checked once and used many times.
 *
 * As a file: `{"v":1,"envelopes":["<base64 of the envelope of version 1>", …]}`.
 */
import { decodeBase64, IntegrityError, type TrustRoot, verifyTrustChain } from '@tallystick/core';

/** Far above what 64 trust roots take. */
const fileLengthMax = 4_194_304;

export class Pin {
  /** Version 1 first, each following from the one before. */
  readonly versions: readonly TrustRoot[];

  private constructor(versions: readonly TrustRoot[]) {
    this.versions = versions;
  }

  /** Throws IntegrityError: TRUST_INVALID, or TOO_NEW where a trust root needs a newer SDK. */
  static async open(source: string | readonly Uint8Array[]): Promise<Pin> {
    const envelopes = typeof source === 'string' ? parseTrustFile(source) : source;
    return new Pin(await verifyTrustChain(envelopes));
  }
}

/**
 * Opens a pin from the text of a trust-root file, or from the envelopes of all versions, version 1 first.
 * Throws IntegrityError: TRUST_INVALID, or TOO_NEW where a trust root needs a newer SDK.
 */
export function openPin(source: string | readonly Uint8Array[]): Promise<Pin> {
  return Pin.open(source);
}

function parseTrustFile(text: string): Uint8Array[] {
  const json = text.length > fileLengthMax ? null : parseObject(text);
  if (json === null) throw new IntegrityError('TRUST_INVALID', 'not a trust-root file');
  if (typeof json.v === 'number' && json.v > 1) {
    throw new IntegrityError('TOO_NEW', `trust-root file of version ${json.v}`);
  }
  const { envelopes } = json;
  if (json.v !== 1 || !Array.isArray(envelopes) || !envelopes.every((each) => typeof each === 'string')) {
    throw new IntegrityError('TRUST_INVALID', 'not a trust-root file');
  }
  try {
    return envelopes.map((each) => decodeBase64(each));
  } catch (error) {
    throw new IntegrityError('TRUST_INVALID', 'a trust root is not strict base64', { cause: error });
  }
}

function parseObject(text: string): { v?: unknown; envelopes?: unknown } | null {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? json : null;
  } catch {
    return null;
  }
}
