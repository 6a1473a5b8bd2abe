/** Schemas of answers about sessions. */
import { z } from 'zod';
import type {
  CurrentCaller,
  SessionEnded,
  SessionList,
  SessionListQuery,
  SessionView,
} from '../session-answers.ts';
import { flag, withDefault } from './inputs.ts';
import { boolean, instant, integer, text } from './scalars.ts';
import { closed, described, oneOf, open } from './shape.ts';

const SESSIONS_MAX = 100_000;

const id: z.ZodType<string> = z.string().max(64);
const address: z.ZodType<string> = z.string().max(64);
const strength: z.ZodType<number> = described(
  integer(1, 3),
  '1 a bearer secret; 2 two factors, or proof of possession of a key; 3 a phishing-resistant key',
);

const session: z.ZodType<SessionView> = open<SessionView>({
  id,
  principal: id,
  credential: id,
  strength,
  authenticatedAt: instant,
  steppedUpAt: instant.nullable(),
  startedAt: instant,
  seenAt: instant,
  address,
  agent: z.string().max(64),
  current: boolean,
});

export const sessionList: z.ZodType<SessionList> = open<SessionList>({
  items: z.array(session).max(SESSIONS_MAX),
});

export const sessionEnded: z.ZodType<SessionEnded> = open<SessionEnded>({ ended: id });

export const currentCaller: z.ZodType<CurrentCaller> = open<CurrentCaller>({
  principal: id,
  kind: oneOf(['person', 'service', 'partner', 'bootstrap', 'mirror']),
  name: text.nullable(),
  roles: z.array(
    open<CurrentCaller['roles'][number]>({
      role: z.string().max(64),
      products: z.array(id).nullable(),
      until: instant.nullable(),
    }),
  ),
  credential: id,
  session: id.nullable(),
  strength,
  authenticatedAt: instant,
  steppedUpAt: instant.nullable(),
  address,
  networks: z.array(z.string().max(64)),
  device: open<NonNullable<CurrentCaller['device']>>({
    id: z.string().max(200).nullable(),
    managed: boolean,
    encrypted: boolean,
    attested: boolean,
  }).nullable(),
  signed: boolean,
});

export const sessionListQuery: z.ZodType<SessionListQuery> = closed<SessionListQuery>({
  all: described(withDefault(flag, false), "true asks for everybody's sessions, false for the caller's own"),
});
