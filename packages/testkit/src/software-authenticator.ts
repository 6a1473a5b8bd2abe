/** A WebAuthn authenticator in software, which does as it is told: also what no honest one would do. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** What a ceremony may be told to do otherwise. */
export interface CeremonyOptions {
  /** The origin that the browser would write down. */
  origin: string;
  rpId: string;
  challenge: string;
  /** True where left out. */
  userVerified?: boolean;
  /** The next one where left out. */
  counter?: number;
  /** Of an assertion: left out where null. */
  userHandle?: string | null;
  type?: string;
}

const flags = { userPresent: 1, userVerified: 4, attestedData: 64 };

type Cbor = number | string | Buffer | ReadonlyMap<number | string, Cbor>;

export class SoftwareAuthenticator {
  readonly id: Buffer = randomBytes(16);
  readonly #privateKey: KeyObject;
  readonly #cosePublicKey: Buffer;
  readonly #isEd25519: boolean;
  #counter = 0;

  constructor(algorithm: 'es256' | 'ed25519' = 'es256') {
    this.#isEd25519 = algorithm === 'ed25519';
    const pair = this.#isEd25519
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#privateKey = pair.privateKey;
    const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' });
    const [pointX, pointY] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
    const key: [number, Cbor][] = this.#isEd25519
      ? [[1, 1], [3, -8], [-1, 6], [-2, pointX]] // biome-ignore format: one member each
      : [[1, 2], [3, -7], [-1, 1], [-2, pointX], [-3, pointY]]; // biome-ignore format: one member each
    this.#cosePublicKey = encodeCbor(new Map(key));
  }

  /** The credential id as it stands in answers. */
  get credentialId(): string {
    return this.id.toString('base64url');
  }

  /** What `navigator.credentials.create` gives, as JSON. */
  register(options: CeremonyOptions): object {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(this.id.length);
    const attested = Buffer.concat([Buffer.alloc(16), length, this.id, this.#cosePublicKey]);
    const authData = Buffer.concat([this.#authData(options, flags.attestedData), attested]);
    const attestation = new Map<string, Cbor>([
      ['fmt', 'none'],
      ['attStmt', new Map()],
      ['authData', authData],
    ]);
    return this.#answer({
      clientDataJSON: clientData('webauthn.create', options).toString('base64url'),
      attestationObject: encodeCbor(attestation).toString('base64url'),
      transports: ['internal'],
    });
  }

  /** What `navigator.credentials.get` gives, as JSON. */
  assert(options: CeremonyOptions): object {
    const authenticatorData = this.#authData(options, 0);
    const client = clientData('webauthn.get', options);
    const signed = Buffer.concat([authenticatorData, createHash('sha256').update(client).digest()]);
    const signature = sign(this.#isEd25519 ? null : 'sha256', signed, this.#privateKey);
    const { userHandle = null } = options;
    return this.#answer({
      clientDataJSON: client.toString('base64url'),
      authenticatorData: authenticatorData.toString('base64url'),
      signature: signature.toString('base64url'),
      ...(userHandle === null ? {} : { userHandle: Buffer.from(userHandle).toString('base64url') }),
    });
  }

  #authData({ rpId, userVerified = true, counter }: CeremonyOptions, more: number): Buffer {
    this.#counter = counter ?? this.#counter + 1;
    const head = Buffer.alloc(5);
    head[0] = flags.userPresent | (userVerified ? flags.userVerified : 0) | more;
    head.writeUInt32BE(this.#counter, 1);
    return Buffer.concat([createHash('sha256').update(rpId).digest(), head]);
  }

  #answer(response: object): object {
    const id = this.credentialId;
    const clientExtensionResults = {};
    return { id, rawId: id, type: 'public-key', response, clientExtensionResults };
  }
}

function clientData(usual: string, { type = usual, challenge, origin }: CeremonyOptions): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));
}

/** As much of CBOR (RFC 8949) as an authenticator needs. */
function encodeCbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
  if (typeof value === 'string')
    return Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([cborHead(2, value.length), value]);
  const parts = [...value].flatMap(([key, each]) => [encodeCbor(key), encodeCbor(each)]);
  return Buffer.concat([cborHead(5, value.size), ...parts]);
}

function cborHead(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  if (value < 256) return Buffer.from([(major << 5) | 24, value]);
  return Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
}
