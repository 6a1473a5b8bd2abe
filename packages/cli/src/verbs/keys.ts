/** `tally keys`: which keys sign, and how they come and go. */

import { destroyedSince, effectiveUntil, type NamespaceKey } from '@tallystick/core';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { asNatural } from '../flags/values.ts';
import { type CurrentTrust, currentTrust, signingKeys } from '../governing/current.ts';
import { isNamed, keyIdOfFingerprint } from '../governing/revision.ts';
import { describeResult } from '../output/results.ts';
import { Session } from '../session.ts';
import { registerAttest } from './keys-attest.ts';
import { registerDescribe } from './keys-describe.ts';
import { registerDestroy } from './keys-destroy.ts';
import { registerGenerate } from './keys-generate.ts';
import { registerAffected, registerReissue } from './keys-hole.ts';

export function registerKeys(program: Command, context: Context): void {
  const keys = program
    .command('keys')
    .summary('list, generate, describe, rotate, end and destroy signing keys');
  registerList(keys, context);
  registerGenerate(keys, context);
  registerDescribe(keys, context);
  registerRotate(keys, context);
  registerRevoke(keys, context);
  registerDestroy(keys, context);
  registerAttest(keys, context);
  registerAffected(keys, context);
  registerReissue(keys, context);
}

interface KeyRow {
  key: string;
  alg: string;
  usages: string[];
  from: number;
  until: number | null;
  state: 'signs' | 'stands by' | 'not yet' | 'ended' | 'in force' | 'destroyed';
}

function registerList(parent: Command, context: Context): void {
  const command = parent
    .command('list')
    .summary('list the keys of the namespace, and which one signs')
    .description(
      'List the keys of the namespace with the log indexes at which they are valid, and which one signs.',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const current = await currentTrust(session);
    const rows = rowsOf(current);
    session.print.answer({ size: current.size, keys: rows }, () => [
      ...session.print.table(rows, [
        { title: 'KEY', value: ({ key }) => key },
        { title: 'ALGORITHM', value: ({ alg }) => alg },
        { title: 'USAGES', value: ({ usages }) => usages.join(' ') },
        { title: 'FROM', value: ({ from }) => from, align: 'right' },
        { title: 'UNTIL', value: ({ until }) => until, align: 'right' },
        { title: 'STATE', value: ({ state }) => state },
      ]),
      ...warningsOf(rows),
    ]);
  });
}

function rowsOf(current: CurrentTrust): KeyRow[] {
  const { namespace, brake, size } = current;
  const signing = new Set(signingKeys(current).map(({ id }) => id));
  return namespace.document.keys.map((key) => {
    const until = effectiveUntil(namespace.document, brake.document, key);
    return {
      key: keyIdOfFingerprint(key.id),
      alg: key.alg,
      usages: key.usages,
      from: key.from,
      until: Number.isFinite(until) ? until : null,
      state: Number.isFinite(destroyedSince(brake.document, key.id))
        ? 'destroyed'
        : stateOf(key, until, size, signing),
    };
  });
}

function stateOf(
  key: NamespaceKey,
  until: number,
  size: number,
  signing: ReadonlySet<string>,
): KeyRow['state'] {
  if (size >= until) return 'ended';
  if (size < key.from) return 'not yet';
  if (!key.usages.includes('license')) return 'in force';
  return signing.has(key.id) ? 'signs' : 'stands by';
}

/** A rotation needs somebody to hand over to. */
function warningsOf(rows: readonly KeyRow[]): string[] {
  const signing = rows.filter(({ state }) => state === 'signs');
  if (signing.length === 0) return ['', 'No key signs licenses now: list one in the namespace.'];
  const lonely = signing.filter(
    ({ alg }) => !rows.some((row) => row.state === 'stands by' && row.alg === alg),
  );
  return lonely.flatMap(({ alg }) => [
    '',
    `No ${alg} key stands by: make one with tally keys generate --algorithm ${alg}, and list it with tally namespace propose.`,
  ]);
}

function registerRotate(parent: Command, context: Context): void {
  const command = parent
    .command('rotate')
    .summary('hand over to the key that stands by')
    .description('End the key that signs now, from the next record on, in favor of the one that stands by.')
    .addOption(
      new Option('--algorithm <name>', 'of which algorithm')
        .choices(['ed25519', 'ml-dsa-44'])
        .default('ed25519'),
    )
    .option('--reason <text>', 'why, for the log');
  command.action(async () => {
    const session = new Session(context, command);
    const { algorithm, reason } = command.opts<{ algorithm: string; reason?: string }>();
    const signing = signingKeys(await currentTrust(session)).find(({ alg }) => alg === algorithm);
    if (signing === undefined)
      throw usageError(`No ${algorithm} key signs licenses now.`, 'List one with tally namespace propose.');
    await end(session, { key: signing.id, ...(reason === undefined ? {} : { reason }) });
  });
}

function registerRevoke(parent: Command, context: Context): void {
  const command = parent
    .command('revoke')
    .argument('<key>')
    .summary('end a key at a log index, also one in the past')
    .description(
      'End a key at a log index: from there on nothing that it signed verifies, before it everything still does. Acts within a moment, through the brake; the authority makes it last by tally namespace propose --end-key.',
    )
    .requiredOption('--from-index <index>', 'the first log index at which it is not to be trusted', asNatural)
    .option('--may-stop-issuing', 'also where no key is left')
    .option('--reason <text>', 'why, for the log');
  command.action(async (name: string) => {
    const session = new Session(context, command);
    const flags = command.opts<{ fromIndex: number; mayStopIssuing?: boolean; reason?: string }>();
    const { namespace } = await currentTrust(session);
    const key = namespace.document.keys.find((listed) => isNamed(listed, name));
    if (key === undefined) throw usageError(`The namespace lists no key ${name}.`, 'See tally keys list.');
    await end(session, { ...flags, key: key.id, index: flags.fromIndex });
    const from = flags.fromIndex;
    session.print.say(
      `Next: tally keys affected ${name} --from-index ${from} --out affected.txt, and to make it last ` +
        `tally namespace propose --end-key ${name}@${from} --out revision.json, for the authority to sign.`,
    );
  });
}

async function end(
  session: Session,
  options: { key: string; index?: number; mayStopIssuing?: boolean; reason?: string },
): Promise<void> {
  const { key, index, mayStopIssuing, reason } = options;
  const { value } = await session.admin().call('brake.tighten', {
    query: { wait: 'published' },
    body: {
      until: [{ key, ...(index === undefined ? {} : { index }) }],
      ...(mayStopIssuing === true ? { mayStopIssuing } : {}),
    },
    idempotencyKey: session.context.newKey(),
    ...(reason === undefined ? {} : { reason }),
  });
  session.print.answer(value, () => describeResult(value, session.print));
}
