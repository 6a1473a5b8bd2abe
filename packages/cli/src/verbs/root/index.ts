/** `tally root`: the ceremony in which people make, review and sign the next version of the trust root, offline. */
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { registerJoin } from './join.ts';
import { registerKey } from './key.ts';
import { registerPropose } from './propose.ts';
import { registerPublish } from './publish.ts';
import { registerShow } from './show.ts';
import { registerSign } from './sign.ts';
import { registerVerifyRoot } from './verify.ts';

export function registerRoot(program: Command, context: Context): void {
  const root = program
    .command('root')
    .summary('make, review and sign the next trust root, offline')
    .description(
      'The root ceremony: people with a key of their own each make, review and sign the next version of the trust ' +
        'root. Only publishing it needs a running system. "tally init" makes version 1.',
    );
  for (const register of [
    registerKey,
    registerPropose,
    registerShow,
    registerSign,
    registerJoin,
    registerVerifyRoot,
    registerPublish,
  ]) {
    register(root, context);
  }
}
