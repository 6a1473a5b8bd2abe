/** `tally namespace`: revisions of the namespace, which its authority signs where no server reaches. */
import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { NamespaceRevisionBody } from '@tallystick/contract';
import { base64, encodeEnvelope, type NamespaceDocument, utf8 } from '@tallystick/core';
import type { Command } from 'commander';
import { openKeys } from '../ceremony/passphrase.ts';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { readInput, writeFileAtomic } from '../files.ts';
import { asKeyCut, asLogIndex, asNatural } from '../flags/values.ts';
import { currentTrust, newestRevision } from '../governing/current.ts';
import { readKeyFile } from '../governing/key-file.ts';
import { asLimitChange, type LimitChange } from '../governing/limits.ts';
import {
  describeRevision,
  formatRevision,
  hashOfRevision,
  messageOfRevision,
  parseRevision,
  proposeRevision,
  type Revision,
} from '../governing/revision.ts';
import { describeResult } from '../output/results.ts';
import { Session } from '../session.ts';

/** Entries that the log may grow by until a new key is in force: it is chosen ahead, and signing takes a while. */
const marginDefault = 1000;
const hashDigitsMin = 8;

interface ProposeFlags {
  out: string;
  addKeys?: string[];
  from?: (size: number) => number;
  endKey?: { key: string; index?: number }[];
  limit?: LimitChange[];
  lock?: NamespaceDocument['lock'];
  minEpoch?: number;
  raiseEpoch?: boolean;
  signAnew?: boolean;
  reason?: string;
}

export function registerNamespace(program: Command, context: Context): void {
  const namespace = program.command('namespace').summary('propose, review, sign and log namespace revisions');
  registerPropose(namespace, context);
  registerShow(namespace, context);
  registerSign(namespace, context);
  registerSubmit(namespace, context);
}

const list =
  <T>(read: (text: string) => T) =>
  (text: string, before: T[] = []): T[] => [...before, read(text)];

function registerPropose(parent: Command, context: Context): void {
  const command = parent
    .command('propose')
    .summary('write a revision for the authority to sign')
    .description(
      'Write a revision of the namespace for its authority to review and sign. Nothing changes before it is submitted.',
    )
    .requiredOption('--out <file>', 'where to write it')
    .option(
      '--add-keys <file>',
      'keys that tally keys generate made (repeatable)',
      list((path) => path),
    )
    .option(
      '--from <index>',
      `log index from which they are valid, or +<entries> from now (default: +${marginDefault}); each change makes two entries`,
      asLogIndex,
    )
    .option(
      '--end-key <key[@index]>',
      'this key signs nothing from that log index on; without one, from where its successor in the same revision begins, else from now on (repeatable)',
      list(asKeyCut),
    )
    .option(
      '--limit <key:limit=value>',
      'what this key may sign at most: term-max, offline-max, seats-max or per-minute, or none (repeatable)',
      list(asLimitChange),
    )
    .option('--lock <level>', 'open, heightened, read-only, frozen or sealed')
    .option('--min-epoch <number>', 'licenses of an earlier epoch must be fetched anew', asNatural)
    .option('--raise-epoch', 'begin a new epoch: what the brake says of this one counts no more')
    .option(
      '--sign-anew',
      'also where nothing changes: for a new authority, see tally root publish --namespace',
    )
    .option('--reason <text>', 'why, for the log');
  command.action(async () => {
    const session = new Session(context, command);
    const revision = await propose(session, command.opts<ProposeFlags>());
    const { out } = command.opts<ProposeFlags>();
    await writeFileAtomic(out, formatRevision(revision));
    const answer = { file: out, hash: hashOfRevision(revision), changes: describeRevision(revision) };
    session.print.answer(answer, () => [
      ...describeRevision(revision),
      '',
      `Wrote ${out}. Next: the authority reviews and signs it, where its key is:`,
      `  tally namespace sign ${out} --keystore <offline.sealed> --passphrase-file <file> --hash ${answer.hash.slice(0, hashDigitsMin)}`,
    ]);
  });
}

async function propose(session: Session, flags: ProposeFlags): Promise<Revision> {
  const current = await currentTrust(session);
  const from = flags.from?.(current.size) ?? current.size + marginDefault;
  const files = await Promise.all((flags.addKeys ?? []).map((path) => readKeyFile(path, session.context)));
  return proposeRevision({
    previous: await newestRevision(session, current),
    changes: {
      add: files.flat().map((key) => ({ ...key, from })),
      end: (flags.endKey ?? []).map(({ key, index }) => ({ key, index: index ?? null })),
      limits: flags.limit ?? [],
      size: current.size,
      ...(flags.lock === undefined ? {} : { lock: flags.lock }),
      ...(flags.minEpoch === undefined ? {} : { minEpoch: flags.minEpoch }),
      raisesEpoch: flags.raiseEpoch === true,
      signsAnew: flags.signAnew === true,
    },
    why: flags.reason ?? null,
    who: userInfo().username,
    now: session.context.now(),
    salt: randomBytes(32),
  });
}

function registerShow(parent: Command, context: Context): void {
  const command = parent
    .command('show')
    .argument('<file>')
    .summary('say in words what a revision changes')
    .description(
      'Say in words what a revision changes against the one that it follows, and who has signed it.',
    );
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const revision = await readRevisionFile(session, file);
    const lines = describeRevision(revision);
    session.print.answer({ hash: hashOfRevision(revision), changes: lines }, () => lines);
  });
}

function registerSign(parent: Command, context: Context): void {
  const command = parent
    .command('sign')
    .argument('<file>')
    .summary('sign a revision with the key of the authority')
    .description(
      'Sign a revision with the key of the authority, after reviewing it: --hash takes the first digits of the hash that tally namespace show prints.',
    )
    .requiredOption(
      '--keystore <file>',
      'the sealed file, or the description of the token or service, that has the authority key',
    )
    .option(
      '--passphrase-file <file>',
      'read its passphrase, PIN or Vault token from a file of mode 0600 (default: ask for it)',
    )
    .requiredOption('--hash <digits>', `at least ${hashDigitsMin} digits of the hash that was reviewed`);
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags = command.opts<AuthorityFlags & { hash: string }>();
    const revision = await readRevisionFile(session, file);
    const hash = hashOfRevision(revision);
    if (flags.hash.length < hashDigitsMin || !hash.startsWith(flags.hash)) {
      throw usageError(
        `The hash of ${file} does not begin with ${flags.hash}.`,
        'See tally namespace show, and sign only what you have reviewed.',
      );
    }
    const signed = await sign(session.context, revision, flags);
    await writeFileAtomic(file, formatRevision(signed));
    session.print.answer({ file, hash, signatures: signed.envelope.signatures.length }, () => [
      ...describeRevision(signed),
      '',
      `Signed. Next: tally namespace submit ${file}`,
    ]);
  });
}

interface AuthorityFlags {
  keystore: string;
  passphraseFile?: string;
}

async function sign(context: Context, revision: Revision, flags: AuthorityFlags): Promise<Revision> {
  await using opened = await openKeys(context, flags.keystore, flags.passphraseFile);
  const keys = opened.keys.filter(({ usages }) => usages.includes('authority'));
  if (keys.length === 0)
    throw usageError(`${flags.keystore} holds no authority key.`, 'Name the offline keystore.');
  const message = messageOfRevision(revision);
  const known = revision.envelope.signatures.filter(({ keyid }) => !keys.some((key) => key.keyid === keyid));
  const made = keys.map(async (key) => ({ keyid: key.keyid, sig: await key.sign(message) }));
  const signatures = [...known, ...(await Promise.all(made))];
  return { ...revision, envelope: { ...revision.envelope, signatures } };
}

function registerSubmit(parent: Command, context: Context): void {
  const command = parent
    .command('submit')
    .argument('<file>')
    .summary('log a signed revision')
    .description('Log a revision that the authority has signed. Doing it twice changes nothing more.')
    .option('--reason <text>', 'why it is logged now')
    .option('--dry-run', 'say whether it would be taken and change nothing');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const body = await readSignedRevision(session, file);
    const { dryRun, reason } = command.opts<{ dryRun?: boolean; reason?: string }>();
    const { value } = await session.admin().call('namespace.revise', {
      query: dryRun === true ? { dryRun: true } : { wait: 'published' },
      body,
      ...(reason !== undefined && { reason }),
    });
    session.print.answer(value, () => describeResult(value, session.print));
  });
}

/** A revision as the server takes it. Throws a usage error where nobody has signed it. */
export async function readSignedRevision(session: Session, file: string): Promise<NamespaceRevisionBody> {
  const { envelope, document, cause } = await readRevisionFile(session, file);
  if (envelope.signatures.length === 0)
    throw usageError(`Nobody has signed ${file} yet.`, 'Sign it with tally namespace sign.');
  return {
    entry: base64(encodeEnvelope(envelope)),
    document: base64(utf8(document)),
    cause: { salt: base64(cause.salt), document: base64(utf8(cause.document)) },
  };
}

async function readRevisionFile(session: Session, path: string): Promise<Revision> {
  return parseRevision(new TextDecoder().decode(await readInput(path, session.context)), path);
}
