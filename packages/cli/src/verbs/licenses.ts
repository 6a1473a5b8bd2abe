/** The verbs about licenses, which stand at the top: they are what most people come for. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { type MutationVerb, registerMutation } from './mutations.ts';
import { registerHistory, registerList, registerShow } from './reads.ts';

const changing: readonly MutationVerb[] = [
  { command: 'license.amend', name: 'amend', summary: 'change what a license says' },
  { command: 'license.renew', name: 'renew', summary: 'extend a license' },
  { command: 'license.change_plan', name: 'change-plan', summary: 'move a license to another plan' },
  { command: 'license.suspend', name: 'suspend', summary: 'suspend a license' },
  { command: 'license.reinstate', name: 'reinstate', summary: 'lift the suspension of a license' },
  { command: 'license.revoke', name: 'revoke', summary: 'revoke a license, for good' },
  {
    command: 'license.replace',
    name: 'replace',
    summary: 'let another license take over; undoes a revocation',
  },
  { command: 'license.transfer', name: 'transfer', summary: 'give a license to another customer' },
  { command: 'license.rekey', name: 'rekey', summary: 'give a license a new license key' },
  { command: 'license.reissue', name: 'reissue', summary: 'sign a license anew' },
].map((verb) => ({ ...verb, argument: 'license' }) as MutationVerb);

export function registerLicenses(program: Command, context: Context): void {
  const issue = {
    command: 'license.issue',
    name: 'issue',
    summary: 'issue a license',
    argument: null,
  } as const;
  registerMutation(program, context, issue);
  registerList(program, context, 'license');
  registerShow(program, context, 'license');
  registerHistory(program, context, 'license');
  for (const verb of changing) registerMutation(program, context, verb);
}
