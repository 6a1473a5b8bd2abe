/** The Cedar schema that comes with Tallystick, written from the tables that its server works by. */
import { type ActionRow, actionGroups, actions } from '../actions.ts';
import { inputZones, principalKinds, resourceTypes } from '../input.ts';
import { defaultRoles, internalRoles } from './roles.ts';

/** Locks of a namespace, as its document has them. */
const locks = ['open', 'heightened', 'read-only', 'frozen', 'sealed'] as const;

const quoted = (words: readonly string[]): string => words.map((word) => JSON.stringify(word)).join(', ');

/** Enumerations, so that a word that does not exist is an error in a policy, and not a rule that never applies. */
const entities: readonly string[] = [
  `entity Role enum [${quoted([...defaultRoles, ...internalRoles])}];`,
  `entity Kind enum [${quoted(principalKinds)}];`,
  `entity Zone enum [${quoted(inputZones)}];`,
  `entity Lock enum [${quoted(locks)}];`,
  'entity Caller in [Role] = { "kind": Kind };',
  `entity ${resourceTypes.join(', ')} = {`,
  '  "product"?: String,',
  '  "state"?: String,',
  '  "purpose"?: String,',
  '  "own": Bool,',
  '};',
];

const context: readonly string[] = [
  'type Request = {',
  '  "zone": Zone,',
  '  "strength": Long,',
  '  "stepUp": Bool,',
  '  "signed": Bool,',
  '  "reason": Bool,',
  '  "approved": Bool,',
  '  "purpose"?: String,',
  '  "networks": Set<String>,',
  '  "device": { "managed": Bool, "encrypted": Bool, "attested": Bool },',
  '  "weekday": Long,',
  '  "hour": Long,',
  '  "lock": Lock,',
  '  "epoch": Long,',
  '  "extendsDays"?: Long,',
  '  "termDays"?: Long,',
  '  "seats"?: Long,',
  '  "rolesChanged": Set<String>,',
  '};',
];

function actionLine(name: string, { resource, groups }: ActionRow): string {
  const applies = `appliesTo { principal: [Caller], resource: [${resource}], context: Request }`;
  return `action ${JSON.stringify(name)} in [${quoted(groups)}] ${applies};`;
}

/** Lines of the schema. */
export const defaultSchema: readonly string[] = [
  ...entities,
  ...context,
  ...Object.entries(actionGroups).flatMap(([name, what]) => [
    `// ${what}`,
    `action ${JSON.stringify(name)};`,
  ]),
  ...Object.entries(actions).map(([name, row]) => actionLine(name, row)),
];
