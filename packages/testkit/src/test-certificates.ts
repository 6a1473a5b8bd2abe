/** Certificates for tests of TLS, made on the spot: an authority, and leaves under it. X.509 as RFC 5280 has it, P-256. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM. */
export interface TestCertificate {
  cert: string;
  key: string;
}

export interface LeafOptions {
  name?: string;
  /** Names and addresses of a server. */
  hosts?: readonly string[];
  /** Such as SPIFFE ids. */
  uris?: readonly string[];
  /** Milliseconds. */
  notBefore?: number;
  notAfter?: number;
  isAuthority?: boolean;
}

const dayMs = 86_400_000;

export class TestAuthority {
  readonly name: string;
  readonly #key: KeyObject;
  /** PEM. */
  readonly cert: string;

  constructor(name = 'Tallystick test authority') {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.name = name;
    this.#key = privateKey;
    this.cert = this.#issue(publicKey, { name, isAuthority: true });
  }

  issue(options: LeafOptions = {}): TestCertificate {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return {
      cert: this.#issue(publicKey, options),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  }

  /** Another certificate for a key that has one already. */
  reissue({ key }: TestCertificate, options: LeafOptions = {}): TestCertificate {
    return { cert: this.#issue(createPublicKey(key), options), key };
  }

  #issue(publicKey: KeyObject, options: LeafOptions): string {
    const { name = 'leaf', notBefore = Date.now() - dayMs, notAfter = Date.now() + 30 * dayMs } = options;
    const algorithm = sequence(oid('2a8648ce3d040302'));
    const content = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(Buffer.concat([Buffer.from([0x40]), randomBytes(15)])),
      algorithm,
      distinguishedName(this.name),
      sequence(time(notBefore), time(notAfter)),
      distinguishedName(name),
      publicKey.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensionsOf(options))),
    );
    const signature = sign('sha256', content, this.#key);
    const der = sequence(content, algorithm, tagged(0x03, Buffer.from([0]), signature));
    return `-----BEGIN CERTIFICATE-----\n${der
      .toString('base64')
      .replace(/(.{64})/g, '$1\n')
      .trimEnd()}\n-----END CERTIFICATE-----\n`;
  }
}

function extensionsOf({ hosts = [], uris = [], isAuthority = false }: LeafOptions): Buffer[] {
  const names = [
    ...hosts.map((host) =>
      isIP(host) === 0 ? tagged(0x82, Buffer.from(host)) : tagged(0x87, ipBytes(host)),
    ),
    ...uris.map((uri) => tagged(0x86, Buffer.from(uri))),
  ];
  const constraints = sequence(...(isAuthority ? [tagged(0x01, Buffer.from([0xff]))] : []));
  // Bits of keyUsage: digitalSignature; keyCertSign and cRLSign.
  const usage = isAuthority ? Buffer.from([1, 0x06]) : Buffer.from([7, 0x80]);
  return [
    extension('551d13', constraints),
    extension('551d0f', tagged(0x03, usage)),
    ...(names.length === 0 ? [] : [extension('551d11', sequence(...names))]),
  ];
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), tagged(0x01, Buffer.from([0xff])), tagged(0x04, value));
}

function distinguishedName(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid('550403'), tagged(0x0c, Buffer.from(name)))));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  // RFC 5280, 4.1.2.5: years before 2050 have two digits.
  return Number(text.slice(0, 4)) < 2050
    ? tagged(0x17, Buffer.from(text.slice(2)))
    : tagged(0x18, Buffer.from(text));
}

/** IPv4, and the loopback of IPv6. */
function ipBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  if (address !== '::1') throw new Error(`${address} is no address that a test needs`);
  return Buffer.from([...Array<number>(15).fill(0), 1]);
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}
