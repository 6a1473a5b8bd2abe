/** How the routes that only read are put together. */
import type { z } from 'zod';
import type { HistoryItem, Page } from '../answers.ts';
import type { Listed } from '../documents.ts';
import type { IdParams, Nothing, PageQuery } from '../inputs.ts';
import type { ProblemCode } from '../problems.ts';
import { authProblems, commonProblems, jsonMediaType, type Operation, type Route } from '../route.ts';
import { histories, pageOf } from '../schemas/answers.ts';
import { idParams, noHeaders, nothing, pageQuery } from '../schemas/inputs.ts';

export interface Read<Answer, Params = Nothing, Query = Nothing> extends Operation {
  params: Params;
  query: Query;
  headers: Nothing;
  body: null;
  answer: Answer;
}

/** The members in which routes that read differ; the rest has defaults for an administrator's GET of JSON. */
export type ReadOptions<O extends Operation> = Pick<Route<O>, 'name' | 'path' | 'tag' | 'summary'> &
  Partial<Pick<Route<O>, 'zones' | 'auth' | 'params' | 'query' | 'headers'>> & {
    /** null where the answer is not JSON. */
    schema: z.ZodType<O['answer']> | null;
    description: string;
    mediaType?: string;
    problems?: readonly ProblemCode[];
  };

export function read<O extends Operation>(options: ReadOptions<O>): Route<O> {
  const { schema, description, mediaType = jsonMediaType, problems = [], ...rest } = options;
  const auth = options.auth ?? 'admin';
  return {
    method: 'GET',
    zones: ['admin'],
    params: nothing,
    query: nothing,
    headers: noHeaders,
    ...rest,
    auth,
    body: null,
    bodyLimit: 0,
    answers: { 200: { description, mediaType, schema } },
    problems: [...commonProblems, ...(auth === 'none' ? [] : authProblems), ...problems],
    mutation: false,
    command: null,
  };
}

/** What path parameters of subjects may say. */
export const subjectParams: { readonly [T in Listed]: z.ZodType<IdParams> } = {
  product: idParams('Id or code of a product'),
  plan: idParams('Id or code of a plan'),
  customer: idParams('Id or reference of a customer'),
  license: idParams('Id of a license'),
  principal: idParams('Id of a principal'),
  credential: idParams('Id of a credential'),
  approval: idParams('Id of a request for approval'),
};

export const plurals = {
  product: 'products',
  plan: 'plans',
  customer: 'customers',
  license: 'licenses',
  principal: 'principals',
  credential: 'credentials',
  approval: 'approvals',
} as const;

/** The three reads that every kind of subject has. */
export interface SubjectReads<T extends Listed, Item, Query> {
  list: Route<Read<Page<Item>, Nothing, Query>>;
  get: Route<Read<Item, IdParams>>;
  history: Route<Read<Page<HistoryItem<T>>, IdParams, PageQuery>>;
}

export function subjectReads<T extends Listed, Item, Query>(
  type: T,
  item: z.ZodType<Item>,
  query: z.ZodType<Query>,
): SubjectReads<T, Item, Query> {
  const tag = plurals[type];
  const path = `/v1/${tag}`;
  const params = subjectParams[type];
  return {
    list: read({
      name: `${type}.list`,
      path,
      tag,
      summary: `List ${tag}, newest first`,
      query,
      schema: pageOf(item),
      description: 'One page',
      problems: ['integrity'],
    }),
    get: read({
      name: `${type}.get`,
      path: `${path}/:id`,
      tag,
      summary: `Get a ${type} at its newest revision`,
      params,
      schema: item,
      description: `The ${type}, checked against its commitment in the log`,
      problems: ['subject_unknown', 'integrity'],
    }),
    history: read({
      name: `${type}.history`,
      path: `${path}/:id/history`,
      tag,
      summary: `List the revisions of a ${type}, newest first`,
      params,
      query: pageQuery,
      schema: pageOf(histories[type]),
      description: 'One page of revisions, with who made them and why',
      problems: ['subject_unknown', 'integrity'],
    }),
  };
}
