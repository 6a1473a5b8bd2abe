/** `tally monitor`: watches logs and their cosigners from outside. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { registerMonitorInit } from './init.ts';
import { registerMonitorRun } from './run.ts';

export function registerMonitor(program: Command, context: Context): void {
  const monitor = program
    .command('monitor')
    .summary('watch logs from outside, and prove what contradicts itself in them')
    .description(
      'A monitor takes what the cosigners of a log hold, and sees that everything the log shows leads there: growth, ' +
        'entries, map, promises, freshness. It needs nothing of the system that it watches but public addresses, the ' +
        'trust root and, for the entries, a mirror token.',
    );
  registerMonitorInit(monitor, context);
  registerMonitorRun(monitor, context);
}
