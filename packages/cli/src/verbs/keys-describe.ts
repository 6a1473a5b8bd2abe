/** `tally keys describe`: looks at a key that a service has, and writes down which one it is and what it may sign. */
import { existsSync, readFileSync } from 'node:fs';
import { hex, keyFingerprint, keyIdOf } from '@tallystick/core';
import {
  type CloudDescription,
  type CloudPlace,
  describeCloudKey,
  KeystoreError,
  type SigningUsage,
  writeCloudDescription,
} from '@tallystick/signer';
import { type Command, Option } from 'commander';
import { askVaultToken } from '../ceremony/passphrase.ts';
import type { Context } from '../context.ts';
import { messageOf, usageError } from '../errors.ts';
import { Session } from '../session.ts';

interface DescribeFlags {
  key: string;
  usage: 'log' | 'root' | 'authority' | 'rehearsal';
  namespace?: string;
  out: string;
  awsRegion?: string;
  awsEndpoint?: string;
  vault?: string;
  vaultMount: string;
  vaultNamespace?: string;
  vaultCaFile?: string;
  vaultTokenFile?: string;
  dryRun?: boolean;
}

export function registerDescribe(parent: Command, context: Context): void {
  const command = parent
    .command('describe')
    .summary('write down which key a service has: AWS KMS, Vault or OpenBao')
    .description(
      'Look at a signing key that AWS KMS or the transit engine of Vault or OpenBao has, try it on a text that means nothing, and write its description, which commands and the signer take in place of a sealed file. No other key is used in its place from then on.',
    )
    .requiredOption('--key <id>', 'ARN, id or alias in AWS; name or name:version in Vault')
    .addOption(
      new Option('--usage <usage>', 'what it is to sign')
        .choices(['log', 'root', 'authority', 'rehearsal'])
        .makeOptionMandatory(),
    )
    .option('--namespace <name>', 'whose authority it is, with --usage authority')
    .requiredOption('--out <file>', 'where to write the description; nothing is written over')
    .option('--aws-region <region>', 'AWS KMS in this region; credentials as the AWS SDK finds them')
    .option('--aws-endpoint <url>', 'another address of it, such as a VPC endpoint')
    .option('--vault <address>', 'Vault or OpenBao at this address')
    .option('--vault-mount <path>', 'where its transit engine is mounted', 'transit')
    .option('--vault-namespace <path>', 'namespace of Vault')
    .option(
      '--vault-ca-file <file>',
      'certificates (PEM) that its own must come from; they go into the description',
    )
    .option('--vault-token-file <file>', 'read the token from a file of mode 0600 (default: ask for it)')
    .option('--dry-run', 'look and try, and write nothing');
  command.action(async () => {
    const session = new Session(context, command);
    await describe(session, command.opts());
  });
}

async function describe(session: Session, flags: DescribeFlags): Promise<void> {
  const { usage, namespace, out } = flags;
  if ((usage === 'authority') !== (namespace !== undefined))
    throw usageError(
      'An authority is that of a namespace.',
      'Give --namespace with --usage authority alone.',
    );
  if (existsSync(out))
    throw usageError(`${out} exists already.`, 'Nothing is written over: give --out another name.');
  const place = placeOf(flags);
  const vaultToken =
    place.service === 'aws-kms'
      ? null
      : await askVaultToken(session.context, flags.vaultTokenFile, `a token of Vault at ${place.address}`);
  const usages: SigningUsage[] = [usage];
  const description = await describedOrRefused(async () => {
    const found = await describeCloudKey(
      place,
      { id: flags.key, usages, ns: namespace ?? null },
      { vaultToken },
    );
    // Lines on checkpoints know no other algorithm of a log.
    if (usage === 'log' && found.keys[0]?.publicKey.alg !== 'ed25519')
      throw new KeystoreError('a log key is Ed25519, and this one is not: make another one');
    if (flags.dryRun !== true) writeCloudDescription(out, found);
    return found;
  });
  report(session, description, flags);
}

function placeOf(flags: DescribeFlags): CloudPlace {
  const { awsRegion: region, vault: address } = flags;
  if (region !== undefined && address === undefined)
    return { service: 'aws-kms', region, endpoint: flags.awsEndpoint ?? null };
  if (address === undefined || region !== undefined)
    throw usageError('It is not said where the key is.', 'Give either --aws-region or --vault.');
  return {
    service: 'vault-transit',
    address,
    mount: flags.vaultMount,
    namespace: flags.vaultNamespace ?? null,
    ca: flags.vaultCaFile === undefined ? null : readCertificates(flags.vaultCaFile),
  };
}

function readCertificates(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  } catch (error) {
    throw usageError(`The certificates cannot be read: ${messageOf(error)}.`, 'Correct --vault-ca-file.');
  }
  throw usageError(`${file} has no certificate in PEM.`, 'Name the file of the CA with --vault-ca-file.');
}

async function describedOrRefused(work: () => Promise<CloudDescription>): Promise<CloudDescription> {
  try {
    return await work();
  } catch (error) {
    throw usageError(`The key was not described: ${messageOf(error)}.`, 'Correct that; nothing was written.');
  }
}

function report(session: Session, { keys }: CloudDescription, { usage, out, dryRun }: DescribeFlags): void {
  const [key] = keys;
  if (key === undefined) throw new Error('a description has a key');
  const { publicKey, id } = key;
  const fingerprint = hex(keyFingerprint(publicKey));
  const keyid = keyIdOf(publicKey);
  const next =
    usage === 'log'
      ? `tally init --log-key ${out}`
      : `tally root key --of ${out} --name <holder>, for whoever proposes`;
  const file = dryRun === true ? null : out;
  session.print.answer({ file, id, key: keyid, alg: publicKey.alg, usage, fingerprint }, () => [
    `key ${keyid}  ${publicKey.alg}  ${usage}`,
    `  ${id}`,
    `fingerprint  ${fingerprint}`,
    '',
    file === null ? 'It signs. Nothing was written.' : `It signs. Wrote ${out}. Next: ${next}`,
  ]);
}
