/** `tally keys generate`: keys that the signer is to sign records with, once the namespace lists them. */
import { existsSync, readFileSync } from 'node:fs';
import {
  beginAccessLogAgain,
  generateOnlineKey,
  type Layout,
  layoutOf,
  type OnlineKeyKind,
  onlineKeyUsages,
  type SystemDescription,
  writeSecret,
} from '@tallystick/server';
import {
  addToSealedKeystore,
  createSealedKeystore,
  type KeySpec,
  makePassphrase,
  readPassphraseFile,
  type SigningAlgorithm,
  SigningKey,
} from '@tallystick/signer';
import { type Command, Option } from 'commander';
import { readClientFile } from '../client/connection.ts';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { writeFileAtomic } from '../files.ts';
import { asNatural } from '../flags/values.ts';
import { formatKeyFile } from '../governing/key-file.ts';
import { Session } from '../session.ts';

interface GenerateFlags {
  out: string;
  usage: OnlineKeyKind;
  algorithm: SigningAlgorithm;
  count: number;
  newKeystore?: boolean;
}

export function registerGenerate(parent: Command, context: Context): void {
  const command = parent
    .command('generate')
    .summary("add issuing, brake or lease keys to the signer's keystore")
    .description(
      "Add keys to the signer's keystore, on its own host. A running signer takes them in by itself under tally up, else at SIGHUP. They sign nothing before the namespace lists them.",
    )
    .requiredOption('--out <file>', 'where to write their public parts, for tally namespace propose')
    .addOption(
      new Option('--usage <kind>', 'what they are for')
        .choices(Object.keys(onlineKeyUsages))
        .default('issuing'),
    )
    .addOption(
      new Option('--algorithm <name>', 'what issuing keys sign with')
        .choices(['ed25519', 'ml-dsa-44'])
        .default('ed25519'),
    )
    .option('--count <number>', 'how many', asNatural, 1)
    .option(
      '--new-keystore',
      'make a new keystore with a new passphrase, where the one before is lost and the log key is in a token',
    );
  command.action(async () => {
    const session = new Session(context, command);
    const flags = command.opts<GenerateFlags>();
    const { out, usage, algorithm, count } = flags;
    if (usage !== 'issuing' && algorithm !== 'ed25519')
      throw usageError(`A ${usage} key is an Ed25519 key.`, 'Leave --algorithm out.');
    if (count < 1 || count > 16) throw usageError('--count is 1 to 16.', 'Give another number.');
    const ns = readClientFile(session.dataFolder)?.namespace;
    if (ns === undefined)
      throw usageError('It is not known which namespace this is.', 'Name its data folder with --data.');
    const specs = Array.from({ length: count }, () => generateOnlineKey(usage, ns, algorithm));
    const made = specs.map((spec) => new SigningKey(spec));
    // The public parts first: keys that nobody can name would be of no use, and the other way round none is lost.
    await writeFileAtomic(
      out,
      formatKeyFile(made.map(({ publicKey, usages }) => ({ ...publicKey, usages }))),
    );
    keep(layoutOf(session.dataFolder), specs, flags.newKeystore === true);
    const ids = made.map(({ keyid }) => keyid);
    session.print.answer({ keys: ids, usage, file: out }, () => [
      ...ids.map((id) => `key ${id}`),
      '',
      `Wrote ${out}. Next: tally namespace propose --add-keys ${out} --out revision.json`,
    ]);
  });
}

function keep(layout: Layout, specs: readonly KeySpec[], isNew: boolean): void {
  const { keys, secrets, system } = layout;
  try {
    if (!isNew) {
      addToSealedKeystore(keys.online, readPassphraseFile(secrets.onlinePassphrase), specs);
      return;
    }
    const { logVkeys, access } = JSON.parse(readFileSync(system, 'utf8')) as SystemDescription;
    if (!existsSync(keys.token) || logVkeys.length > 1)
      throw new Error('a log key was in the keystore that is lost, and no other key can take its place');
    // One that is there without a keystore is what an interrupted run left.
    if (!existsSync(keys.online) && !existsSync(secrets.onlinePassphrase))
      writeSecret(secrets.onlinePassphrase, makePassphrase());
    createSealedKeystore(keys.online, readPassphraseFile(secrets.onlinePassphrase), specs);
    // Its key was among those that are lost, and the first leaf of an access log names it for good.
    if (access !== undefined) beginAccessLogAgain(layout);
  } catch (error) {
    throw usageError(
      `The keystore was not changed: ${messageOf(error)}.`,
      'Run this on the host of the signer; see docs/operating/lost-key.md for keys that are lost.',
    );
  }
}
