/**
 * The secrets of the gate, derived from one that the server keeps in a file. Each use has a key of its own, so that what
 * is made for one never fits another, and each namespace has its own, so that a token means nothing in the next.
 */
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

/** Keys for HMAC-SHA-256. Node is several times as fast with a KeyObject as with the bytes. */
export interface GateSecrets {
  /** Finds API keys. */
  apiKeys: KeyObject;
  /** Finds sessions, and makes their CSRF tokens. */
  sessions: KeyObject;
  /** Seals the rows of the file that sessions are kept in. */
  rows: KeyObject;
}

/** `root` is the server's secret of 32 bytes, under which license keys are indexed as well, by another construction. */
export function deriveGateSecrets(root: KeyObject, ns: string): GateSecrets {
  const derive = (use: string): KeyObject => {
    const info = `tallystick/gate/v1/${use}\0${ns}`;
    return createSecretKey(Buffer.from(hkdfSync('sha256', root, Buffer.alloc(0), info, 32)));
  };
  return { apiKeys: derive('api-key'), sessions: derive('session'), rows: derive('session-row') };
}
