/** The table of routes: the whole HTTP surface. */
import type { Route, Zone } from './route.ts';
import { type AccessRoutes, accessRoutes } from './routes/access.ts';
import { type CatalogRoutes, catalogRoutes } from './routes/catalog.ts';
import { type GoverningRoutes, governingRoutes } from './routes/governing.ts';
import { type LicenseRoutes, licenseRoutes } from './routes/licenses.ts';
import { type LoginRoutes, loginRoutes } from './routes/login.ts';
import { type PublicRoutes, publicRoutes } from './routes/public.ts';
import { type ServiceRoutes, serviceRoutes } from './routes/service.ts';
import { type SessionRoutes, sessionRoutes } from './routes/sessions.ts';

export interface Routes
  extends PublicRoutes,
    GoverningRoutes,
    CatalogRoutes,
    LicenseRoutes,
    SessionRoutes,
    LoginRoutes,
    AccessRoutes,
    ServiceRoutes {}

export type RouteName = keyof Routes;

/** The types of an operation, by its name: for handlers on one side and clients on the other. */
export type OperationOf<N extends RouteName> = Routes[N] extends Route<infer O> ? O : never;
/** What a handler gets after the request was read. */
export type RequestOf<N extends RouteName> = Pick<OperationOf<N>, 'params' | 'query' | 'headers' | 'body'>;
/** What a handler answers where the answer is JSON. */
export type AnswerOf<N extends RouteName> = OperationOf<N>['answer'];

export const routes: Routes = {
  ...publicRoutes,
  ...governingRoutes,
  ...catalogRoutes,
  ...licenseRoutes,
  ...sessionRoutes,
  ...loginRoutes,
  ...accessRoutes,
  ...serviceRoutes,
};
export const routeNames: readonly RouteName[] = Object.keys(routes) as RouteName[];

/** The routes that a listener serves, in the order of the table. */
export function routesOf(zone: Zone): Route[] {
  return (Object.values(routes) as Route[]).filter((route) => route.zones.includes(zone));
}
