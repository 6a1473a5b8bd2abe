/** Schemas of what was asked and answered, as the access log has it. */
import { z } from 'zod';
import type { AccessItem, AccessPage, AccessRecordJson } from '../answers.ts';
import { instant, natural } from './scalars.ts';
import { described, oneOf, open } from './shape.ts';

/** Written by the server, cut where it was long. */
const recorded: z.ZodType<string> = z.string().max(256);

const accessRecord: z.ZodType<AccessRecordJson> = open<AccessRecordJson>({
  at: instant,
  requestId: recorded,
  zone: recorded,
  route: recorded,
  method: recorded,
  status: natural,
  code: recorded.nullable(),
  who: open<NonNullable<AccessRecordJson['who']>>({
    kind: recorded,
    id: recorded,
    credential: recorded,
    session: recorded.nullable(),
  }).nullable(),
  address: recorded,
  resource: open<{ type: string; id: string }>({ type: recorded, id: recorded }).nullable(),
  decision: open<NonNullable<AccessRecordJson['decision']>>({
    effect: oneOf(['allow', 'deny']),
    policy: recorded,
    reasons: z.array(recorded),
    entities: recorded,
  }).nullable(),
  why: recorded.nullable(),
});

const accessItem: z.ZodType<AccessItem> = open<AccessItem>({
  n: natural,
  leaf: natural.nullable(),
  record: accessRecord,
});

export const accessPage: z.ZodType<AccessPage> = open<AccessPage>({
  items: z.array(accessItem),
  nextCursor: z.string().nullable(),
  droppedBefore: described(instant.nullable(), 'Older records were dropped on purpose; null where none were'),
});
