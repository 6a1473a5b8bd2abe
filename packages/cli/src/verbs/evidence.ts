/** `tally evidence`: what a monitor found, judged by whoever has the trust root. */
import { base64, IntegrityError, keyIdOf } from '@tallystick/core';
import { type ProvenEvidence, verifyEvidence } from '@tallystick/witness';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { CliError, usageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { readInput } from '../files.ts';
import { findTrustFile, instant, openTrustFile } from '../offline/verify-file.ts';
import { printable, properties } from '../output/table.ts';
import { Session } from '../session.ts';

export function registerEvidence(program: Command, context: Context): void {
  const evidence = program.command('evidence').summary('check what a monitor found against a log');
  const command = evidence
    .command('verify')
    .argument('<file>', 'an evidence file; - for standard input')
    .summary('say what an evidence file proves, offline')
    .description(
      'Check an evidence file with the trust root and nothing else. Exit code 0 where it convicts the log, 2 where it ' +
        'proves nothing. Who wrote the file does not matter: what convicts a log is its own signatures.',
    )
    .option('--trust-root <file>', 'what is trusted (default: that of client.json)');
  command.action(async (path: string) => {
    const session = new Session(context, command);
    const file = findTrustFile(command.opts<{ trustRoot?: string }>(), session.dataFolder);
    if (file === undefined)
      throw usageError('Nothing is trusted yet.', 'Name the trust root with --trust-root.');
    const { versions } = await openTrustFile(file);
    const bytes = await readInput(path, context);
    const proven = await verifyEvidence(bytes, versions).catch((error: unknown) => {
      throw provesNothing(path, error);
    });
    const answer = answerOf(proven);
    session.print.answer(answer, () => [
      session.print.style('red', 'PROVEN'),
      ...answer.proves.map(printable),
      ...properties([
        ['log', printable(answer.origin)],
        ['kind', answer.kind],
        ['found', `${answer.at}, by monitor ${answer.by}`],
        ['signed both', answer.signedBoth.map(printable).join(', ') || 'no cosigner'],
      ]),
      '',
      ...session.print.table(answer.checkpoints, [
        { title: 'SIZE', value: ({ size }) => size, align: 'right' },
        { title: 'ROOT', value: ({ root }) => root },
        {
          title: 'COSIGNED BY',
          value: ({ cosigned }) => cosigned.map(({ name, at }) => `${printable(name)} at ${at}`).join(', '),
        },
      ]),
    ]);
  });
}

function provesNothing(path: string, error: unknown): unknown {
  if (!(error instanceof IntegrityError)) return error;
  return new CliError({
    exitCode: exitCodes.integrity,
    code: error.code,
    what: `${path} proves nothing: ${error.message}.`,
    todo: 'Do not rely on it. See that the trust root is the one of this log, and the file came whole.',
  });
}

function answerOf({ evidence, proves, checkpoints, signedBoth }: ProvenEvidence) {
  const { origin, at, by, found } = evidence;
  return {
    proven: true,
    kind: found.kind,
    origin,
    at,
    by: keyIdOf(by),
    proves,
    signedBoth,
    checkpoints: checkpoints.map(({ size, root, cosigned }) => ({
      size,
      root: base64(root),
      cosigned: [...cosigned].map(([name, seconds]) => ({ name, at: instant(seconds * 1000) })),
    })),
  };
}
