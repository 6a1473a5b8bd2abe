/** `tally up`: runs a system in the foreground, making one first where there is none. */
import { readFileSync } from 'node:fs';
import { entitledFrom } from '@tallystick/core';
import { isId } from '@tallystick/license';
import { layoutOf, Supervisor, type SystemDescription } from '@tallystick/server';
import { type Command, InvalidArgumentError } from 'commander';
import type { Context } from '../context.ts';
import { CliError, interrupted, messageOf } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { isThere } from '../files.ts';
import type { CurrentTrust } from '../governing/current.ts';
import { gateKeyLack } from '../governing/gate-key.ts';
import type { Printer } from '../output/printer.ts';
import { Session } from '../session.ts';
import { addInitFlags, type InitFlags, runInit } from './init.ts';

interface UpFlags extends InitFlags {
  actAlone?: string;
}

export function registerUp(program: Command, context: Context): void {
  const command = addInitFlags(
    program
      .command('up')
      .summary('run the system of the data folder, and make one first where there is none')
      .description(
        'Run the system of the data folder in the foreground: server, signer, and the cosigners that are in it: two witnesses and a replayer at first. The options below count only where a system has to be made first, but for --act-alone.',
      ),
  ).option(
    '--act-alone <principal>',
    'while this runs, no rule for approvals holds this principal up: where the others are gone',
    asPrincipal,
  );
  command.action(async () => {
    const session = new Session(context, command);
    await runUp(session.dataFolder, command.opts<UpFlags>(), context, session.print);
  });
}

/** Runs until SIGINT or SIGTERM. */
async function runUp(data: string, flags: UpFlags, context: Context, printer: Printer): Promise<void> {
  const layout = layoutOf(data);
  const isNew = !isThere(layout.system);
  if (isNew) await runInit(data, flags, context, printer);
  const { actAlone } = flags;
  const supervisor = await start(data, actAlone === undefined ? {} : { mayActAlone: actAlone }, printer);
  if (actAlone !== undefined) printer.say(`Rules for approvals do not bind ${actAlone} while this runs.`);
  try {
    const writes = await untilReady(supervisor.urls.ops, context, printer);
    const lack = writes ? await lackOf(supervisor) : null;
    printer.answer({ data: layout.root, ...supervisor.urls, writes }, () => [
      ...nextSteps(supervisor, { isNew, writes }),
      ...(lack === null ? [] : [lack, '']),
    ]);
    await aborted(context.signal);
  } finally {
    printer.say('Stopping: finishing what is under way.');
    await supervisor.stop();
  }
}

/** What keeps anybody from being let in; null also where it cannot be found out, which is told in other ways. */
async function lackOf({ urls, layout }: Supervisor): Promise<string | null> {
  const { ns } = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
  const ask = async (path: string): Promise<string> => {
    const answer = await fetch(`${urls.public}${path}`, { signal: AbortSignal.timeout(5000) });
    return answer.ok ? answer.text() : '';
  };
  try {
    const [trust, checkpoint] = await Promise.all([ask(`/trust/${ns}`), ask('/log/checkpoint')]);
    const { namespace, brake } = JSON.parse(trust) as Pick<CurrentTrust, 'namespace' | 'brake'>;
    const size = Number(checkpoint.split('\n')[1]);
    return gateKeyLack(entitledFrom(namespace.document, brake.document, 'gate', size), size);
  } catch {
    // A listener with certificates does not answer this process; tally status says the same.
    return null;
  }
}

function asPrincipal(value: string): string {
  if (isId('prn', value)) return value;
  throw new InvalidArgumentError('Give the id of a principal, prn_…; see tally principal list.');
}

async function start(data: string, server: { mayActAlone?: string }, printer: Printer): Promise<Supervisor> {
  try {
    return await Supervisor.start(
      { directory: data, server },
      {
        onLine: (process, line) => {
          if (!line.startsWith('{"progress"')) printer.say(`${process}: ${line}`);
        },
        onRestart: (process, cause) => printer.say(`${process} ended (${cause}): starting it again`),
      },
    );
  } catch (error) {
    throw new CliError({
      exitCode: exitCodes.unavailable,
      code: 'not_started',
      what: `The system did not start: ${messageOf(error)}.`,
      todo: 'Correct that and run it again; nothing was changed.',
    });
  }
}

/** Waits for the first checkpoint; says once why it takes long. False where another server writes the log. */
async function untilReady(opsUrl: string, context: Context, printer: Printer): Promise<boolean> {
  for (let tries = 0; !context.signal.aborted; tries++) {
    const answer = await fetch(`${opsUrl}/readyz`, { signal: AbortSignal.timeout(5000) }).catch(() => null);
    if (answer?.status === 200) return true;
    const report = (await answer?.json().catch(() => null)) as {
      mutations?: { reasons: { code: string; detail: string }[] };
    } | null;
    const { code, detail: reason } = report?.mutations?.reasons[0] ?? {};
    if (code === 'standby') {
      printer.say(`It follows the log: ${reason}.`);
      return false;
    }
    if (tries === 40) printer.say(`Not ready for changes yet: ${reason ?? 'the server does not answer'}`);
    if (tries > 40 && report !== null && reason?.includes('missing') === true) return true;
    await context.sleep(100, context.signal);
  }
  throw interrupted();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function nextSteps(
  { urls, layout }: Supervisor,
  { isNew, writes }: { isNew: boolean; writes: boolean },
): string[] {
  const { cosigners } = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
  const running = [
    writes
      ? 'Tallystick is running.'
      : 'Tallystick is running, and follows a log that another server writes.',
    '',
    `  clients          ${urls.public}`,
    `  administrators   ${urls.admin}`,
    `  operators        ${urls.ops}/metrics`,
    '',
    ...(cosigners.length === 0
      ? []
      : [
          `Cosigners run on this machine, too (${cosigners.length}): they prove growth, and nothing about independence.`,
          '',
        ]),
  ];
  if (!isNew) return running;
  const here = layout.root === layoutOf('data').root ? '' : ` --data ${layout.root}`;
  return [
    ...running,
    'In a second terminal:',
    '',
    `  npx tally product create --code editor --name "Editor" --entitlement pdf=boolean${here}`,
    `  npx tally plan create --product editor --code editor-pro --name "Editor Pro" --length P1Y --entitlement pdf=true${here}`,
    `  npx tally issue --plan editor-pro --licensee "Contoso GmbH" --out contoso.tally${here}`,
    `  npx tally verify contoso.tally --product editor${here}`,
    '',
    'Stop it with Ctrl-C.',
  ];
}
