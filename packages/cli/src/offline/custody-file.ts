/** A custody report as it is handed out, and what can be said about it without the network. */
import { createHash } from 'node:crypto';
import {
  type CustodyVerification,
  custodyLines,
  custodyPdf,
  type ProvenCustody,
  verifyCustody,
} from '@tallystick/audit';
import { gapMeanings } from '@tallystick/core';
import { CliError, usageError } from '../errors.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import type { Printer } from '../output/printer.ts';
import { printable } from '../output/table.ts';
import { findTrustFile, instant, openTrustFile } from './verify-file.ts';

export interface CheckedReport {
  bytes: Uint8Array;
  /** In hexadecimal: by which pages name the report that they were made of. */
  sha256: string;
  verification: CustodyVerification;
}

/** Verifies a report with the trust root that flags name, or else `client.json`. Throws CliError. */
export async function checkReport(
  bytes: Uint8Array,
  flags: { trustRoot?: string },
  dataFolder: string,
): Promise<CheckedReport> {
  const file = findTrustFile(flags, dataFolder);
  if (file === undefined)
    throw usageError('Nothing is trusted yet.', 'Name the trust root with --trust-root.');
  const verification = await verifyCustody(bytes, (await openTrustFile(file)).versions);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex'), verification };
}

/** 0 sound, 1 sound with something missing that should be there, 2 altered or not provable. */
export function exitCodeOfReport({ proven }: CustodyVerification): ExitCode {
  if (proven === null) return exitCodes.integrity;
  return missingCount(proven) > 0 ? exitCodes.refused : exitCodes.ok;
}

export function missingCount({ gaps }: ProvenCustody): number {
  return gaps.filter(({ code }) => gapMeanings[code].kind === 'missing').length;
}

/** What `--json` shows. */
export function reportJson({ sha256, verification }: CheckedReport): object {
  const { findings, proven } = verification;
  if (proven === null) return { sound: false, sha256, findings, report: null };
  const { anchor, gaps } = proven;
  const report = {
    ...proven,
    anchor: {
      ...anchor,
      asOf: instant(anchor.asOf),
      cosigners: anchor.cosigners.map(({ name, at }) => ({ name, at: instant(at) })),
    },
    gaps: gaps.map((gap) => ({ ...gap, ...gapMeanings[gap.code] })),
  };
  return { sound: true, sha256, findings, report };
}

/** The verdict, and the report where there is one to show. */
export function describeReport({ bytes, verification }: CheckedReport, print: Printer): string[] {
  const { findings, proven } = verification;
  if (proven === null) {
    return [
      `${print.style('red', 'ALTERED')}  The report does not prove what it says: do not rely on it.`,
      ...findings.map(({ code, index, message }) => {
        const where = index === null ? '' : ` at entry ${index}`;
        return `${code}${where}: ${printable(message)}`;
      }),
    ];
  }
  const missing = missingCount(proven);
  const verdict =
    missing === 0
      ? `${print.style('green', 'SOUND')}  Everything that the report says is proven.`
      : `${print.style('yellow', 'SOUND, WITH GAPS')}  Everything that the report says is proven; ${missing} ${missing === 1 ? 'thing is' : 'things are'} missing.`;
  return [verdict, '', ...custodyLines(proven, bytes)];
}

/** The report as a PDF; throws CliError where it does not hold. */
export async function reportPdf({ bytes, verification }: CheckedReport): Promise<Uint8Array> {
  return custodyPdf(demandProven(verification), bytes);
}

/** Throws CliError where a report does not hold. */
export function demandProven({ proven, findings }: CustodyVerification): ProvenCustody {
  if (proven !== null) return proven;
  const [first] = findings;
  const where = first?.index == null ? '' : ` (entry ${first.index})`;
  throw new CliError({
    exitCode: exitCodes.integrity,
    code: first?.code ?? 'MALFORMED',
    what: `The report does not prove what it says: ${first?.message ?? 'nothing in it holds'}${where}.`,
    todo: 'Do not rely on it. See that the trust root is the one of this log, and ask those who run the server.',
  });
}
