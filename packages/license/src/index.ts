export * from './apply.ts';
export * from './change.ts';
export * from './check-after.ts';
export * from './check-transition.ts';
export * from './commands.ts';
export { approversFor, bindingOf, standingApprovals } from './decide/approvals.ts';
export { decide } from './decide/decide.ts';
export type { Decision, Environment, GateEnvironment, View } from './decide/decision.ts';
export { RECORDS_MAX } from './decide/endings-of-customers.ts';
export { rolesAt } from './decide/principals.ts';
export * from './documents.ts';
export * from './errors.ts';
export * from './gate-commands.ts';
export * from './gate-documents.ts';
export { hasEnoughApprovals, isErasedCommand } from './gate-records.ts';
export * from './identifiers.ts';
export { COMMAND_TYPES, parseCommand } from './parse/command.ts';
export {
  DOCUMENT_BYTES_MAX,
  encodeCompanion,
  encodeDocument,
  LICENSE_BYTES_MAX,
  parseCompanion,
  parseDocument,
} from './parse/document.ts';
export { ADDONS_MAX, ENTITLEMENTS_MAX } from './parse/grants.ts';
export { parseSignedCommand } from './parse/signed-commands.ts';
export * from './records.ts';
export * from './refusals.ts';
export * from './signed-commands.ts';
export * from './text.ts';
export * from './time.ts';
export * from './verdict/index.ts';
