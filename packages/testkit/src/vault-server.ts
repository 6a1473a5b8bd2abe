/**
 * What the transit engine of Vault and OpenBao does with a key's description and with signing, over HTTP on this
 * machine with real keys: its JSON, its settings and its errors as documented. It stands in for the service in tests, and
 * is no proof that the service does the same.
 */
import { CloudTestKey, type TestKeyAlgorithm } from './cloud-test-key.ts';
import { type GivenAnswer, type HeardRequest, LoopbackServer } from './loopback-server.ts';

interface HeldKey {
  /** Version 1 first. */
  versions: CloudTestKey[];
  type: string;
  settings: Record<string, boolean | number>;
}

interface SignRequest {
  input?: string;
  key_version?: number;
  prehashed?: boolean;
  marshaling_algorithm?: string;
}

const types = { ed25519: 'ed25519', 'ecdsa-p256-sha256': 'ecdsa-p256' } as const;
const failed = (status: number, ...errors: string[]): GivenAnswer => ({
  status,
  body: JSON.stringify({ errors }),
});

export class VaultServer implements AsyncDisposable {
  token = 'hvs.tests';
  /** Path of the transit engine. */
  readonly mount = 'team/transit';
  /** Asked for in a header, where there is one. */
  namespace: string | null = null;
  isSealed = false;
  /** What the token may do. */
  allowed: ReadonlySet<string> = new Set(['keys', 'sign']);
  /** Replaces each signature on its way out. */
  tamper: (signature: Buffer) => Buffer = (signature) => signature;
  readonly #keys = new Map<string, HeldKey>();
  #http: LoopbackServer | null = null;

  static async start(tls: { cert: string; key: string } | null = null): Promise<VaultServer> {
    const server = new VaultServer();
    server.#http = await LoopbackServer.start((request) => server.#answer(request), tls);
    return server;
  }

  get http(): LoopbackServer {
    if (this.#http === null) throw new Error('the server was not started');
    return this.#http;
  }

  /** As `type` decides what Vault makes, so does `alg` here. */
  createKey(name: string, alg: TestKeyAlgorithm): void {
    const settings = {
      allow_plaintext_backup: false,
      deletion_allowed: false,
      derived: false,
      exportable: false,
      min_decryption_version: 1,
      min_encryption_version: 0,
    };
    this.#keys.set(name, { versions: [new CloudTestKey(alg)], type: types[alg], settings });
  }

  rotateKey(name: string): void {
    const { versions } = this.#find(name);
    const [first] = versions;
    if (first !== undefined) versions.push(new CloudTestKey(first.alg));
  }

  configureKey(name: string, settings: Record<string, boolean | number>): void {
    Object.assign(this.#find(name).settings, settings);
  }

  setType(name: string, type: string): void {
    this.#find(name).type = type;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.[Symbol.asyncDispose]();
  }

  #find(name: string): HeldKey {
    const held = this.#keys.get(name);
    if (held === undefined) throw new Error(`there is no key ${name}`);
    return held;
  }

  #answer({ method, path, headers, body }: HeardRequest): GivenAnswer {
    if (this.isSealed) return failed(503, 'Vault is sealed');
    const isKnown = headers['x-vault-token'] === this.token;
    if (!isKnown || (headers['x-vault-namespace'] ?? null) !== this.namespace)
      return failed(403, 'permission denied');
    const [, operation = '', name = ''] =
      new RegExp(`^/v1/${this.mount}/(keys|sign)/([^/?]+)$`).exec(path) ?? [];
    if (operation === '')
      return failed(404, `no handler for route "${path.slice(4)}". route entry not found.`);
    if (!this.allowed.has(operation)) return failed(403, '1 error occurred:\n\t* permission denied\n\n');
    const held = this.#keys.get(decodeURIComponent(name));
    if (operation === 'keys' && method === 'GET')
      return held === undefined ? failed(404) : showKey(name, held);
    if (operation !== 'sign' || method !== 'POST') return failed(405, 'unsupported operation');
    if (held === undefined) return failed(400, 'encryption key not found');
    return this.#sign(held, JSON.parse(body.toString('utf8')) as SignRequest);
  }

  #sign({ versions, settings }: HeldKey, given: SignRequest): GivenAnswer {
    const version = (given.key_version ?? 0) || versions.length;
    const key = versions[version - 1];
    const problem = versionProblem(version, key, Number(settings['min_encryption_version']));
    // Vault takes these for faults of its own.
    if (key === undefined || problem !== null)
      return failed(500, `1 error occurred:\n\t* requested version for signing is ${problem}\n\n`);
    const input = Buffer.from(given.input ?? '', 'base64');
    const jws = given.marshaling_algorithm === 'jws';
    const signature =
      key.alg === 'ed25519' ? key.sign(input) : signEcdsa(key, input, given.prehashed === true, jws);
    const encoded = this.tamper(signature).toString(jws ? 'base64url' : 'base64');
    return answered({ key_version: version, signature: `vault:v${version}:${encoded}` });
  }
}

function versionProblem(version: number, key: CloudTestKey | undefined, versionMin: number): string | null {
  if (key === undefined) return 'higher than the latest key version';
  return version < versionMin ? 'less than the minimum encryption key version' : null;
}

function signEcdsa(key: CloudTestKey, input: Buffer, isHash: boolean, jws: boolean): Buffer {
  if (isHash) return key.signDigest(input, jws ? 'compact' : 'der');
  return key.sign(input);
}

function showKey(name: string, { versions, type, settings }: HeldKey): GivenAnswer {
  const shown = versions.map((key, at) => [
    String(at + 1),
    {
      creation_time: '2026-01-01T00:00:00Z',
      name: key.alg === 'ed25519' ? 'ed25519' : 'P-256',
      public_key: key.alg === 'ed25519' ? key.raw.toString('base64') : key.pem,
    },
  ]);
  const keys = Object.fromEntries(shown) as object;
  return answered({ name, type, ...settings, keys, latest_version: versions.length, supports_signing: true });
}

function answered(data: object): GivenAnswer {
  const body = {
    request_id: 'b0b0',
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data,
    warnings: null,
  };
  return { status: 200, body: JSON.stringify(body) };
}
