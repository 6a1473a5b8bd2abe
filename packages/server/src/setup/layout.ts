/** Where the parts of an embedded system lie below its data folder. */
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface Layout {
  root: string;
  /** What the supervisor needs to know. */
  system: string;
  /** What clients pin. */
  trustRoot: string;
  /** How the command line reaches this system. Holds the administrator's token. */
  client: string;
  keys: {
    /** Root and authority keys, sealed or in a token; beside a token, the sealed file has what tokens cannot hold. */
    offline: string;
    offlineToken: string;
    /** The signer's keys. */
    online: string;
    /** Where the log's Ed25519 key is, if that is a token. */
    token: string;
    /** The same for a service. */
    cloud: string;
  };
  secrets: {
    offlinePassphrase: string;
    onlinePassphrase: string;
    mirrorToken: string;
    licenseKeySecret: string;
  };
  ledger: {
    store: string;
    projections: string;
    /** Written by the server, beside its store. */
    publicKeys: string;
  };
  /** The log of requests, written by the server. */
  access: string;
  signer: { mark: string; accessMark: string; journal: string; socket: string };
  /** Configurations that the supervisor writes at each start. */
  run: string;
  cosigner(name: string): { directory: string; key: string; state: string };
}

/** Unix socket paths end at 107 bytes on Linux. */
const socketPathMax = 100;

export function layoutOf(directory: string): Layout {
  const root = resolve(directory);
  const at = (...parts: string[]): string => join(root, ...parts);
  return {
    root,
    system: at('system.json'),
    trustRoot: at('trust-root.json'),
    client: at('client.json'),
    keys: {
      offline: at('keys', 'offline.sealed'),
      offlineToken: at('keys', 'offline-token.json'),
      online: at('keys', 'online.sealed'),
      token: at('keys', 'token.json'),
      cloud: at('keys', 'cloud.json'),
    },
    secrets: {
      offlinePassphrase: at('secrets', 'offline.passphrase'),
      onlinePassphrase: at('secrets', 'online.passphrase'),
      mirrorToken: at('secrets', 'mirror.token'),
      licenseKeySecret: at('secrets', 'license-key.secret'),
    },
    ledger: {
      store: at('ledger', 'ledger.db'),
      projections: at('ledger', 'projections.db'),
      publicKeys: at('ledger', 'public-keys.json'),
    },
    access: at('access', 'access.db'),
    signer: {
      mark: at('signer', 'mark.db'),
      accessMark: at('signer', 'access-mark.db'),
      journal: at('signer', 'journal'),
      socket: socketPath(root),
    },
    run: at('run'),
    cosigner: (name) => ({ directory: at(name), key: at(name, 'cosigner.key'), state: at(name, 'state.db') }),
  };
}

/**
 * In the data folder, or in a folder of its own among the temporary files where that path would be too long for a
 * socket.
 */
function socketPath(root: string): string {
  const inside = join(root, 'signer', 'signer.sock');
  if (Buffer.byteLength(inside) <= socketPathMax) return inside;
  const name = createHash('sha256').update(root).digest('hex').slice(0, 16);
  return join(tmpdir(), `tally-signer-${name}`, 'signer.sock');
}
