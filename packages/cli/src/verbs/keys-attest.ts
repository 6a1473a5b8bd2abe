/** `tally keys attest`: where keys are, stated by the signer, for somebody who cannot look. */

import { type AttestedKey, destroyedSince, IntegrityError, keyIdOf, utf8 } from '@tallystick/core';
import { layoutOf, newSubjectId } from '@tallystick/server';
import { SignerClient, SignerRefused } from '@tallystick/signer/client';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf, unreachable, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { readInput, writeFileAtomic } from '../files.ts';
import { currentTrust } from '../governing/current.ts';
import { isNamed, keyIdOfFingerprint } from '../governing/revision.ts';
import {
  bundleSize,
  formatAttestationFile,
  type ProvenAttestation,
  verifyAttestationFile,
} from '../offline/attestation.ts';
import { findTrust, instant } from '../offline/verify-file.ts';
import { printable } from '../output/table.ts';
import { Session } from '../session.ts';

interface AttestFlags {
  out?: string;
  verify?: string;
  trustRoot?: string;
  namespace?: string;
}

const publicationMsMax = 15_000;
const publicationIntervalMs = 200;

export function registerAttest(parent: Command, context: Context): void {
  const command = parent
    .command('attest')
    .argument('[keys...]', 'keys (default: every key that the signer has or had)')
    .summary('have the signer state where its keys are, or verify such a statement')
    .description(
      [
        "With --out, on the signer's host: write what the signer states of its keys, signed by each key that it holds and",
        'by the log, with a proof of what the log says of them.',
        '',
        'With --verify, anywhere: check such a file offline. Exit code 2 where it proves nothing.',
      ].join('\n'),
    )
    .option('--out <file>', 'where to write the statement')
    .option('--verify <file>', 'a statement to check; - for standard input')
    .option('--trust-root <file>', 'what is trusted (default: that of client.json)')
    .option('--namespace <name>', 'the namespace of the vendor');
  command.action(async (names: string[]) => {
    const session = new Session(context, command);
    const flags = command.opts<AttestFlags>();
    if ((flags.out === undefined) === (flags.verify === undefined))
      throw usageError('Say either --out or --verify.', 'See tally keys attest --help.');
    if (flags.verify !== undefined) return verify(session, flags.verify, flags);
    await attest(session, names, flags.out ?? '');
  });
}

async function attest(session: Session, names: readonly string[], out: string): Promise<void> {
  const { brake, namespace } = await currentTrust(session);
  const keyids = names.map((name) => {
    const listed = namespace.document.keys.find((key) => isNamed(key, name));
    return listed === undefined ? name : keyIdOfFingerprint(listed.id);
  });
  await using signer = new SignerClient(layoutOf(session.dataFolder).signer.socket);
  const attestation = await signer.attest(keyids).catch((error: unknown) => {
    if (error instanceof SignerRefused)
      throw usageError(`The signer attests nothing: ${error.message}.`, 'See tally keys list.');
    throw unreachable(
      `The signer cannot be asked: ${messageOf(error)}.`,
      'Run this on the host of the signer, as its user, while it runs.',
    );
  });
  const { mark } = await signer.hello();
  const bundle = await provenBundle(session, mark.size);
  await writeFileAtomic(out, formatAttestationFile({ attestation, bundle }));
  const destroyed = namespace.document.keys.filter(({ id }) =>
    Number.isFinite(destroyedSince(brake.document, id)),
  );
  session.print.answer({ file: out, size: mark.size, destroyed: destroyed.length }, () => [
    `Wrote ${out}. Next, wherever it is to be checked: tally keys attest --verify ${out}`,
  ]);
}

/** A license file about nothing, under a checkpoint that covers the log up to `size`. Throws CliError. */
async function provenBundle(session: Session, size: number): Promise<Uint8Array> {
  const { context } = session;
  const deadline = context.now() + publicationMsMax;
  const id = newSubjectId('lic');
  for (;;) {
    const { text } = await session.admin().call('license.bundle', { params: { id } });
    const bundle = utf8(text);
    if (bundleSize(bundle) >= size) return bundle;
    if (context.now() > deadline) break;
    await context.sleep(publicationIntervalMs, context.signal);
  }
  throw unreachable(
    'The newest checkpoint is not published yet.',
    'Run this again once it is: see tally status.',
  );
}

async function verify(session: Session, path: string, flags: AttestFlags): Promise<void> {
  const { context, print } = session;
  const trust = await findTrust(flags, session.dataFolder);
  if (trust === null) throw usageError('Nothing is trusted yet.', 'Name the trust root with --trust-root.');
  const bytes = await readInput(path, context);
  const request = { pin: trust.pin.versions, namespace: trust.namespace };
  const proven = await verifyAttestationFile(bytes, request).catch((error: unknown) => {
    if (!(error instanceof IntegrityError)) throw error;
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: error.code,
      what: `${path} proves nothing: ${error.message}.`,
      todo: 'Do not rely on it; ask for another one.',
    });
  });
  const answer = answerOf(proven);
  print.answer(answer, () => [
    print.style('green', 'ATTESTED'),
    `by the signer of ${printable(answer.origin)}, at ${answer.at}, at log size ${answer.size}`,
    `the log is proven as of ${answer.provenAsOf}, at size ${answer.provenSize}`,
    '',
    ...print.table(answer.keys, [
      { title: 'KEY', value: ({ key }) => key },
      { title: 'USAGES', value: ({ usages }) => usages.join(' ') },
      { title: 'WHERE', value: describePlace },
      { title: 'DESTROYED SINCE', value: ({ destroyed }) => destroyed, align: 'right' },
    ]),
  ]);
}

function answerOf({ attestation, proven }: ProvenAttestation) {
  const { origin, at, size, keys } = attestation;
  return {
    origin,
    at,
    size,
    provenSize: proven.anchor.size,
    provenAsOf: instant(proven.anchor.asOf * 1000),
    keys: keys.map(({ publicKey, usages, ns, place, destroyed }) => {
      return { key: keyIdOf(publicKey), usages, ns, place, destroyed };
    }),
  };
}

function describePlace({ place }: Pick<AttestedKey, 'place'>): string {
  if (place === null) return 'not held';
  if (place.kind === 'sealed-file') return 'sealed file';
  if (place.kind === 'service')
    return `${printable(place.service)} at ${printable(place.address)}, ${printable(place.id)}`;
  const { token, label, extractable } = place;
  return `token ${printable(token)}, ${printable(label)}, ${extractable ? 'extractable' : 'not extractable'}`;
}
