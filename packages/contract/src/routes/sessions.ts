/** Routes about who is logged in at this server. */
import type { IdParams, Nothing } from '../inputs.ts';
import type { Operation, Route } from '../route.ts';
import { idParams } from '../schemas/inputs.ts';
import { currentCaller, sessionEnded, sessionList, sessionListQuery } from '../schemas/sessions.ts';
import type { CurrentCaller, SessionEnded, SessionList, SessionListQuery } from '../session-answers.ts';
import { type Read, read } from './reads.ts';

/** It ends what only this server knows of, and puts nothing into the log. */
export interface EndSession extends Operation {
  params: IdParams;
  query: Nothing;
  headers: Nothing;
  body: null;
  answer: SessionEnded;
}

export interface SessionRoutes {
  'session.list': Route<Read<SessionList, Nothing, SessionListQuery>>;
  'session.current': Route<Read<CurrentCaller>>;
  'session.end': Route<EndSession>;
}

export const sessionRoutes: SessionRoutes = {
  'session.list': read({
    name: 'session.list',
    path: '/v1/sessions',
    tag: 'sessions',
    summary: 'List sessions at this server, newest first',
    query: sessionListQuery,
    schema: sessionList,
    description: 'The sessions that have not ended',
  }),
  'session.current': read({
    name: 'session.current',
    path: '/v1/sessions/current',
    tag: 'sessions',
    summary: 'Say who is asking, and how that was proven',
    schema: currentCaller,
    description: 'The caller as the server sees it',
  }),
  'session.end': {
    ...read<EndSession>({
      name: 'session.end',
      path: '/v1/sessions/:id/end',
      tag: 'sessions',
      summary: 'End a session at once',
      params: idParams('Id of a session'),
      schema: sessionEnded,
      description: 'It has ended',
      problems: ['subject_unknown'],
    }),
    method: 'POST',
  },
};
