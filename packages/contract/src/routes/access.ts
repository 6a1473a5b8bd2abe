/** The route that reads the access log. */
import type { AccessItem, Page } from '../answers.ts';
import type { AccessListQuery, Nothing } from '../inputs.ts';
import type { Route } from '../route.ts';
import { accessItem, pageOf } from '../schemas/answers.ts';
import { accessListQuery } from '../schemas/inputs.ts';
import { type Read, read } from './reads.ts';

export interface AccessRoutes {
  'access.list': Route<Read<Page<AccessItem>, Nothing, AccessListQuery>>;
}

export const accessRoutes: AccessRoutes = {
  'access.list': read({
    name: 'access.list',
    path: '/v1/access',
    tag: 'service',
    summary: 'List what was asked of this server, oldest first',
    query: accessListQuery,
    schema: pageOf(accessItem),
    description: 'One page of records, each held against its leaf; a page may be short and not the last one',
    problems: ['integrity'],
  }),
};
