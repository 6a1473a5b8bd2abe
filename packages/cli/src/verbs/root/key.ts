/** `tally root key`: makes one person's key, in a sealed file, and prints its public line. */
import { existsSync, rmSync, statSync } from 'node:fs';
import { hex, keyFingerprint } from '@tallystick/core';
import { createSealedKeystore, generateKeySpec, KeystoreError, SigningKey } from '@tallystick/signer';
import { type Command, Option } from 'commander';
import { formatKeyLine, type HolderKey, isHolderName, keyRoles } from '../../ceremony/key-line.ts';
import { writeNewFile } from '../../ceremony/new-file.ts';
import { askNewPassphrase, openKeys } from '../../ceremony/passphrase.ts';
import { rehearsalLines } from '../../ceremony/review-text.ts';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { Session } from '../../session.ts';
import { addTranscriptFlags, record, type TranscriptFlags } from './desk.ts';

interface KeyFlags extends TranscriptFlags {
  out?: string;
  of?: string;
  name: string;
  authority?: string;
  rehearsal?: boolean;
  passphraseFile?: string;
}

export function registerKey(root: Command, context: Context): void {
  const command = addTranscriptFlags(
    root
      .command('key')
      .summary('make a key of your own in a sealed file')
      .description(
        'Make a key in a file that is sealed with a passphrase, and print the line of its public key, which is also ' +
          'written beside it. Hand over the line; never the file. With --of it prints that line again.',
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
  const spec = generateKeySpec([usage], flags.authority ?? null);
  const passphrase = await askNewPassphrase(session.context, flags.passphraseFile, out);
  try {
    createSealedKeystore(out, passphrase, [spec]);
  } catch (error) {
    if (!(error instanceof KeystoreError)) throw error;
    throw usageError(`The key was not made: ${error.message}.`, 'Correct that; nothing was written over.');
  }
  const made = { role: usage, holder: flags.name, key: new SigningKey(spec).publicKey } as const;
  const publicFile = `${out}.pub`;
  writeNewFile(publicFile, `${formatKeyLine(made)}\n`);
  report(session, flags, { sealed: out, publicFile, keys: [made] });
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
  made: { sealed: string; publicFile: string; keys: [HolderKey] },
): void {
  const { sealed, publicFile, keys } = made;
  const [key] = keys;
  const fingerprint = hex(keyFingerprint(key.key));
  const rehearsal = key.role === 'rehearsal';
  record(session, flags, {
    what: 'key',
    rehearsal,
    facts: [
      ['holder', key.holder],
      ['role', key.role],
      ['fingerprint', fingerprint],
    ],
  });
  session.print.answer({ rehearsal, sealed, publicFile, ...keysJson(keys) }, () => [
    ...rehearsalLines(rehearsal, session.print),
    `Made the ${key.role} key of ${key.holder} in ${sealed}: keep it, and its passphrase elsewhere.`,
    `Its public line, also in ${publicFile}, is for whoever proposes:`,
    '',
    formatKeyLine(key),
    '',
    `fingerprint  ${fingerprint}`,
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
