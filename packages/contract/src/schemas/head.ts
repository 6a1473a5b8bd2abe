/** What every document begins with. */
import { z } from 'zod';
import type { DocumentHead, SubjectType } from '../documents.ts';
import { memberName, namespaceName, natural } from './scalars.ts';
import type { Shape } from './shape.ts';

const CRITICAL_MAX = 20;

export function head<T extends SubjectType>(type: T, id: z.ZodType<string>): Shape<DocumentHead<T>> {
  const shape: Shape<DocumentHead<SubjectType>> = {
    v: z.literal(1),
    type: z.literal(type),
    ns: namespaceName,
    id,
    rev: natural,
    crit: z.array(memberName).max(CRITICAL_MAX),
  };
  return shape as unknown as Shape<DocumentHead<T>>;
}
