/** People with keys in memory, and the proposals that they make and sign: a ceremony without files. */
import {
  type CosignerMember,
  encodeEnvelope,
  encodeTrustRootPayload,
  keyIdOf,
  makeVerifierKey,
  noteSignatureType,
  payloadTypes,
  preAuthEncoding,
  type TrustRoot,
  type TrustRootContent,
  type VerifierKey,
} from '@tallystick/core';
import {
  generateKeySpec,
  type KeySpec,
  noLimits,
  type SigningAlgorithm,
  SigningKey,
} from '@tallystick/signer';
import { type Chain, formatChain, newestOf, parseChain } from '../../src/ceremony/chain-file.ts';
import { parseChanges } from '../../src/ceremony/changes.ts';
import { collect, type SignatureFile } from '../../src/ceremony/collect.ts';
import { formatKeyLine, type KeyRole } from '../../src/ceremony/key-line.ts';
import { checkProposal, type Proposal, payloadHash } from '../../src/ceremony/proposal.ts';
import { nextPayload } from '../../src/ceremony/propose.ts';
import { messageOfProposal } from '../../src/ceremony/signature-file.ts';

export const now: number = Date.parse('2027-01-01T00:00:00.000Z');
const origin = 'tally.example/log';

export class Person {
  readonly name: string;
  readonly spec: KeySpec;
  readonly key: SigningKey;
  readonly id: string;
  private readonly role: KeyRole;

  constructor(name: string, role: KeyRole = 'root', alg: SigningAlgorithm = 'ed25519') {
    this.name = name;
    this.role = role;
    this.spec = generateKeySpec([role], role === 'authority' ? 'acme' : null, noLimits, alg);
    this.key = new SigningKey(this.spec);
    this.id = keyIdOf(this.key.publicKey);
  }

  get line(): string {
    return formatKeyLine({ role: this.role, holder: this.name, key: this.key.publicKey });
  }

  /** The file that `tally root sign` would write. */
  sign(proposal: Proposal, version: number): SignatureFile {
    const sig = new Uint8Array(this.key.sign(messageOfProposal(proposal)));
    const { rehearsal } = proposal;
    const signature = {
      rehearsal,
      version,
      payloadHash: payloadHash(proposal),
      key: this.key.publicKey,
      sig,
    };
    return { path: `${this.name}.signature.json`, signature };
  }
}

export function people(...names: string[]): Person[] {
  return names.map((name) => new Person(name));
}

const authority = new Person('authority', 'authority');
const publicKeyOf = (name: string): Uint8Array => new Person(name).key.publicKey.key;
const cosigner = (name: string): CosignerMember => ({
  name,
  vkeys: [makeVerifierKey(name, noteSignatureType.ed25519Cosignature, publicKeyOf(name))],
  url: null,
});

export function logKey(name: string): VerifierKey {
  return makeVerifierKey(name, noteSignatureType.ed25519, publicKeyOf('log'));
}

export const firstContent: Omit<TrustRootContent, 'root'> = {
  version: 1,
  genesis: null,
  prev: null,
  expires: '2028-01-01T00:00:00.000Z',
  log: { origin, vkeys: [logKey(origin)] },
  quorum: {
    witnesses: { threshold: 2, members: [cosigner('w0'), cosigner('w1'), cosigner('w2')] },
    replayers: { threshold: 1, members: [cosigner('r0')] },
  },
  freshness: { offlineMax: 'P90D' },
  namespaces: new Map([
    [
      'acme',
      {
        authority: { threshold: 1, keys: [authority.key.publicKey] },
        require: new Map([['license', [{ from: 0, algs: ['ed25519'] }]]]),
      },
    ],
  ]),
};

/** An envelope over a payload, signed as a real trust root. */
export function signedEnvelope(payload: Uint8Array, signers: readonly Person[]): Uint8Array {
  const payloadType = payloadTypes.trustRoot;
  const message = preAuthEncoding(payloadType, payload);
  const signatures = signers.map(({ id, key }) => ({ keyid: id, sig: new Uint8Array(key.sign(message)) }));
  return encodeEnvelope({ payload, payloadType, signatures });
}

/** A verified chain of version 1 alone, signed by everybody. */
export async function firstChain(roots: readonly Person[], threshold: number): Promise<Chain> {
  const root = { threshold, keys: roots.map(({ key }) => key.publicKey) };
  const envelope = signedEnvelope(encodeTrustRootPayload({ ...firstContent, root }), roots);
  return parseChain(formatChain(false, [envelope]), 'trust-root.json');
}

export interface Change {
  add?: readonly Person[];
  remove?: readonly Person[];
  threshold?: number;
  expires?: string;
  /** Further lines of YAML. */
  more?: string;
}

/** The file of changes, as somebody would write it. */
export function changesText(version: number, change: Change): string {
  const list = (name: string, items: readonly string[]): string =>
    items.length === 0 ? '' : `  ${name}:\n${items.map((item) => `    - ${item}\n`).join('')}`;
  const root = [
    change.threshold === undefined ? '' : `  threshold: ${change.threshold}\n`,
    list(
      'add',
      (change.add ?? []).map(({ line }) => line),
    ),
    list(
      'remove',
      (change.remove ?? []).map(({ id }) => id),
    ),
  ].join('');
  return [
    `version: ${version}\n`,
    change.expires === undefined ? '' : `expires: ${change.expires}\n`,
    root === '' ? '' : `root:\n${root}`,
    change.more ?? '',
  ].join('');
}

export interface Proposed {
  proposal: Proposal;
  current: TrustRoot;
  next: TrustRoot;
}

export function proposed(chain: Chain, change: Change, rehearsal = false): Proposed {
  const current = newestOf(chain);
  const changes = parseChanges(changesText(current.version + 1, change), 'changes.yaml');
  const proposal = { rehearsal, payload: nextPayload(current, changes, rehearsal) };
  return { proposal, current, next: checkProposal(current, proposal, now) };
}

/** The chain after `signers` have signed; throws where they are too few. */
export async function extended(chain: Chain, change: Change, signers: readonly Person[]): Promise<Chain> {
  const { proposal, current, next } = proposed(chain, change);
  const files = signers.map((person) => person.sign(proposal, next.version));
  const { envelope } = await collect(current, next, proposal, files);
  return parseChain(formatChain(false, [...chain.envelopes, envelope]), 'trust-root.json');
}
