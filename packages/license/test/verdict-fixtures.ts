/** A proven license in perfect order, to be spoiled in one place by each test. */
import type { BrakeDocument, LicenseDocument, NamespaceDocument } from '../src/documents.ts';
import type { JudgeRequest, Proven } from '../src/verdict/index.ts';

const SECOND = 1000;
export const MINUTE: number = 60 * SECOND;
export const HOUR: number = 60 * MINUTE;
export const DAY: number = 24 * HOUR;

/** The instant for which the fixture is proven. */
export const AS_OF: number = Date.UTC(2026, 5, 1);

export function at(ms: number): string {
  return new Date(ms).toISOString();
}

function licenseWith(change: Partial<LicenseDocument> = {}): LicenseDocument {
  return {
    v: 1,
    type: 'license',
    ns: 'acme',
    id: 'lic_1',
    rev: 0,
    crit: [],
    product: { id: 'prod_1', code: 'studio' },
    plan: { id: 'plan_1', rev: 0, code: 'pro', name: 'Pro' },
    addons: [],
    customer: null,
    licensee: null,
    purpose: 'production',
    status: { state: 'active', reason: null, message: null, since: at(AS_OF - 100 * DAY), successor: null },
    term: { from: at(AS_OF - 100 * DAY), until: null, grace: 'P7D' },
    updates: { until: null, fallback: null, maxMajor: null },
    seats: { model: 'none', max: null, over: 0 },
    entitlements: {},
    offline: { maxAge: 'P1000D', grace: 'P10D', clock: 'strict' },
    generation: 0,
    epoch: 0,
    metadata: {},
    private: null,
    ...change,
  };
}

export function namespaceWith(change: Partial<NamespaceDocument> = {}): NamespaceDocument {
  return {
    v: 1,
    type: 'namespace',
    ns: 'acme',
    id: 'namespace',
    rev: 0,
    crit: [],
    name: 'Acme',
    mode: 'live',
    support: { name: 'Acme support', email: 'help@acme.example', url: null },
    epoch: 1,
    lock: 'open',
    minEpoch: 0,
    keys: [],
    ...change,
  };
}

export function brakeWith(change: Partial<BrakeDocument> = {}): BrakeDocument {
  return {
    v: 1,
    type: 'brake',
    ns: 'acme',
    id: 'brake',
    rev: 0,
    crit: [],
    epoch: 1,
    lock: 'open',
    minEpoch: 0,
    until: [],
    ...change,
  };
}

export function provenWith(license: Partial<LicenseDocument> = {}, change: Partial<Proven> = {}): Proven {
  return {
    license: licenseWith(license),
    namespace: namespaceWith(),
    brake: brakeWith(),
    asOf: AS_OF,
    keyOfflineMax: null,
    trustOfflineMax: 'P2000D',
    trustExpires: at(AS_OF + 3000 * DAY),
    ...change,
  };
}

export function requestWith(change: Partial<JudgeRequest> = {}): JudgeRequest {
  return { products: ['studio'], now: AS_OF, ...change };
}
