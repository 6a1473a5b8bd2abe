/** `tally verify`: the verdict on a license file, offline. */
import { type Finding, isInstant, type Need, type Release } from '@tallystick/license';
import type { Verification } from '@tallystick/sdk';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import { usageError } from '../errors.ts';
import { readInput } from '../files.ts';
import { asInstant } from '../flags/values.ts';
import {
  exitCodeOfVerdict,
  findTrust,
  instant,
  type Trust,
  verdictJson,
  verifyFile,
} from '../offline/verify-file.ts';
import { licenseRows } from '../output/documents.ts';
import type { Printer } from '../output/printer.ts';
import { printable, properties } from '../output/table.ts';
import { Session } from '../session.ts';

interface VerifyFlags {
  trustRoot?: string;
  namespace?: string;
  product?: string[];
  at?: string;
  release?: Release;
  need?: Need[];
}

export function registerVerify(program: Command, context: Context): void {
  const command = program
    .command('verify')
    .summary('verify a license file, offline')
    .description(
      [
        'Verify a license file without any network.',
        '',
        'Exit code: 0 valid; 1 genuine but not valid; 2 altered, not provable, or about something else; 3 usage.',
        'Each run starts afresh: it remembers no earlier file, as the SDK in an application does.',
      ].join('\n'),
    )
    .argument('<file>', 'license file; - for standard input')
    .option('--trust-root <file>', 'what is trusted (default: that of client.json)')
    .option('--namespace <name>', 'the namespace of the vendor')
    .option(
      '--product <product>',
      'id or code; repeatable (default: whatever product the license is for)',
      collect,
    )
    .option('--at <instant>', 'judge as of this time instead of now', asInstant)
    .option('--release <version@date>', 'a release of the application, such as 3.2.0@2026-05-01', asRelease)
    .option(
      '--need <entitlement[=value]>',
      'what the application needs; repeatable; tokens:500 for an amount',
      asNeed,
    );
  command.action(async (file: string) => {
    const session = new Session(context, command);
    const flags: VerifyFlags = command.opts();
    const trust = await findTrust(flags, session.dataFolder);
    if (trust === null) throw usageError('Nothing is trusted yet.', 'Name the trust root with --trust-root.');
    const verification = await verifyFile(await readInput(file, context), {
      trust,
      products: flags.product ?? [],
      now: flags.at === undefined ? context.now() : Date.parse(flags.at),
      need: flags.need ?? [],
      ...(flags.release === undefined ? {} : { release: flags.release }),
    });
    session.print.answer(verdictJson(verification), () =>
      describeVerification(verification, trust, flags.product !== undefined, session.print),
    );
    context.setExitCode(exitCodeOfVerdict(verification.verdict));
  });
}

export function describeVerification(
  { verdict, license, proven }: Verification,
  trust: Trust,
  isProductAsked: boolean,
  print: Printer,
): string[] {
  const head = verdict.valid ? print.style('green', 'VALID') : print.style('red', verdict.code);
  const contact = [verdict.contact?.name, verdict.contact?.email, verdict.contact?.url]
    .filter(Boolean)
    .join(', ');
  return [
    `${head}  ${verdict.findings[0]?.message ?? 'The license is valid.'}`,
    ...verdict.findings.slice(1).map((finding) => findingLine('also', finding)),
    ...verdict.warnings.map((finding) => findingLine('warning', finding)),
    ...properties([
      ['why', reasonOf(verdict.findings[0])],
      ['what to do', verdict.remedy],
      ['contact', contact === '' ? null : contact],
      ['proven as of', instant(proven?.asOf ?? null)],
      ['changes at', instant(verdict.changesAt)],
      ['trusted', `${trust.file}, namespace ${trust.namespace}`],
      ['license', license?.id ?? proven?.licenseId ?? null],
      ...(license === null ? [] : licenseRows(license)),
    ]),
    ...(isProductAsked || license === null ? [] : ['No --product was asked for: any product was accepted.']),
  ];
}

function findingLine(kind: string, { code, message }: Finding): string {
  return `${kind}: ${code}  ${message}`;
}

function reasonOf(finding: Finding | undefined): string | null {
  const reason = finding?.details?.['reason'] ?? null;
  return reason === null ? null : printable(String(reason));
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function asRelease(text: string): Release {
  const [version = '', date = ''] = text.split('@');
  const at = asInstant(date);
  const major = /^v?(\d{1,9})(?:\.|$)/.exec(version)?.[1];
  if (major === undefined || !isInstant(at))
    throw new InvalidArgumentError('Give a release such as 3.2.0@2026-05-01.');
  return { date: at, major: Number(major) };
}

function asNeed(text: string, before: Need[] | undefined): Need[] {
  const amount = /^([^=:]+):(\d{1,16})$/.exec(text);
  if (amount !== null)
    return [...(before ?? []), { entitlement: amount[1] ?? '', amount: Number(amount[2]) }];
  const at = text.indexOf('=');
  if (at < 0) return [...(before ?? []), { entitlement: text }];
  const value = text.slice(at + 1);
  const read =
    value === 'true' ? true : value === 'false' ? false : /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  return [...(before ?? []), { entitlement: text.slice(0, at), value: read }];
}
