/** Handlers about sessions, which this thread has, and the ledger's thread judges. */
import type { CurrentCaller, SessionView } from '@tallystick/contract';
import type { Session } from '@tallystick/gate';
import { ServiceProblem } from '../ledger-thread/service-problem.ts';
import type { Handlers } from './handlers.ts';
import type { RequestContext } from './request-context.ts';

export const sessionHandlers: Pick<Handlers, 'session.list' | 'session.current' | 'session.end'> = {
  'session.list': async ({ query }, context) => {
    const { principal } = callerOf(context);
    await context.call('maySessions', { owner: query.all ? null : principal });
    const sessions = context.gate.sessions.list();
    const shown = query.all ? sessions : sessions.filter((session) => session.principal === principal);
    return JSON.stringify({ items: shown.map((session) => viewOf(session, context)) });
  },
  'session.current': async (_, context) => {
    const caller = callerOf(context);
    await context.call('maySessions', { owner: caller.principal });
    const { signed, purpose: _purpose, ...known } = caller;
    const principal = context.gate.directory.principal(caller.principal);
    const answer: CurrentCaller = {
      ...known,
      name: principal?.name ?? null,
      roles: principal?.roles ?? [],
      signed: signed !== null,
    };
    return JSON.stringify(answer);
  },
  'session.end': async ({ params: { id } }, context) => {
    const { sessions } = context.gate;
    const absent = new ServiceProblem('subject_unknown', `there is no session ${id}`);
    const owner = sessions.get(id)?.principal ?? null;
    try {
      await context.call('maySessions', { owner });
    } catch (error) {
      // Whose it is, and that it is, is nobody else's business.
      throw error instanceof ServiceProblem && error.code === 'forbidden' ? absent : error;
    }
    if (!sessions.end(id)) throw absent;
    return JSON.stringify({ ended: id });
  },
};

function callerOf({ caller }: RequestContext): NonNullable<RequestContext['caller']> {
  if (caller === null) throw new ServiceProblem('unauthorized');
  return caller;
}

function viewOf(session: Session, { caller }: RequestContext): SessionView {
  const { device: _device, ...shown } = session;
  return { ...shown, current: session.id === caller?.session };
}
