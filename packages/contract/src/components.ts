/** The names under which schemas appear in the OpenAPI document, so that each is written down once. */
import type { z } from 'zod';
import { type EventType, events } from './events.ts';
import type { Route } from './route.ts';
import {
  anyDocument,
  approvalEffect,
  cause,
  change,
  execution,
  histories,
  items,
  keptPromise,
  liveness,
  logEntry,
  logPlace,
  logStatus,
  note,
  policyInForce,
  problem,
  publishedCheckpoint,
  quorumMember,
  readiness,
  readinessReport,
  recordJson,
  results,
  subjectName,
  trouble,
  trustRootPayload,
} from './schemas/answers.ts';
import {
  addons,
  bodies,
  companion,
  planSeats,
  planTerm,
  planUpdates,
  seats,
  term,
  updates,
} from './schemas/bodies.ts';
import { companionView, documents, keyEnd } from './schemas/documents.ts';
import {
  approvalGiven,
  approvalRule,
  approver,
  policyText,
  roleGrant,
  roleInput,
  sessionTerms,
  storedCommand,
} from './schemas/gate.ts';
import {
  catalog,
  catalogInput,
  entitlements,
  grantOfLicense,
  grants,
  grantsAmended,
  grantsOfLicense,
  grantsOfPlan,
  offlineInput,
  offlineTerms,
  rehost,
  trial,
} from './schemas/grants.ts';
import {
  calendarDuration,
  code,
  duration,
  hash,
  instant,
  licenseKey,
  metadata,
  text,
} from './schemas/scalars.ts';
import { bundle, currentTrust, envelope, keyList, publicKey } from './schemas/trust.ts';

/** Parts that several requests and answers share. */
const parts: Readonly<Record<string, z.ZodType>> = {
  Addons: addons,
  AnyDocument: anyDocument,
  ApprovalEffect: approvalEffect,
  ApprovalGiven: approvalGiven,
  ApprovalRule: approvalRule,
  Approver: approver,
  Bundle: bundle,
  CalendarDuration: calendarDuration,
  Catalog: catalog,
  CatalogInput: catalogInput,
  Cause: cause,
  Change: change,
  Code: code,
  Companion: companionView,
  CompanionInput: companion,
  CurrentTrust: currentTrust,
  Duration: duration,
  Entitlements: entitlements,
  EntryEvent: events['entry.durable'].data,
  Envelope: envelope,
  Execution: execution,
  ExpectedRevisionBody: bodies['product.retire'],
  GrantInput: grantOfLicense,
  Grants: grants,
  GrantsAmended: grantsAmended,
  GrantsOfLicense: grantsOfLicense,
  GrantsOfPlan: grantsOfPlan,
  Hash: hash,
  Instant: instant,
  KeptPromise: keptPromise,
  KeyEnd: keyEnd,
  KeyList: keyList,
  LicenseKey: licenseKey,
  Liveness: liveness,
  LogEntry: logEntry,
  LogPlace: logPlace,
  LogStatus: logStatus,
  Metadata: metadata,
  Note: note,
  OfflineInput: offlineInput,
  OfflineTerms: offlineTerms,
  PolicyInForce: policyInForce,
  PolicyText: policyText,
  PlanSeatsInput: planSeats,
  PlanTermInput: planTerm,
  PlanUpdatesInput: planUpdates,
  Problem: problem,
  PublicKey: publicKey,
  PublishedCheckpoint: publishedCheckpoint,
  QuorumEvent: events['quorum.lost'].data,
  QuorumMember: quorumMember,
  Readiness: readiness,
  ReadinessReport: readinessReport,
  Record: recordJson,
  Rehost: rehost,
  RoleGrant: roleGrant,
  RoleInput: roleInput,
  SeatsInput: seats,
  SessionTerms: sessionTerms,
  StoredCommand: storedCommand,
  SubjectName: subjectName,
  TermInput: term,
  Text: text,
  Trial: trial,
  Trouble: trouble,
  TrustRootPayload: trustRootPayload,
  UpdatesInput: updates,
};

/** `license.change_plan` as `LicenseChangePlan`. */
function pascalCase(name: string): string {
  return name
    .split(/[._]/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('');
}

/** `license.change_plan` as `licenseChangePlan`. */
export function operationId(route: Route): string {
  const name = pascalCase(route.name);
  return name.slice(0, 1).toLowerCase() + name.slice(1);
}

/** The name of the component that describes the data of an event. */
export function eventComponent(type: EventType): string {
  return names.get(events[type].data) ?? `${pascalCase(type)}Event`;
}

/** Schemas by identity, first name first; a schema has one name however often it is used. */
const names: Map<z.ZodType, string> = new Map();

function register(schema: z.ZodType, name: string): void {
  if (!names.has(schema)) names.set(schema, name);
}

for (const [name, schema] of Object.entries(parts)) register(schema, name);
for (const [type, schema] of Object.entries(documents)) register(schema, `${pascalCase(type)}Document`);
for (const [type, schema] of Object.entries(items)) register(schema, `${pascalCase(type)}Item`);
for (const [type, schema] of Object.entries(results)) register(schema, `${pascalCase(type)}Result`);
for (const [type, schema] of Object.entries(histories)) register(schema, `${pascalCase(type)}HistoryItem`);
for (const [type, schema] of Object.entries(bodies)) register(schema, `${pascalCase(type)}Body`);
for (const [type, { data }] of Object.entries(events)) register(data, `${pascalCase(type)}Event`);

/** The named schemas, together with the bodies and answers of `routes`, which are named after their operation. */
export function componentsOf(routes: readonly Route[]): ReadonlyMap<z.ZodType, string> {
  const all = new Map(names);
  for (const route of routes) {
    if (route.body !== null && !all.has(route.body)) all.set(route.body, `${pascalCase(route.name)}Body`);
    for (const { schema } of Object.values(route.answers)) {
      if (schema !== null && !all.has(schema)) all.set(schema, `${pascalCase(route.name)}Answer`);
    }
  }
  return all;
}
