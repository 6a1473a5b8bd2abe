/** Handlers of the routes by which people are let in without a browser. */
import type { LoggedIn, LoginDescription } from '@tallystick/contract';
import { cliClient, LoginError, type Proven } from '@tallystick/gate/login';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { Handlers } from './handlers.ts';
import type { RequestContext } from './request-context.ts';

type LoginHandlers = Pick<
  Handlers,
  'login.describe' | 'login.password' | 'enrollment.begin' | 'enrollment.finish'
>;

export const loginHandlers: LoginHandlers = {
  'login.describe': async (_, { login: { origin, codesStepUp } }) => {
    const at = (path: string): string => `${origin()}/${path}`;
    const described: LoginDescription = {
      issuer: at('issuer'),
      clientId: cliClient,
      page: at('login'),
      devicePage: at('login/device'),
      invitationPage: at('login/invitation'),
      codesStepUp,
    };
    return JSON.stringify(described);
  },
  'login.password': ({ body: { account, ...given } }, context) =>
    letIn(context, ({ accounts }) => accounts.logIn(account, { ...given, address: context.peer.address })),
  'enrollment.begin': async ({ body: { invitation } }, context) =>
    toldAsProblem(async () => {
      const { enrollment } = context.login;
      const { id, name, email } = enrollment.invited(invitation);
      const offer = { principal: id, name, account: email ?? id, ...enrollment.seed(invitation) };
      return JSON.stringify(offer);
    }),
  'enrollment.finish': ({ body: { invitation, ...given } }, context) =>
    letIn(context, ({ enrollment }) =>
      enrollment.withPassword(invitation, { ...given, address: context.peer.address }),
    ),
};

function letIn(
  context: RequestContext,
  prove: (login: RequestContext['login']) => Promise<Proven>,
): Promise<string> {
  return toldAsProblem(async () => {
    const proven = await prove(context.login);
    const begun = await context.login.sessions.begin({ ...proven, ...context.peer });
    const { principal, strength, steppedUpAt } = proven;
    const name = context.gate.directory.principal(principal)?.name ?? principal;
    const answer: LoggedIn = { ...begun, principal, name, strength, steppedUpAt };
    return JSON.stringify(answer);
  });
}

async function toldAsProblem(answer: () => Promise<string>): Promise<string> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof LoginError) throw new ServiceProblem(error.code, error.message);
    throw error;
  }
}
