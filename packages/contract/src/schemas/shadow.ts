/** Schemas of holding a policy against what was decided. */
import { z } from 'zod';
import type {
  Flip,
  PolicyShadowBody,
  ShadowAnswer,
  ShadowProgress,
  ShadowReport,
} from '../shadow-answers.ts';
import { policyContent } from './gate.ts';
import { hash, instant, natural } from './scalars.ts';
import { closed, described, oneOf, open } from './shape.ts';

const { schema, policies } = policyContent;
const said: z.ZodType<string> = z.string().max(4096);

export const policyShadow: z.ZodType<PolicyShadowBody> = closed<PolicyShadowBody>({
  schema,
  policies,
  from: described(instant, 'Not before; left out: everything').exactOptional(),
  to: described(instant, 'Before; left out: until now, which publishing asks for').exactOptional(),
});

const flip: z.ZodType<Flip> = open<Flip>({
  was: oneOf(['allow', 'deny']),
  times: natural,
  since: instant,
  at: instant,
  log: described(oneOf(['main', 'access']), 'Which log n is a place in'),
  n: natural,
  action: said,
  principal: said,
  roles: z.array(said),
  product: said.nullable(),
  reasons: z.array(said),
  errors: z.array(said),
  lacks: oneOf(['step_up', 'reason', 'signature']).nullable(),
});

export const shadowAnswer: z.ZodType<ShadowAnswer> = open<ShadowAnswer>({
  progress: described(
    open<ShadowProgress>({ step: oneOf(['entries', 'leaves']), done: natural, total: natural }).nullable(),
    'How far it is; null with the report',
  ),
  report: open<ShadowReport>({
    policy: hash,
    schema: hash,
    at: instant,
    from: instant.nullable(),
    to: instant.nullable(),
    decisions: natural,
    unknown: described(natural, 'Decisions that could not be made again'),
    dropped: described(natural, 'Requests whose records were dropped on purpose'),
    denied: described(natural, 'Would be denied, and were not'),
    allowed: described(natural, 'Would be allowed, and were not'),
    flips: z.array(flip),
  }).nullable(),
});
