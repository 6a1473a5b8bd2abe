/** `tally keys destroy`: takes a key out of this world, and says so in the log. */

import { keyFingerprintText } from '@tallystick/core';
import { layoutOf } from '@tallystick/server';
import { destroyKeys, finishDestruction, KeystoreError } from '@tallystick/signer';
import { SignerClient } from '@tallystick/signer/client';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf, unreachable, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { currentTrust } from '../governing/current.ts';
import { type DestructionStep, keysAtHand, type Target, targetOf } from '../governing/destruction.ts';
import { Session } from '../session.ts';

interface DestroyFlags {
  yes?: boolean;
  mayStopIssuing?: boolean;
  dryRun?: boolean;
  reason?: string;
}

/** A supervisor has the signer look within half a second; opening the keystore takes about as long. */
const releaseMsMax = 15_000;
const releaseIntervalMs = 200;

const told: Record<DestructionStep, string> = {
  end: 'ended: it signs nothing from the next record on',
  remove: 'removed from the keystore, which has a new passphrase',
  release: 'the signer has let go of it',
  state: 'the log says that it is destroyed',
};

export function registerDestroy(parent: Command, context: Context): void {
  const command = parent
    .command('destroy')
    .argument('<key>')
    .summary("destroy a key on the signer's host, for ever")
    .description(
      [
        "Destroy a key, on the signer's own host: it ends, leaves the keystore, which gets a new passphrase, and the",
        'signer; then the log says so. Interrupted at any point, the same command goes on from there.',
        '',
        'What it signed before its end stays good. Copies in backups are not reached.',
      ].join('\n'),
    )
    .option('--yes', 'do not ask for the key again')
    .option('--may-stop-issuing', 'also where no key is left for something that it does')
    .option('--dry-run', 'say what would be done')
    .option('--reason <text>', 'why, for the log');
  command.action(async (name: string) => {
    const session = new Session(context, command);
    const flags = command.opts<DestroyFlags>();
    const target = await find(session, name, flags);
    if (flags.dryRun !== true) await confirm(session, target, flags.yes === true);
    const since = flags.dryRun === true ? target.since : await destroy(session, target, flags);
    const { keyid, steps } = target;
    const dryRun = flags.dryRun === true;
    session.print.answer({ key: keyid, steps, destroyedSince: since, dryRun }, () => [
      `key ${keyid}`,
      ...steps.map((step) => `${dryRun ? 'to do: ' : ''}${told[step]}`),
      ...(since === null ? [] : [`destroyed since log index ${since}`]),
      ...(dryRun
        ? []
        : ['', 'Next: look at what your backups still hold (docs/operating/destroying-a-key.md).']),
    ]);
  });
}

async function find(session: Session, name: string, flags: DestroyFlags): Promise<Target> {
  const layout = layoutOf(session.dataFolder);
  // First, because until then the keystore may not open.
  if (flags.dryRun !== true) inKeystore(() => finishDestruction(filesOf(session)));
  const current = await currentTrust(session);
  return targetOf(name, current, keysAtHand(layout), { mayStopIssuing: flags.mayStopIssuing === true });
}

async function confirm(
  { context }: Session,
  { keyid, usages, steps }: Target,
  isSure: boolean,
): Promise<void> {
  // What is under way was confirmed before, and what is done asks for nothing.
  if (isSure || !steps.includes('remove')) return;
  const question = `This destroys key ${keyid} (${usages.join(', ')}) for ever. Type the key to go on: `;
  const typed = await context.ask(question, { hidden: false });
  if (typed === null) {
    throw usageError(
      'Nobody has confirmed it: there is no terminal to ask at.',
      'Run it in a terminal, or with --yes.',
    );
  }
  if (typed.trim().toLowerCase() !== keyid)
    throw usageError('That is not the key.', 'Nothing was changed. See tally keys list.');
}

/** Carries out the steps that are left; returns the log index from which the key counts as destroyed. */
async function destroy(session: Session, target: Target, flags: DestroyFlags): Promise<number | null> {
  const { id, keyid, listed, steps } = target;
  if (steps.includes('end')) {
    const mayStopIssuing = flags.mayStopIssuing === true;
    await tighten(session, { until: [{ key: id }], ...(mayStopIssuing && { mayStopIssuing }) }, flags);
  }
  if (steps.includes('remove')) {
    const destruction = { ids: [id], keepsPublic: listed !== null };
    inKeystore(() => destroyKeys(filesOf(session), destruction));
  }
  await released(session, id, keyid);
  if (!steps.includes('state')) return target.since;
  await tighten(session, { destroyed: [id] }, flags);
  const { brake } = await currentTrust(session);
  return brake.document.destroyed?.find((key) => key.id === id)?.index ?? null;
}

async function tighten(session: Session, body: object, { reason }: DestroyFlags): Promise<void> {
  await session.admin().call('brake.tighten', {
    query: { wait: 'published' },
    body,
    idempotencyKey: session.context.newKey(),
    ...(reason === undefined ? {} : { reason }),
  });
}

/** Resolves once the running signer no longer has the key. Throws CliError. */
async function released(session: Session, id: string, keyid: string): Promise<void> {
  const { context } = session;
  await using signer = new SignerClient(layoutOf(session.dataFolder).signer.socket);
  const deadline = context.now() + releaseMsMax;
  for (;;) {
    const { keys } = await signer.hello().catch((error: unknown) => {
      throw unreachable(
        `The signer cannot be asked whether it still has key ${keyid}: ${messageOf(error)}.`,
        'Start it, and run the same command again.',
      );
    });
    if (!keys.some((key) => keyFingerprintText(key) === id)) return;
    if (context.now() > deadline || context.signal.aborted) break;
    await context.sleep(releaseIntervalMs, context.signal);
  }
  throw new CliError({
    exitCode: exitCodes.unavailable,
    code: 'signer_holds_key',
    what: `The keystore no longer holds key ${keyid}, and the running signer still has it.`,
    todo: 'Send the signer SIGHUP, or restart it, and run the same command again.',
  });
}

function filesOf(session: Session): { keystore: string; passphraseFile: string } {
  const { keys, secrets } = layoutOf(session.dataFolder);
  return { keystore: keys.online, passphraseFile: secrets.onlinePassphrase };
}

function inKeystore<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error;
    throw usageError(
      `The keystore cannot be changed: ${error.message}.`,
      'Correct that, and run the same command again.',
    );
  }
}
