/** `tally root key`: makes one person's keys, in a sealed file, and prints their public lines. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { hex, keyFingerprint } from '@tallystick/core';
import { type SystemAlgorithms, systemAlgorithms } from '@tallystick/server';
import {
  createSealedKeystore,
  generateKeySpec,
  KeystoreError,
  noLimits,
  SigningKey,
} from '@tallystick/signer';
import { type Command, Option } from 'commander';
import {
  formatKeyLine,
  type HolderKey,
  isHolderName,
  type KeyRole,
  keyRoles,
} from '../../ceremony/key-line.ts';
import { writeNewFile } from '../../ceremony/new-file.ts';
import { askNewPassphrase, openKeys } from '../../ceremony/passphrase.ts';
import { rehearsalLines } from '../../ceremony/review-text.ts';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { asAlgorithms } from '../../flags/values.ts';
import { Session } from '../../session.ts';
import { addTranscriptFlags, record, type TranscriptFlags } from './desk.ts';

interface KeyFlags extends TranscriptFlags {
  out?: string;
  of?: string;
  name: string;
  authority?: string;
  rehearsal?: boolean;
  algorithms?: SystemAlgorithms;
  passphraseFile?: string;
}

export function registerKey(root: Command, context: Context): void {
  const command = addTranscriptFlags(
    root
      .command('key')
      .alias('init')
      .summary('make a key of your own in a sealed file')
      .description(
        'Make a key of each algorithm in a file that is sealed with a passphrase, and print the lines of the public ' +
          'keys, which are also written beside it. Hand over the lines; never the file. With --of it prints them again.',
      )
      .option('--out <file>', 'where to write the sealed key; nothing is written over')
      .addOption(
        new Option(
          '--of <file>',
          'print the public lines of a key that exists: sealed, in a token or in a service',
        ).conflicts('out'),
      )
      .requiredOption('--name <holder>', 'whose key it is: letters, digits, dots, underscores and hyphens')
      .addOption(
        new Option(
          '--authority <namespace>',
          'a key for the authority of a namespace, not a root key',
        ).conflicts('of'),
      )
      .addOption(new Option('--rehearsal', 'a key for rehearsals, which can stand in no real trust root'))
      .option(
        '--algorithms <list>',
        'ed25519,ml-dsa-44 or ed25519 (default: both, and ed25519 for an authority)',
        asAlgorithms,
      )
      .option(
        '--passphrase-file <file>',
        'read the passphrase, PIN or Vault token from a file of mode 0600 (default: ask for it)',
      ),
  );
  command.action(async () => {
    const session = new Session(context, command);
    const flags: KeyFlags = command.opts();
    if (!isHolderName(flags.name)) {
      throw usageError(
        `"${flags.name}" cannot stand in a line of words.`,
        'Give --name letters, digits, dots, underscores and hyphens, at most 32.',
      );
    }
    if (flags.of !== undefined) return showKey(session, flags.of, flags);
    if (flags.out === undefined)
      throw usageError('No file was named.', 'Give --out for a new key, or --of for one that exists.');
    return makeKey(session, flags.out, flags);
  });
}

async function makeKey(session: Session, out: string, flags: KeyFlags): Promise<void> {
  clearAbandoned(out);
  const usage = flags.rehearsal === true ? 'rehearsal' : flags.authority === undefined ? 'root' : 'authority';
  const algorithms = flags.algorithms ?? (usage === 'authority' ? ['ed25519'] : systemAlgorithms);
  const ns = flags.authority ?? null;
  const specs = algorithms.map((alg) => generateKeySpec([usage], ns, noLimits, alg));
  const passphrase = await askNewPassphrase(session.context, flags.passphraseFile, out);
  try {
    createSealedKeystore(out, passphrase, specs);
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error;
    throw usageError(`The key was not made: ${error.message}.`, 'Correct that; nothing was written over.');
  }
  const made = specs.map((spec): HolderKey => {
    return { role: usage, holder: flags.name, key: new SigningKey(spec).publicKey };
  });
  const publicFile = `${out}.pub`;
  writeNewFile(publicFile, made.map((key) => `${formatKeyLine(key)}\n`).join(''));
  report(session, flags, { sealed: out, publicFile, role: usage, keys: made });
}

/** An interrupted run leaves a name without content, which is nobody's key. */
function clearAbandoned(path: string): void {
  if (existsSync(path) && statSync(path).size === 0) rmSync(path);
}

async function showKey(session: Session, path: string, flags: KeyFlags): Promise<void> {
  await using opened = await openKeys(session.context, path, flags.passphraseFile);
  const lines = opened.keys.flatMap(({ usages, publicKey }): HolderKey[] => {
    const role = keyRoles.find((each) => usages.includes(each));
    return role === undefined ? [] : [{ role, holder: flags.name, key: publicKey }];
  });
  if (lines.length === 0)
    throw usageError(`${path} holds no root, authority or rehearsal key.`, 'Name another file.');
  const { print } = session;
  print.answer(keysJson(lines), () => lines.map(formatKeyLine));
}

function report(
  session: Session,
  flags: KeyFlags,
  made: { sealed: string; publicFile: string; role: KeyRole; keys: HolderKey[] },
): void {
  const { sealed, publicFile, role, keys } = made;
  const rehearsal = role === 'rehearsal';
  record(session, flags, {
    what: 'key',
    rehearsal,
    facts: [
      ['holder', flags.name],
      ['role', role],
      ...keys.map(({ key }): [string, string] => ['fingerprint', hex(keyFingerprint(key))]),
    ],
  });
  session.print.answer({ rehearsal, sealed, publicFile, ...keysJson(keys) }, () => [
    ...rehearsalLines(rehearsal, session.print),
    keys.length === 1
      ? `Made the ${role} key of ${flags.name} in ${sealed}: keep it, and its passphrase elsewhere.`
      : `Made the ${role} keys of ${flags.name} in ${sealed}: keep it, and its passphrase elsewhere.`,
    keys.length === 1
      ? `Its public line, also in ${publicFile}, is for whoever proposes:`
      : `Their public lines, one an algorithm and also in ${publicFile}, are for whoever proposes:`,
    '',
    ...keys.flatMap((key) => [formatKeyLine(key), '', `fingerprint  ${hex(keyFingerprint(key.key))}`, '']),
  ]);
}

function keysJson(keys: readonly HolderKey[]): object {
  return {
    keys: keys.map((each) => ({
      role: each.role,
      holder: each.holder,
      fingerprint: hex(keyFingerprint(each.key)),
      line: formatKeyLine(each),
    })),
  };
}
