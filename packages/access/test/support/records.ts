/** Records as a server makes them. */
import type { AccessRecord } from '../../src/record.ts';

const at = '2026-11-26T10:00:00.000Z';

export function record(changes: Partial<AccessRecord> = {}): AccessRecord {
  return {
    at,
    requestId: 'req-1',
    zone: 'admin',
    route: 'license.get',
    method: 'GET',
    status: 200,
    code: null,
    who: { kind: 'person', id: 'prn_ada', credential: 'crd_1', session: null },
    address: '127.0.0.1',
    resource: { type: 'license', id: 'lic_1' },
    decision: { effect: 'allow', policy: 'cG9s', reasons: ['viewer'], entities: 'ZW50' },
    why: null,
    ...changes,
  };
}
