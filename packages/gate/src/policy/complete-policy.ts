/** A policy that was put in force before a version added actions: its schema does not know them, so that nobody may do them. */
import type { PolicyContent } from '@tallystick/license';
import { actionGroups, actionNames } from './actions.ts';
import { defaultSchema } from './defaults/schema.ts';
import type { PolicyEngine } from './engine.ts';
import { schemaHash } from './policy-source.ts';
import { provenInput } from './policy-table.ts';

const ownSchema = schemaHash({ schema: defaultSchema, policies: [] });

/** Actions of this version for which a schema takes no request, each with why. */
export function unknownActions(engine: PolicyEngine): { action: string; error: string }[] {
  // That of this version knows them all, and asking about each takes a while.
  if (engine.schema === ownSchema) return [];
  return actionNames.flatMap((action) => {
    const [error] = engine.decideAnew(provenInput('person', [], action)).errors;
    return error === undefined ? [] : [{ action, error }];
  });
}

/**
 * The same policy with the actions of this version that its schema has no line for, and their groups. What policies say of a
 * group then holds for them as well: to be looked at before it is put in force.
 */
export function completedPolicy(content: PolicyContent): PolicyContent {
  const known = new Set(content.schema.flatMap((line) => namedIn(line) ?? []));
  const missing = [...Object.keys(actionGroups), ...actionNames].filter((name) => !known.has(name));
  const lines = missing.flatMap((name) => defaultSchema.find((line) => namedIn(line) === name) ?? []);
  return { ...content, schema: [...content.schema, ...lines] };
}

/** The action, or group of actions, that a line of a schema declares. */
function namedIn(line: string): string | null {
  return /^\s*action "([^"]+)"/.exec(line)?.[1] ?? null;
}
