/**
 * Makes the data folder of a second server for a log in a database: the same keys and secrets, and a signer that has signed
 * nothing of the log and goes on from what is signed when its server takes over.
 */
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { accessOrigin } from '@tallystick/access';
import {
  type Checkpoint,
  isPublicSubject,
  LogTree,
  parseSignedCheckpoint,
  parseTrustRootFile,
  parseVerifierKey,
  type TrustRoot,
  utf8,
  verifyLogSignatures,
  verifyTrustChain,
} from '@tallystick/core';
import type { Store } from '@tallystick/ledger';
import { isPostgresUrl } from '@tallystick/ledger/postgres-url';
import { createMark, Journal, type LoggedDocument, Mark } from '@tallystick/signer';
import { writeWhole } from '../write-whole.ts';
import { type AccessLogDescription, describeAccessLog, makeAccessMark } from './access-log.ts';
import { cosignerAddresses, unknownCosigner } from './cosigner-addresses.ts';
import type { ClientDescription, SystemDescription, SystemPorts } from './create-system.ts';
import { type Layout, layoutOf } from './layout.ts';
import { readStore, type StorePlace } from './store-place.ts';
import { readSystemFile } from './system-file.ts';
import { writeSecret } from './system-keys.ts';

export interface CreateStandbyOptions {
  /** Data folder of a system whose log is in a database. */
  from: string;
  /** Where to make the new one. */
  directory: string;
  /** Where callers find the new server, and the one that is there. */
  address: { there: string; here: string };
  /** Where cosigners find whichever server writes; the existing one alone where left out. */
  logUrl?: string;
  /** Addresses by name of cosigners that the new server does not find where the existing one or the trust root says. */
  cosigners: Record<string, string>;
  ports: SystemPorts;
  /** Milliseconds. */
  now: number;
}

/** What a second server would be made of. */
export interface StandbyPlan {
  here: Layout;
  final: Layout;
  system: SystemDescription;
  place: StorePlace;
  /** Addresses by name of all cosigners, as the new server reaches them. */
  cosignerUrls: Record<string, string>;
  /** Names of cosigners that the new server would not find: it would not start. */
  unreachable: string[];
}

/** Entries of a log's beginning, among which its namespace and brake are. */
const beginning = 16;

/** Changes nothing. Throws Error with a sentence for the operator where no second server can be made. */
export async function planStandby(
  options: Pick<CreateStandbyOptions, 'from' | 'directory' | 'address' | 'cosigners'>,
): Promise<StandbyPlan> {
  const { address, cosigners: given } = options;
  const here = layoutOf(options.from);
  const final = layoutOf(options.directory);
  if (existsSync(final.root) && readdirSync(final.root).length > 0)
    throw new Error(`${final.root} is not empty: choose another folder`);
  if (address.there === address.here)
    throw new Error(`both servers would be at ${address.here}: give each an address of its own`);
  const system = readSystemFile(here);
  const { store: place } = system;
  if (place === undefined || !isPostgresUrl(place.store)) {
    throw new Error(
      'the log of this system is in a file, which one server alone can write: move it with tally migrate first',
    );
  }
  const members = await cosignerAddresses(here);
  const names = members.map(({ name }) => name);
  const stranger = Object.keys(given).find((name) => !names.includes(name));
  if (stranger !== undefined) throw new Error(unknownCosigner(stranger, names));
  const cosignerUrls = { ...system.cosignerUrls, ...given };
  const unreachable = members
    .filter(({ name, source }) => !Object.hasOwn(cosignerUrls, name) && source !== 'trust root')
    .map(({ name }) => name);
  return { here, final, system, place, cosignerUrls, unreachable };
}

/**
 * Changes the existing system, too: from its next start it shares its log. Returns the layout of the new one. Throws as
 * `planStandby`, and StoreUnavailable; nothing is changed then.
 */
export async function createStandby(options: CreateStandbyOptions): Promise<Layout> {
  const plan = await planStandby(options);
  const { here, final, system } = plan;
  const layout = layoutOf(`${final.root}.partial`);
  rmSync(layout.root, { recursive: true, force: true });
  try {
    await fillFolder(layout, plan, options);
  } catch (error) {
    rmSync(layout.root, { recursive: true, force: true });
    throw error;
  }
  // First, so that there is never a second server beside one that does not share its log.
  const { logUrl } = options;
  const shared = { ...system.shared, address: options.address.here, ...(logUrl !== undefined && { logUrl }) };
  writeWhole(here.system, `${JSON.stringify({ ...system, shared }, null, 2)}\n`);
  mkdirSync(dirname(final.root), { recursive: true });
  if (existsSync(final.root)) rmSync(final.root, { recursive: true });
  renameSync(layout.root, final.root);
  return final;
}

async function fillFolder(
  layout: Layout,
  { here, final, system, place, cosignerUrls }: StandbyPlan,
  { address, ports, now }: CreateStandbyOptions,
): Promise<void> {
  await using store = await readStore(place);
  for (const folder of ['keys', 'secrets', 'ledger', 'signer', 'run'])
    mkdirSync(`${layout.root}/${folder}`, { recursive: true, mode: 0o700 });
  copyKeys(here, layout);
  await beginSigner(layout, system, store, now);
  const access = ownAccessLog(layout, system);
  const described: SystemDescription = {
    ...system,
    ...(access !== null && { access }),
    ports,
    shared: { address: address.there },
    cosigners: [],
    cosignerUrls,
  };
  writeWhole(layout.system, `${JSON.stringify(described, null, 2)}\n`);
  const client = JSON.parse(readFileSync(here.client, 'utf8')) as ClientDescription;
  const told = { ...client, adminUrl: address.there, trustRootFile: final.trustRoot };
  writeSecret(layout.client, `${JSON.stringify(told, null, 2)}\n`);
}

/** Each server writes down what it is asked itself, under a name of its own. The key is the same. */
function ownAccessLog(layout: Layout, { origin, access }: SystemDescription): AccessLogDescription | null {
  // Where there is none yet, the first start begins one.
  if (access === undefined) return null;
  const name = accessOrigin(origin, randomBytes(4).toString('hex'));
  makeAccessMark(layout, name);
  return describeAccessLog(name, parseVerifierKey(access.vkey));
}

/** What a server and its signer need; the offline keys stay where they are. */
function copyKeys(from: Layout, to: Layout): void {
  const files: [string, string][] = [
    [from.trustRoot, to.trustRoot],
    [from.keys.online, to.keys.online],
    [from.keys.token, to.keys.token],
    [from.keys.cloud, to.keys.cloud],
    [from.secrets.onlinePassphrase, to.secrets.onlinePassphrase],
    [from.secrets.mirrorToken, to.secrets.mirrorToken],
    [from.secrets.licenseKeySecret, to.secrets.licenseKeySecret],
    [from.ledger.publicKeys, to.ledger.publicKeys],
  ];
  for (const [source, target] of files) if (existsSync(source)) copyFileSync(source, target);
}

/** Its mark stands at what is published: a signer that knows nothing of a log would sign another beginning of it. */
async function beginSigner(
  layout: Layout,
  { origin }: SystemDescription,
  store: Store,
  now: number,
): Promise<void> {
  const chain = await verifyTrustChain(parseTrustRootFile(readFileSync(layout.trustRoot, 'utf8')));
  const [first] = chain;
  if (first === undefined) throw new Error(`${layout.trustRoot} holds no trust root`);
  const published = await publishedCheckpoint(store, chain.at(-1) ?? first);
  const entries = await store.entries(0, beginning);
  const governing = entries.filter(({ content, rev }) => isPublicSubject(content?.id ?? '') && rev === 0);
  const documents = governing.map(({ entry, content }): LoggedDocument => {
    return { entry, document: content?.document ?? new Uint8Array(0) };
  });
  const last = governing.at(-1)?.index;
  await createMark(layout.signer.mark, first, documents);
  using mark = Mark.open(layout.signer.mark, origin);
  // What was signed when the log was made is in no journal.
  const tree = new LogTree();
  for (const { leaf } of entries.slice(0, (last ?? 0) + 1)) tree.append(leaf);
  const begin = { origin, size: tree.size, root: tree.root() };
  Journal.create(layout.signer.journal, begin, mark, () => now);
  mark.advance({ origin, size: published.size, root: published.root }, mark.journal);
}

/** Throws where nothing is published, or the log did not sign it. */
async function publishedCheckpoint(store: Store, trust: TrustRoot): Promise<Checkpoint> {
  const saved = await store.checkpoint();
  if (saved === undefined)
    throw new Error('nothing of this log is published yet: start the system once, and try again');
  const checkpoint = parseSignedCheckpoint(utf8(saved.note));
  await verifyLogSignatures(checkpoint, trust.log.vkeys);
  return checkpoint;
}
