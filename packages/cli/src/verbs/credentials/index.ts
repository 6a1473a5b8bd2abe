/** `tally credential`: what principals show to be let in. */
import { type Command, Option } from 'commander';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors.ts';
import { asDuration, asInstant, asList } from '../../flags/values.ts';
import { Session } from '../../session.ts';
import { addCommonFlags, type MutationVerb, registerMutation } from '../mutations.ts';
import { registerHistory, registerList, registerShow } from '../reads.ts';
import { type MakeFlags, makeCredential } from './make.ts';

const kinds = ['api_key', 'http_signature', 'spiffe', 'oidc'] as const;

const verbs: readonly MutationVerb[] = [
  {
    command: 'credential.expire',
    name: 'expire',
    summary: 'set the end of a credential',
    argument: 'credential',
  },
  {
    command: 'credential.revoke',
    name: 'revoke',
    summary: 'revoke a credential, for good',
    argument: 'credential',
  },
];

interface CreateFlags extends MakeFlags {
  principal: string;
  kind: (typeof kinds)[number];
  name: string;
  until?: string;
  actions?: string[];
  products?: string[];
  networks?: string[];
}

interface RotateFlags extends MakeFlags {
  overlap?: string;
  until?: string;
}

export function registerCredentials(program: Command, context: Context): void {
  const summary = 'keys of services and partners, and what else lets somebody in';
  const family = program.command('credential').summary(summary).description(`${summary}.`);
  registerCreate(family, context);
  registerRotate(family, context);
  for (const verb of verbs) registerMutation(family, context, verb);
  registerList(family, context, 'credential');
  registerShow(family, context, 'credential');
  registerHistory(family, context, 'credential');
}

const secretOut = [
  '--secret-out <file>',
  'write the secret there, for you alone, instead of showing it',
] as const;

function registerCreate(family: Command, context: Context): void {
  const command = family
    .command('create')
    .summary('create a credential; its secret is made here')
    .description(
      'Create a credential of a service or partner. An API key or a signing key is made on this machine; the server is ' +
        'told its hash or its public half. Whoever has the secret is the principal.',
    )
    .requiredOption('--principal <principal>', 'id of the principal whose it will be')
    .addOption(
      new Option(
        '--kind <kind>',
        'api_key, http_signature to sign requests, spiffe for a certificate, or oidc for a person of another issuer',
      )
        .choices(kinds)
        .default('api_key'),
    )
    .requiredOption('--name <name>', 'what people know it by')
    .option('--until <instant>', 'when it ends', asInstant)
    .option('--actions <actions>', 'what it is for at most, such as license.issue,license.get', asList)
    .option('--products <products>', 'ids or codes of the products that it is for', asList)
    .option('--networks <ranges>', 'where it counts, such as 10.0.0.0/8', asList)
    .option('--public-key <file>', 'of a signing key that was made elsewhere, in PEM')
    .option('--spiffe-id <id>', 'of a workload, such as spiffe://vendor.example/billing')
    .option('--issuer <url>', 'of a person, as the configuration of the server has it')
    .option('--subject <subject>', 'of a person, as the issuer calls it: the claim sub')
    .option(...secretOut);
  addCommonFlags(command);
  command.action(async () => {
    const flags: CreateFlags = command.opts();
    const { principal, kind, name, until, actions = null, products = null, networks = null } = flags;
    const scope = { actions, products, networks };
    const wanted = { principal, kind, name, scope, ...(until === undefined ? {} : { notAfter: until }) };
    await makeCredential(new Session(context, command), wanted, flags);
  });
}

function registerRotate(family: Command, context: Context): void {
  const command = family
    .command('rotate')
    .summary('replace a key by a new one; the old one goes on for a while')
    .description(
      'Make a new key for the same principal, with the same scope. The old one ends after the overlap.',
    )
    .argument('<credential>')
    .option('--overlap <duration>', 'how long the old one goes on (default: PT24H)', asDuration)
    .option('--until <instant>', 'when the new one ends', asInstant)
    .option('--public-key <file>', 'of a signing key that was made elsewhere, in PEM')
    .option(...secretOut);
  addCommonFlags(command);
  command.action(async (id: string) => {
    const session = new Session(context, command);
    const flags: RotateFlags = command.opts();
    const { value } = await session.admin().call('credential.get', { params: { id } });
    const { principal, kind, name, scope, notAfter } = value.document;
    if (notAfter !== null && flags.until === undefined) {
      throw usageError(`${id} ends at ${notAfter}.`, 'Say when the new one does, with --until.');
    }
    if (kind !== 'api_key' && kind !== 'http_signature') {
      throw usageError(`${id} is of the kind ${kind}, which has no key to replace.`, 'Create another one.');
    }
    const { overlap, until } = flags;
    const ends = {
      ...(overlap === undefined ? {} : { overlap }),
      ...(until === undefined ? {} : { notAfter: until }),
    };
    await makeCredential(session, { principal, kind, name, scope, replaces: id, ...ends }, flags);
  });
}
