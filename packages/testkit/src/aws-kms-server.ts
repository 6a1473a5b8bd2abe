/**
 * What AWS KMS does with GetPublicKey and Sign, over HTTP on this machine with real keys: its JSON protocol, its limits
 * and its errors as documented. It stands in for the service in tests, and is no proof that the service does the same.
 */
import { type AwsCredentials, awsSignatureProblem } from './aws-signature.ts';
import { CloudTestKey, type TestKeyAlgorithm } from './cloud-test-key.ts';
import { type GivenAnswer, type HeardRequest, LoopbackServer } from './loopback-server.ts';

interface HeldKey {
  key: CloudTestKey;
  state: 'Enabled' | 'Disabled' | 'PendingDeletion';
  usage: 'SIGN_VERIFY' | 'KEY_AGREEMENT';
}

const specs = { ed25519: 'ECC_NIST_EDWARDS25519', 'ecdsa-p256-sha256': 'ECC_NIST_P256' } as const;
const signingAlgorithms = {
  ed25519: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
  'ecdsa-p256-sha256': ['ECDSA_SHA_256'],
} as const;
const messageMax = 4096;

class Refusal extends Error {
  override readonly name: string;

  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

export class AwsKmsServer implements AsyncDisposable {
  readonly region = 'eu-central-1';
  readonly credentials: AwsCredentials = {
    accessKeyId: 'AKIDTALLYSTICK',
    secretAccessKey: 'a secret of tests',
  };
  /** Operations that credentials may do. */
  allowed: ReadonlySet<string> = new Set(['GetPublicKey', 'Sign']);
  /** Replaces each signature on its way out. */
  tamper: (signature: Buffer) => Buffer = (signature) => signature;
  readonly #keys = new Map<string, HeldKey>();
  readonly #aliases = new Map<string, string>();
  #http: LoopbackServer | null = null;

  static async start(): Promise<AwsKmsServer> {
    const server = new AwsKmsServer();
    server.#http = await LoopbackServer.start((request) => server.#answer(request));
    return server;
  }

  get http(): LoopbackServer {
    if (this.#http === null) throw new Error('the server was not started');
    return this.#http;
  }

  /** Returns the ARN. */
  createKey(alg: TestKeyAlgorithm): string {
    const id = `00000000-0000-4000-8000-${String(this.#keys.size).padStart(12, '0')}`;
    const arn = `arn:aws:kms:${this.region}:111122223333:key/${id}`;
    this.#keys.set(arn, { key: new CloudTestKey(alg), state: 'Enabled', usage: 'SIGN_VERIFY' });
    return arn;
  }

  /** `alias/…` leads to another key from now on. */
  setAlias(alias: string, arn: string): void {
    this.#aliases.set(alias, arn);
  }

  change(arn: string, changes: Partial<HeldKey>): void {
    Object.assign(this.#find(arn), changes);
  }

  /** Variables by which the SDK finds its credentials. */
  get environment(): Record<string, string> {
    const { accessKeyId, secretAccessKey } = this.credentials;
    return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http?.[Symbol.asyncDispose]();
  }

  #answer(request: HeardRequest): GivenAnswer {
    try {
      return { status: 200, body: JSON.stringify(this.#carryOut(request)) };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: 400, body: JSON.stringify({ __type: error.name, message: error.message }) };
    }
  }

  #carryOut(request: HeardRequest): object {
    const { method, path, headers, body } = request;
    const target = String(headers['x-amz-target']);
    const operation = target.replace(/^TrentService\./, '');
    if (method !== 'POST' || path !== '/' || headers['content-type'] !== 'application/x-amz-json-1.1')
      throw new Refusal('UnknownOperationException', 'not the JSON protocol');
    const problem = awsSignatureProblem(request, this.credentials, { region: this.region, service: 'kms' });
    if (problem !== null)
      throw new Refusal(problem, 'The security token included in the request is invalid.');
    if (!this.allowed.has(operation))
      throw new Refusal('AccessDeniedException', `User is not authorized to perform: kms:${operation}`);
    const input = JSON.parse(body.toString('utf8')) as Record<string, string>;
    const arn = this.#resolve(String(input['KeyId']));
    const held = this.#find(arn);
    if (held.state === 'Disabled') throw new Refusal('DisabledException', `${arn} is disabled.`);
    if (held.state === 'PendingDeletion')
      throw new Refusal('KMSInvalidStateException', `${arn} is pending deletion.`);
    if (operation === 'GetPublicKey') return this.#showKey(arn, held);
    return { KeyId: arn, ...this.#sign(held, input) };
  }

  #resolve(id: string): string {
    return this.#aliases.get(id) ?? [...this.#keys.keys()].find((arn) => arn.endsWith(`/${id}`)) ?? id;
  }

  #find(arn: string): HeldKey {
    const held = this.#keys.get(arn);
    if (held === undefined) throw new Refusal('NotFoundException', `Key '${arn}' does not exist`);
    return held;
  }

  #showKey(arn: string, { key, usage }: HeldKey): object {
    return {
      KeyId: arn,
      KeySpec: specs[key.alg],
      KeyUsage: usage,
      PublicKey: key.spki.toString('base64'),
      SigningAlgorithms: signingAlgorithms[key.alg],
    };
  }

  #sign({ key }: HeldKey, input: Record<string, string>): object {
    const { SigningAlgorithm = '', MessageType = 'RAW' } = input;
    const message = Buffer.from(input['Message'] ?? '', 'base64');
    if (!(signingAlgorithms[key.alg] as readonly string[]).includes(SigningAlgorithm))
      throw new Refusal('InvalidKeyUsageException', `${SigningAlgorithm} is not for ${specs[key.alg]}`);
    if (message.length < 1 || message.length > messageMax)
      throw new Refusal('ValidationException', `Message of ${message.length} bytes`);
    if (
      MessageType === 'DIGEST'
        ? SigningAlgorithm !== 'ECDSA_SHA_256'
        : SigningAlgorithm === 'ED25519_PH_SHA_512'
    )
      throw new Refusal('ValidationException', `${SigningAlgorithm} of ${MessageType}`);
    if (MessageType === 'DIGEST' && message.length !== 32)
      throw new Refusal('ValidationException', 'Digest is invalid length for algorithm ECDSA_SHA_256.');
    const signature = MessageType === 'DIGEST' ? key.signDigest(message, 'der') : key.sign(message);
    return { Signature: this.tamper(signature).toString('base64'), SigningAlgorithm };
  }
}
