/** What evaluates policies, and so loads Cedar: who only asks for a caller's name does without. */
export { checkCandidate } from './check-candidate.ts';
export {
  type CellChange,
  comparePolicies,
  type PolicyChange,
  type PolicyComparison,
} from './compare-policies.ts';
export { PolicyEngine } from './engine.ts';
export {
  failuresOf,
  outcomeOf,
  readTable,
  type TableCase,
  type TableFailure,
} from './policy-table.ts';
