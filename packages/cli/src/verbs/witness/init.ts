/** `tally witness init`: keys, an empty memory and a configuration, in a new folder. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isKeyName } from '@tallystick/core';
import type { SystemAlgorithms } from '@tallystick/server';
import { createKeys, initState } from '@tallystick/witness';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { asAlgorithms } from '../../flags/values.ts';
import { Session } from '../../session.ts';
import { policyLines } from '../../witness/policy-lines.ts';
import { foreseen, WitnessFolder } from '../../witness/witness-folder.ts';
import { addFolderFlag, type FolderFlag } from './folder-flag.ts';

interface InitWitnessFlags extends FolderFlag {
  name: string;
  address?: string;
  listen: Address;
  metrics: Address;
  tlsCert?: string;
  tlsKey?: string;
  algorithms: SystemAlgorithms;
  dryRun?: boolean;
}

interface Address {
  host: string;
  port: number;
}

const bothAlgorithms: SystemAlgorithms = ['ed25519', 'ml-dsa-44'];

export function registerInitWitness(parent: Command, context: Context): void {
  const command = addFolderFlag(
    parent
      .command('init')
      .summary('make the keys, the memory and the configuration of a witness')
      .description(
        'Make a witness in a new folder: keys, an empty memory and its configuration. It never begins one anew: a witness that forgot what it cosigned would cosign a second history.',
      )
      .requiredOption(
        '--name <name>',
        'its name for good: an address of yours without a scheme, such as witness.example.com/w1',
      )
      .option('--address <url>', 'where logs reach it (default: https:// and its name)')
      .addOption(
        new Option('--listen <host:port>', 'where it listens')
          .argParser(asAddress)
          .default({ host: '127.0.0.1', port: 7380 }, '127.0.0.1:7380'),
      )
      .addOption(
        new Option('--metrics <host:port>', 'where you read metrics and health')
          .argParser(asAddress)
          .default({ host: '127.0.0.1', port: 7381 }, '127.0.0.1:7381'),
      )
      .option('--tls-cert <file>', 'certificate chain (PEM), where it does TLS itself')
      .option('--tls-key <file>', 'its key (PEM)')
      .option(
        '--algorithms <list>',
        'what it signs with: ed25519,ml-dsa-44, or ed25519 for logs that know nothing else',
        asAlgorithms,
        bothAlgorithms,
      )
      .option('--dry-run', 'say what would be made and make nothing'),
  );
  command.action(() => {
    init(new Session(context, command), command.opts());
  });
}

function init({ print }: Session, flags: InitWitnessFlags): void {
  const { name, algorithms } = flags;
  const folder = new WitnessFolder(flags.folder);
  const url = addressOf(flags);
  const config = configOf(flags, url);
  if (existsSync(folder.path))
    throw usageError(
      `${folder.path} is there already.`,
      'A witness is never begun anew: run the one that is there, or choose another --folder and another --name.',
    );
  if (flags.dryRun === true) {
    print.answer({ folder: folder.path, name, url, dryRun: true }, () => [
      `Would make a witness ${name} in ${folder.path}. Nothing was made.`,
    ]);
    return;
  }
  const keys = foreseen(() => make(folder, config, name, algorithms));
  const lines = policyLines(keys, url);
  print.answer({ folder: folder.path, ...lines }, () => [
    `Made the witness ${name} in ${folder.path}`,
    '',
    'Send this to whoever runs a log, with its C2SP tlog-policy:',
    '',
    ...lines.policy.map((line) => `  ${line}`),
    '',
    'or for the changes of tally root propose:',
    '',
    ...lines.changes.map((line) => `  ${line}`),
    '',
    'Next: tally witness add-log, then tally witness serve.',
  ]);
}

/** In a folder beside, which takes its place when it is whole: an interrupted run leaves nothing that looks like a witness. */
function make(folder: WitnessFolder, config: object, name: string, algorithms: SystemAlgorithms) {
  const partial = `${folder.path}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(dirname(partial), { recursive: true });
  mkdirSync(partial, { mode: 0o700 });
  const keys = createKeys(join(partial, 'cosigner.key'), name, algorithms);
  initState({ stateFile: join(partial, 'state.db'), kind: 'witness', name, origins: [] });
  writeFileSync(join(partial, 'witness.json'), `${JSON.stringify(config, null, 2)}\n`, { flush: true });
  renameSync(partial, folder.path);
  return keys;
}

function configOf({ name, listen, metrics, tlsCert, tlsKey }: InitWitnessFlags, url: string): object {
  if (!isKeyName(name))
    throw usageError(
      `"${name}" is no name for a witness.`,
      'Give an address without a scheme, spaces or plus.',
    );
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw usageError('TLS needs a certificate and its key.', 'Give --tls-cert and --tls-key together.');
  return {
    name,
    url,
    listen,
    metrics,
    ...(tlsCert !== undefined &&
      tlsKey !== undefined && { tls: { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) } }),
    keyFile: 'cosigner.key',
    stateFile: 'state.db',
    logs: [],
  };
}

function addressOf({ name, address = `https://${name}` }: InitWitnessFlags): string {
  if (URL.canParse(address) && /^https?:$/.test(new URL(address).protocol))
    return address.replace(/\/+$/, '');
  throw usageError(
    `${address} is not an http address.`,
    'Give the address at which logs reach it with --address.',
  );
}

function asAddress(text: string): Address {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535)
    throw new InvalidArgumentError('Give an address and a port, such as 127.0.0.1:7380 or [::1]:7380.');
  return { host, port };
}
