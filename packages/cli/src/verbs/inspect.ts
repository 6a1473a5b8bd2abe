/** `tally inspect`: what is in a license file, which is not to say that it is true. */
import {
  type Bundle,
  type BundledSubject,
  decodeUtf8,
  parseBundle,
  parseRecordEntry,
} from '@tallystick/core';
import { type LicenseDocument, parseDocument } from '@tallystick/license';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, messageOf } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { exitCodeOfVerdict, findTrust, type Trust, verdictJson, verifyFile } from '../offline/verify-file.ts';
import { licenseRows } from '../output/documents.ts';
import type { Printer } from '../output/printer.ts';
import { properties } from '../output/table.ts';
import { Session } from '../session.ts';
import { describeVerification } from './verify.ts';

interface InspectFlags {
  trustRoot?: string;
  namespace?: string;
}

export function registerInspect(program: Command, context: Context): void {
  const command = program
    .command('inspect')
    .summary('show what is in a license file')
    .description('Show what is in a license file. Nothing of it is verified, unless a trust root is given.')
    .argument('<file>', 'license file; - for standard input')
    .option('--trust-root <file>', 'verify against this trust root, too')
    .option('--namespace <name>', 'the namespace of the vendor');
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags: InspectFlags = command.opts();
    const bytes = await readInput(file, context);
    const bundle = readBundle(bytes);
    const trust = flags.trustRoot === undefined ? null : await findTrust(flags, session.dataFolder);
    if (trust === null) {
      const json = { verified: null, ...contents(bundle) };
      session.print.answer(json, () => describeBundle(bundle, session.print));
    } else {
      await inspectVerified(session, bytes, bundle, trust);
    }
  });
}

async function inspectVerified(
  session: Session,
  bytes: Uint8Array,
  bundle: Bundle,
  trust: Trust,
): Promise<void> {
  const verification = await verifyFile(bytes, { trust, products: [], now: session.context.now(), need: [] });
  session.print.answer({ verified: verdictJson(verification), ...contents(bundle) }, () => [
    ...describeVerification(verification, trust, true, session.print),
    '',
    ...proofLines(bundle, session.print),
  ]);
  session.context.setExitCode(exitCodeOfVerdict(verification.verdict));
}

function readBundle(bytes: Uint8Array): Bundle {
  try {
    return parseBundle(bytes);
  } catch (error) {
    throw new CliError({
      exitCode: exitCodes.integrity,
      code: 'MALFORMED',
      what: `This is no license file: ${messageOf(error)}.`,
      todo: 'Fetch it again with tally bundle.',
    });
  }
}

function describeBundle(bundle: Bundle, print: Printer): string[] {
  const { id, state } = bundle.subjects.find((subject) => subject.id.startsWith('lic_')) ?? {
    id: null,
    state: null,
  };
  const license = state === null ? null : readLicense(state.document);
  return [
    print.style('yellow', 'NOT VERIFIED  This is what the file claims; see tally verify.'),
    ...properties([['license', id], ...(license === null ? [] : licenseRows(license))]),
    ...(state === null ? ['The file claims that there is no such license.'] : []),
    ...(state !== null && license === null
      ? ['The document of the license cannot be read by this version.']
      : []),
    '',
    ...proofLines(bundle, print),
  ];
}

function proofLines({ subjects, keys, trust, anchor }: Bundle, print: Printer): string[] {
  return [
    ...print.table(subjects, [
      { title: 'SUBJECT', value: ({ id }) => id },
      { title: 'ENTRY', value: ({ state }) => state?.index ?? null, align: 'right' },
      { title: 'RECORD', value: (subject) => recordOf(subject)?.type ?? null },
      { title: 'AT', value: (subject) => recordOf(subject)?.at ?? null },
      { title: 'DOCUMENT', value: ({ state }) => (state === null ? null : `${state.document.length} bytes`) },
    ]),
    `${keys.length} public keys, ${trust.length} trust roots after the pinned one; anchored at:`,
    ...anchor.entry
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}

/** What the entry claims; null where there is none that can be read. */
function recordOf({ state }: BundledSubject): { type: string; at: string } | null {
  if (state === null) return null;
  try {
    const { record } = parseRecordEntry(state.entry);
    return { type: record.type, at: record.at };
  } catch {
    // A file that claims nonsense is shown for what it is; to judge it is for verify.
    return null;
  }
}

function readLicense(document: Uint8Array): LicenseDocument | null {
  try {
    return parseDocument('license', JSON.parse(decodeUtf8(document)));
  } catch {
    // As above: what cannot be read is said to be so by the caller.
    return null;
  }
}

/** For programs: documents parsed as JSON where they are, the rest of the proofs left out. */
function contents({ subjects, keys, trust, anchor }: Bundle): object {
  return {
    subjects: subjects.map((subject) => ({
      id: subject.id,
      index: subject.state?.index ?? null,
      record: recordOf(subject),
      document: subject.state === null ? null : jsonOf(subject.state.document),
    })),
    keys: keys.map(({ alg }) => alg),
    trustRoots: trust.length,
    anchor: anchor.entry,
  };
}

function jsonOf(document: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(document));
  } catch {
    // Said as null: the claim is not even JSON.
    return null;
  }
}
