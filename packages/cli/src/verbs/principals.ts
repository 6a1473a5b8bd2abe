/** `tally principal`: who may use a system. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { type MutationVerb, registerMutation } from './mutations.ts';
import { registerHistory, registerList, registerShow } from './reads.ts';

const verbs: readonly MutationVerb[] = [
  {
    command: 'principal.create',
    name: 'create',
    summary: 'create a person, service or partner',
    argument: null,
  },
  { command: 'principal.update', name: 'update', summary: 'change a principal', argument: 'principal' },
  {
    command: 'principal.assign',
    name: 'assign',
    summary: 'replace the roles of a principal',
    argument: 'principal',
  },
  {
    command: 'principal.grant',
    name: 'grant',
    summary: 'give a principal one more role for a time',
    argument: 'principal',
  },
  {
    command: 'principal.disable',
    name: 'disable',
    summary: 'let a principal in no more; its sessions end at once',
    argument: 'principal',
  },
  { command: 'principal.enable', name: 'enable', summary: 'let a principal in again', argument: 'principal' },
];

export function registerPrincipals(program: Command, context: Context): void {
  const summary = 'people, services and partners, and their roles';
  const family = program.command('principal').summary(summary).description(`${summary}.`);
  for (const verb of verbs) registerMutation(family, context, verb);
  registerList(family, context, 'principal');
  registerShow(family, context, 'principal');
  registerHistory(family, context, 'principal');
}
