/**
 * Makes an embedded system: keys, trust root, first entries and cosigners, in one folder.
 *
 * Everything is made in a folder beside the final one, which is renamed into place at the end: an interrupted
 * `init` leaves nothing that looks like a system.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { accessOrigin } from '@tallystick/access';
import {
  base64,
  type CosignerGroup,
  formatTrustRootFile,
  formatVerifierKey,
  LogTree,
  type NamespaceDocument,
  parseTrustRoot,
  type QuorumContent,
  type TrustRoot,
} from '@tallystick/core';
import type { Store } from '@tallystick/ledger';
import { createMark, Journal, Mark } from '@tallystick/signer';
import { createKeys, initState } from '@tallystick/witness';
import type { EdgeConfig } from '../edge-config.ts';
import { hashToken } from '../http/tokens.ts';
import { type AccessLogDescription, describeAccessLog, makeAccessMark } from './access-log.ts';
import { bootstrapIdentity, createIdentity, type Identity, type SystemAlgorithms } from './identity.ts';
import { type Layout, layoutOf } from './layout.ts';
import { dropStore, makeStore, resolvedPlace, type StorePlace } from './store-place.ts';
import {
  type CloudLogKey,
  makeSystemKeys,
  type SystemKeys,
  type TokenOptions,
  writeSecret,
} from './system-keys.ts';

export interface CreateSystemOptions {
  directory: string;
  ns: string;
  /** The vendor's name, for people. */
  name: string;
  mode: 'live' | 'test';
  support: NamespaceDocument['support'];
  /** Name of the log: a schema-less URL. */
  origin: string;
  ports: SystemPorts;
  offlineMax: string;
  /** What root, log and cosigners sign with; Ed25519 and ML-DSA-44 where left out. */
  algorithms?: SystemAlgorithms;
  /** What perpetual licenses are signed with; Ed25519 alone where left out. */
  perpetual?: SystemAlgorithms;
  /** A token that log, root and authority keys are made in; left out for sealed files. */
  token?: TokenOptions;
  /** A log key in a service, in place of a token. */
  cloud?: CloudLogKey;
  /** A database for the log, in place of a file in the folder. */
  store?: StorePlace;
  /** Who cosigns, in place of two witnesses and a replayer inside. */
  quorum?: GivenQuorum;
  /** Milliseconds. */
  now: number;
}

/** Cosigners that run elsewhere. */
export interface GivenQuorum {
  witnesses: CosignerGroup;
  /** null makes one inside. */
  replayers: CosignerGroup | null;
}

/** 0 takes a free port at each start. */
export interface SystemPorts {
  public: number;
  admin: number;
  ops: number;
}

/** What the supervisor needs to know of a system; stands in `system.json`. */
export interface SystemDescription {
  v: 1;
  ns: string;
  origin: string;
  /** base64 */
  genesis: string;
  logVkeys: string[];
  /** The log of requests; left out in systems of before. */
  access?: AccessLogDescription;
  adminTokenHash: string;
  mirrorTokenHash: string;
  ports: SystemPorts;
  /** Where the log key is in a token: the file with its PIN. */
  tokenPinFile?: string;
  /** Where it is in a service: the file with the token of Vault, null where it is AWS. */
  cloudLogKey?: { vaultTokenFile: string | null };
  /** Content keys of mirrors by principal, as in the server's configuration. */
  contentKeys?: Record<string, string>;
  /** Where the log is in a database. */
  store?: StorePlace;
  /** Other servers write the log, too: where callers find this one, and where cosigners find whichever is there. */
  shared?: { address: string; logUrl?: string };
  /** Networks, proxies and trust domains; left out where nobody said anything of them. */
  edge?: EdgeConfig;
  /** Addresses by name of cosigners that run elsewhere. */
  cosignerUrls?: Record<string, string>;
  cosigners: { name: string; folder: string; kind: 'witness' | 'replayer' }[];
}

/** What the command line needs to reach a system; stands in `client.json`. */
export interface ClientDescription {
  adminUrl: string;
  publicUrl: string;
  token: string;
  trustRootFile: string;
  namespace: string;
}

type NamedCosigner = SystemDescription['cosigners'][number];

const embedded = [
  { folder: 'witness-1', kind: 'witness' },
  { folder: 'witness-2', kind: 'witness' },
  { folder: 'replayer-1', kind: 'replayer' },
] as const;

/** The cosigners that a new system runs inside. */
export function ownCosigners(origin: string, quorum?: GivenQuorum): NamedCosigner[] {
  return embedded
    .filter(({ kind }) => quorum === undefined || (kind === 'replayer' && quorum.replayers === null))
    .map(({ folder, kind }) => ({ name: `${origin}/${folder}`, folder, kind }));
}

/** Years until the first trust root expires. */
const trustYears = 5;

/**
 * Makes a system; refuses a folder that has anything in it. Returns its layout. Throws KeystoreError where its keys
 * cannot be made.
 */
export async function createSystem(options: CreateSystemOptions): Promise<Layout> {
  const final = freshLayout(options.directory);
  await using keys = await makeSystemKeys(options);
  const partial = layoutOf(`${final.root}.partial`);
  try {
    await buildSystem(keys, partial, final, options);
  } catch (error) {
    // It has keys in it. Where it cannot be removed either, and as below, what went wrong first is what counts.
    await Promise.allSettled([rm(partial.root, { recursive: true, force: true })]);
    // Where the token went away, too, what went wrong first is what counts.
    await Promise.allSettled([keys.discard()]);
    throw error;
  }
  return final;
}

/** The layout of a folder that has nothing in it. Throws where it has. */
export function freshLayout(directory: string): Layout {
  const layout = layoutOf(directory);
  if (existsSync(layout.root) && readdirSync(layout.root).length > 0)
    throw new Error(`${layout.root} is not empty: choose another folder, or start the system that is there`);
  return layout;
}

async function buildSystem(
  keys: SystemKeys,
  layout: Layout,
  final: Layout,
  options: CreateSystemOptions,
): Promise<void> {
  rmSync(layout.root, { recursive: true, force: true });
  // By itself first: of several at once Node says no more than that they are not there.
  mkdirSync(dirname(layout.root), { recursive: true });
  mkdirSync(layout.root, { mode: 0o700 });
  for (const folder of [
    'keys',
    'secrets',
    'ledger',
    'signer',
    'run',
    ...ownCosigners(options.origin, options.quorum).map((each) => each.folder),
  ]) {
    mkdirSync(`${layout.root}/${folder}`, { recursive: true, mode: 0o700 });
  }
  const place = options.store ?? { store: layout.ledger.store };
  const store = await makeStore(place);
  try {
    await fillSystem(store, keys, { layout, final }, options);
  } catch (error) {
    await Promise.allSettled([dropStore(place)]);
    throw error;
  }
  if (existsSync(final.root)) rmdirSync(final.root);
  mkdirSync(dirname(final.root), { recursive: true });
  renameSync(layout.root, final.root);
}

/** Writes everything into the folder that takes the place of the final one; closes the store. */
async function fillSystem(
  made: Store,
  keys: SystemKeys,
  { layout, final }: { layout: Layout; final: Layout },
  options: CreateSystemOptions,
): Promise<void> {
  await using store = made;
  const names = ownCosigners(options.origin, options.quorum);
  const quorum = createCosignerKeys(layout, names, options);
  const identity = await createIdentity({ ...options, quorum, trustYears }, keys.keys);
  await writeLedger(store, layout, identity, options);
  const trust = parseTrustRoot(identity.trustRoot);
  const access = describeAccessLog(accessOrigin(options.origin), identity.keys.access.publicKey);
  makeAccessMark(layout, access.origin);
  initCosigners(layout, names, trust, access);
  keys.write(layout);
  writeSecret(layout.secrets.licenseKeySecret, randomBytes(32).toString('base64'));
  writeFileSync(layout.trustRoot, formatTrustRootFile([identity.trustRoot]));
  writeFileSync(`${layout.root}/README.txt`, readme(options));
  writeDescriptions(layout, final, options, { trust, access, names });
}

function createCosignerKeys(
  layout: Layout,
  names: readonly NamedCosigner[],
  { algorithms, quorum }: CreateSystemOptions,
): QuorumContent {
  const members = names.map(({ name, folder, kind }) => {
    const vkeys = createKeys(layout.cosigner(folder).key, name, algorithms).map(({ vkey }) => vkey);
    return { kind, name, vkeys, url: null };
  });
  const witnesses = members.filter(({ kind }) => kind === 'witness');
  const replayers = members.filter(({ kind }) => kind === 'replayer');
  // Both witnesses of one machine prove no more than one, so the death of one stops nothing.
  return {
    witnesses: quorum?.witnesses ?? { threshold: 1, members: witnesses },
    replayers: quorum?.replayers ?? { threshold: 1, members: replayers },
  };
}

async function writeLedger(
  store: Store,
  layout: Layout,
  identity: Identity,
  options: CreateSystemOptions,
): Promise<void> {
  const who = { kind: 'system', id: 'init' };
  const documents = await bootstrapIdentity(store, identity, { random: randomBytes, now: options.now, who });
  await createMark(layout.signer.mark, parseTrustRoot(identity.trustRoot), documents);
  await createJournal(layout, store, options);
}

/** It begins behind the entries that are signed here: everything that follows is the signer's to answer for. */
async function createJournal(layout: Layout, store: Store, options: CreateSystemOptions): Promise<void> {
  const { origin, now } = options;
  const tree = new LogTree();
  for (const { leaf } of await store.leaves(0, await store.size())) tree.append(leaf);
  using mark = Mark.open(layout.signer.mark, origin);
  const begin = { origin, size: tree.size, root: tree.root() };
  Journal.create(layout.signer.journal, begin, mark, () => now);
}

function initCosigners(
  layout: Layout,
  names: readonly NamedCosigner[],
  trust: TrustRoot,
  access: AccessLogDescription,
): void {
  for (const { kind, folder, name } of names) {
    // Nobody can replay what only this vendor reads.
    const origins = kind === 'witness' ? [trust.log.origin, access.origin] : [trust.log.origin];
    initState({ kind, name, stateFile: layout.cosigner(folder).state, origins });
  }
}

function writeDescriptions(
  layout: Layout,
  final: Layout,
  options: CreateSystemOptions,
  {
    trust,
    access,
    names,
  }: { trust: TrustRoot; access: AccessLogDescription; names: readonly NamedCosigner[] },
): void {
  const adminToken = `tally_admin_${randomBytes(24).toString('base64url')}`;
  const mirrorToken = `tally_mirror_${randomBytes(24).toString('base64url')}`;
  writeSecret(layout.secrets.mirrorToken, mirrorToken);
  const system: SystemDescription = {
    v: 1,
    ns: options.ns,
    origin: options.origin,
    genesis: base64(trust.genesis),
    logVkeys: trust.log.vkeys.map(formatVerifierKey),
    access,
    adminTokenHash: hashToken(adminToken),
    mirrorTokenHash: hashToken(mirrorToken),
    ports: options.ports,
    ...(options.token && { tokenPinFile: resolve(options.token.pinFile) }),
    ...(options.store && { store: resolvedPlace(options.store) }),
    ...(options.cloud && { cloudLogKey: { vaultTokenFile: resolvedOrNull(options.cloud.vaultTokenFile) } }),
    cosigners: [...names],
  };
  writeFileSync(layout.system, `${JSON.stringify(system, null, 2)}\n`);
  writeSecret(layout.client, `${JSON.stringify(clientDescription(final, options, adminToken), null, 2)}\n`);
}

function resolvedOrNull(path: string | undefined): string | null {
  return path === undefined ? null : resolve(path);
}

function clientDescription(layout: Layout, options: CreateSystemOptions, token: string): ClientDescription {
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  return {
    adminUrl: url(options.ports.admin),
    publicUrl: url(options.ports.public),
    token,
    trustRootFile: layout.trustRoot,
    namespace: options.ns,
  };
}

const sealedReadme = `keys/offline.sealed        root and authority keys: move this file and secrets/offline.passphrase to separate
                           media that is kept offline; the running system never opens them
keys/online.sealed         the signer's keys`;

const tokenReadme = `keys/offline-token.json    where the token has root and authority keys; the running system never opens them
keys/offline.sealed        the root key of the algorithm that the token does not have, where there is one: move this
                           file and secrets/offline.passphrase to separate media that is kept offline
keys/token.json            where the token has the log key
keys/online.sealed         the signer's other keys`;

function readme({ name, origin, token, cloud, store, quorum }: CreateSystemOptions): string {
  const own = ownCosigners(origin, quorum).length;
  const inService = cloud === undefined ? '' : '\nkeys/cloud.json            where a service has the log key';
  return `This folder is the licensing system of ${name}.

trust-root.json            what clients pin: build it into your application
${token === undefined ? sealedReadme : tokenReadme}${inService}
ledger/                    ${store === undefined ? 'the log and its projections' : 'projections of the log, which is in a database'}
access/                    the log of requests: who asked for what
${own === 0 ? '' : 'witness-*/ replayer-*/     cosigners. On one machine they prove nothing about independence\n'}client.json                holds the administrator's token

Back up keys/, secrets/ and trust-root.json once; ${store === undefined ? 'ledger/ by a copy made with "VACUUM INTO"' : 'the log as its database is backed up'}. Never restore
signer/ or a cosigner's folder from a backup: their memory is what makes a rolled-back log visible.
`;
}
