/** `tally monitor init`: makes the folder of a monitor, or adds a log to one. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { keyIdOf, type TrustRoot } from '@tallystick/core';
import {
  ConfigError,
  createMonitorKey,
  loadMonitorKey,
  monitorLayout,
  parseMonitorConfig,
} from '@tallystick/witness';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../../context.ts';
import { messageOf, usageError } from '../../errors.ts';
import { writeFileAtomic } from '../../files.ts';
import { openTrustFile } from '../../offline/verify-file.ts';
import { Session } from '../../session.ts';

interface InitFlags {
  trustRoot: string;
  logUrl: string;
  trustUrl?: string;
  mirrorTokenFile?: string;
  witness?: Witness[];
  dryRun?: boolean;
}

interface Witness {
  name: string;
  url: string;
}

export function registerMonitorInit(parent: Command, context: Context): void {
  const command = parent
    .command('init')
    .argument('<folder>', 'where the monitor keeps its configuration, key, memory and evidence')
    .summary('make a monitor, or have it watch one more log')
    .requiredOption('--trust-root <file>', 'the trust root of the log, from where you trust it')
    .requiredOption('--log-url <url>', 'address of the log: its checkpoint is at <url>/checkpoint')
    .option('--trust-url <url>', 'address of its public documents (default: /trust beside /log)')
    .option(
      '--mirror-token-file <file>',
      'mirror token for tiles and entries; without it checkpoints alone are compared',
    )
    .option(
      '--witness <name=url>',
      'a cosigner and where it shows what it cosigned; repeatable (default: those with an address in the trust root)',
      asWitness,
    )
    .option('--dry-run', 'say what would be written and change nothing');
  command.action(async (folder: string) => {
    const session = new Session(context, command);
    const flags = command.opts<InitFlags>();
    const { versions } = await openTrustFile(flags.trustRoot);
    const newest = versions.at(-1);
    if (newest === undefined) throw usageError('The trust root holds no version.', 'Check --trust-root.');
    const log = logOf(flags, newest);
    const answer = await write(folder, log, newest.log.origin, flags.dryRun === true);
    session.print.answer(answer, () => [
      `${answer.dryRun ? 'Would watch' : 'Watches'} ${answer.origin} through ${answer.witnesses.length} cosigners.`,
      ...(answer.key === null ? [] : [`Key of the monitor, which signs evidence: ${answer.key}`]),
      ...(flags.mirrorTokenFile === undefined
        ? ['Without a mirror token it compares checkpoints alone.']
        : []),
      ...(answer.dryRun ? [] : [`Next: tally monitor run ${folder}`]),
    ]);
  });
}

function asWitness(text: string, before: readonly Witness[] = []): Witness[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give name=url.');
  return [...before, { name: text.slice(0, at), url: text.slice(at + 1) }];
}

function logOf(flags: InitFlags, trust: TrustRoot) {
  const witnesses = flags.witness ?? cosignersOf(trust);
  const known = new Set(trust.quorum.witnesses.map(({ vkey }) => vkey.name));
  const stranger = witnesses.find(({ name }) => !known.has(name));
  if (stranger !== undefined) {
    throw usageError(
      `${stranger.name} is no cosigner of this log.`,
      `Name one of those in the trust root: ${[...known].join(', ')}.`,
    );
  }
  if (witnesses.length === 0) {
    throw usageError(
      'The trust root gives no address of a cosigner.',
      `Say with --witness <name>=<url> where they are: ${[...known].join(', ')}.`,
    );
  }
  const trustUrl = flags.trustUrl ?? flags.logUrl.replace(/\/log\/?$/, '/trust');
  if (trustUrl === flags.logUrl)
    throw usageError('Where the public documents are does not follow from --log-url.', 'Give --trust-url.');
  return {
    trustRoot: resolve(flags.trustRoot),
    logUrl: flags.logUrl,
    trustUrl,
    ...(flags.mirrorTokenFile === undefined ? {} : { tokenFile: resolve(flags.mirrorTokenFile) }),
    witnesses,
  };
}

/** One address for each name: a cosigner with several keys is one process. */
function cosignersOf(trust: TrustRoot): Witness[] {
  const found = new Map<string, string>();
  for (const { vkey, url } of trust.quorum.witnesses)
    if (url !== null && !found.has(vkey.name)) found.set(vkey.name, url);
  return [...found].map(([name, url]) => ({ name, url }));
}

async function write(folder: string, log: ReturnType<typeof logOf>, origin: string, dryRun: boolean) {
  const layout = monitorLayout(folder);
  const before = existsSync(layout.config) ? logsIn(layout.config) : [];
  const config = `${JSON.stringify({ logs: [...before, log] }, null, 2)}\n`;
  await parseMonitorConfig(config, folder).catch((error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    const todo = `Correct the flags; or ${layout.config}, where that is meant.`;
    throw usageError(`The monitor cannot watch ${origin}: ${messageOf(error)}.`, todo);
  });
  const answer = { folder: resolve(folder), origin, witnesses: log.witnesses, dryRun };
  if (dryRun) return { ...answer, key: null };
  mkdirSync(layout.promises, { recursive: true });
  const key = existsSync(layout.key) ? loadMonitorKey(layout.key) : createMonitorKey(layout.key);
  await writeFileAtomic(layout.config, config);
  return { ...answer, key: keyIdOf(key.publicKey) };
}

function logsIn(file: string): unknown[] {
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { logs: unknown[] }).logs;
  } catch (error) {
    throw usageError(`${file} cannot be read: ${messageOf(error)}.`, 'Correct the file.');
  }
}
