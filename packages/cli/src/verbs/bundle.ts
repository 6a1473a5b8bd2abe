/** `tally bundle`: fetch a license file, as an administrator by id or as anybody by license key. */
import { parseBundle } from '@tallystick/core';
import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { readInput, writeFileAtomic } from '../files.ts';
import { asNatural } from '../flags/values.ts';
import { Session } from '../session.ts';

interface BundleFlags {
  key?: string;
  keyFile?: string;
  out?: string;
  trustVersion?: number;
}

export function registerBundle(program: Command, context: Context): void {
  const command = program
    .command('bundle')
    .summary('fetch a license file')
    .description(
      'Fetch the newest license file: by the id of the license, or without a token by license key from the public listener.',
    )
    .argument('[license]', 'id of a license')
    .addOption(new Option('--key <license-key>', 'license key').conflicts('keyFile'))
    .option(
      '--key-file <file>',
      'file with the license key, so that it is not seen in the list of processes; - for standard input',
    )
    .option('--out <file>', 'where to write it; - for standard output (default: <id>.tally)')
    .option('--trust-version <number>', 'newest trust root that the client has pinned', asNatural);
  command.action(async (id: string | undefined) => {
    const session = new Session(context, command);
    const flags: BundleFlags = command.opts();
    await fetchBundle(session, id ?? null, flags);
  });
}

async function fetchBundle(session: Session, id: string | null, flags: BundleFlags): Promise<void> {
  const licenseKey = await readKey(session.context, flags);
  if ((id === null) === (licenseKey === null)) {
    throw usageError('A license file is fetched by id or by license key.', 'Give one of both.');
  }
  const text = await requestBundle(session, id, licenseKey, flags.trustVersion);
  const { licenseId, bytes } = look(text);
  const path = flags.out ?? `${licenseId}.tally`;
  if (path === '-') {
    session.context.stdout.write(text);
    return;
  }
  await writeFileAtomic(path, text);
  session.print.answer({ license: licenseId, path, bytes }, () => [
    `Wrote the license file of ${licenseId} to ${path} (${bytes} bytes). Not verified yet: see tally verify.`,
  ]);
}

async function readKey(context: Context, { key, keyFile }: BundleFlags): Promise<string | null> {
  if (keyFile === undefined) return key ?? null;
  return new TextDecoder().decode(await readInput(keyFile, context)).trim();
}

async function requestBundle(
  session: Session,
  id: string | null,
  licenseKey: string | null,
  trustVersion: number | undefined,
): Promise<string> {
  const pinned = trustVersion === undefined ? {} : { trustVersion };
  if (licenseKey !== null) {
    const body = { licenseKey, ...pinned };
    return (await session.public().call('bundle.fetch', { body })).text;
  }
  return (await session.admin().call('license.bundle', { params: { id: id ?? '' }, query: pinned })).text;
}

/** Which license the file is about; throws where it is no license file at all. */
function look(text: string): { licenseId: string; bytes: number } {
  const bytes = new TextEncoder().encode(text);
  try {
    const license = parseBundle(bytes).subjects.find(({ id }) => id.startsWith('lic_'));
    if (license !== undefined) return { licenseId: license.id, bytes: bytes.length };
    throw new Error('it is about no license');
  } catch (error) {
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: 'malformed_bundle',
      what: `The server answered something that is no license file: ${messageOf(error)}.`,
      todo: 'Do not use it; ask those who run the server.',
    });
  }
}
