/**
 * A policy set in a file that people edit: YAML, in which each policy and the schema is a block of Cedar.
 *
 *     schema: |
 *       entity Role enum ["viewer"];
 *     policies:
 *       viewers-read: |
 *         permit(principal in Role::"viewer", action in Action::"read", resource);
 *     approvals: []
 *     durable: []
 *     sessions: { idle: PT30M, max: PT12H, stepUp: PT5M }
 */
import { decodeUtf8 } from '@tallystick/core';
import { PolicyError } from '@tallystick/gate';
import { checkCandidate, PolicyEngine } from '@tallystick/gate/policy';
import { ModelError, type PolicyContent, parseCommand } from '@tallystick/license';
import { parseDocument, stringify } from 'yaml';
import type { Context } from '../context.ts';
import { type CliError, messageOf, usageError } from '../errors.ts';
import { readInput } from '../files.ts';

export interface Candidate {
  content: PolicyContent;
  engine: PolicyEngine;
}

const members = ['schema', 'policies', 'approvals', 'durable', 'sessions'] as const;

export function formatPolicy({ schema, policies, approvals, durable, sessions }: PolicyContent): string {
  const blocks = Object.fromEntries(policies.map(({ id, lines }) => [id, textOf(lines)]));
  const file = { schema: textOf(schema), policies: blocks, approvals, durable, sessions };
  return stringify(file, { lineWidth: 0, blockQuote: 'literal' });
}

/** Throws a usage error for a file that no server could work with, with the policy and line to blame. */
export async function readCandidate(path: string, context: Context): Promise<Candidate> {
  const content = await readPolicyFile(path, context);
  try {
    return { content, engine: checkCandidate(content) };
  } catch (error) {
    throw policyFault(error, path);
  }
}

/** As `readCandidate`, for a set that need not be fit for this version. */
export async function readOtherPolicy(path: string, context: Context): Promise<Candidate> {
  const content = await readPolicyFile(path, context);
  try {
    return { content, engine: new PolicyEngine(content) };
  } catch (error) {
    throw policyFault(error, path);
  }
}

export async function readPolicyFile(path: string, context: Context): Promise<PolicyContent> {
  const file = parseYaml(decodeUtf8(await readInput(path, context)), path);
  const unknown = Object.keys(file).find((name) => !(members as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw usageError(`${path} has ${unknown}, which a policy does not.`, `It has: ${members.join(', ')}.`);
  const { schema, policies, ...settings } = file;
  if (typeof schema !== 'string' || !isTexts(policies))
    throw usageError(
      `${path} is no policy: schema is a text, and policies a map of texts.`,
      'Begin with what tally access policy show --default --out writes.',
    );
  const texts = Object.entries(policies).map(([id, text]) => ({ id, lines: linesOf(text) }));
  try {
    const command = parseCommand({
      type: 'policy.publish',
      schema: linesOf(schema),
      policies: texts,
      ...settings,
    }) as PolicyContent & { type: string };
    const { type: _, ...content } = command;
    return content;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw usageError(`${path} is no policy: ${error.message}.`, 'Correct the file.');
  }
}

function parseYaml(text: string, path: string): Record<string, unknown> {
  const document = parseDocument(text, { uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) throw usageError(`${path} is not YAML: ${messageOf(error)}`, 'Correct the file.');
  // An alias could make a small file very large.
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usageError(`${path} is no policy.`, `It is a map of ${members.join(', ')}.`);
  return value as Record<string, unknown>;
}

function isTexts(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => typeof text === 'string');
}

const textOf = (lines: readonly string[]): string => `${lines.join('\n')}\n`;
const linesOf = (text: string): string[] => text.replace(/\n$/, '').split('\n');

function policyFault(error: unknown, path: string): CliError {
  if (!(error instanceof PolicyError)) throw error;
  const { message, policy, line } = error;
  const place = [
    policy === null ? (line === null ? null : 'schema') : `policy ${policy}`,
    line === null ? null : `line ${line}`,
  ].filter((each) => each !== null);
  const where = place.length === 0 ? '' : `, ${place.join(', ')}`;
  return usageError(`${path}${where}: ${message}.`, 'Correct it, and run tally access policy test again.');
}
