/** What the steps of a ceremony share: the files that they start from, and the transcript that they write to. */
import { dirname, join } from 'node:path';
import type { TrustRoot } from '@tallystick/core';
import type { Command } from 'commander';
import { type Chain, newestOf, parseChain } from '../../ceremony/chain-file.ts';
import { type Holders, parseHolders } from '../../ceremony/key-line.ts';
import { checkProposal, decodeText, type Proposal, parseProposal } from '../../ceremony/proposal.ts';
import { altered } from '../../ceremony/refusal.ts';
import { appendDeed, type Deed } from '../../ceremony/transcript.ts';
import { messageOf, usageError } from '../../errors.ts';
import { readInput } from '../../files.ts';
import type { Session } from '../../session.ts';

export interface TrustFlags {
  from: string;
  people?: string;
}

export interface TranscriptFlags {
  transcript?: string;
  by?: string;
}

export function addTrustFlags(command: Command): Command {
  return command
    .requiredOption(
      '--from <file>',
      'the current trust root: your own copy, not one that came with the proposal',
    )
    .option('--people <file>', 'your own list of public-key lines, to see names beside keys');
}

export function addTranscriptFlags(command: Command): Command {
  return command
    .option('--transcript <file>', 'append what was done to this text file')
    .option('--by <name>', 'who does it, for the transcript (default: the name of the user)');
}

export async function readTextFile(session: Session, path: string): Promise<string> {
  return decodeText(await readInput(path, session.context), path);
}

export async function readChain(session: Session, path: string): Promise<Chain> {
  return parseChain(await readTextFile(session, path), path);
}

/** The trust root to start from. A rehearsal may start from a real one, and nothing else from a rehearsed one. */
export async function readCurrent(session: Session, path: string, rehearsal: boolean): Promise<Chain> {
  const chain = await readChain(session, path);
  if (rehearsal || !chain.rehearsal) return chain;
  throw altered(`${path} comes from a rehearsal.`, 'Name the real trust root with --from.');
}

export async function readHolders(session: Session, path: string | undefined): Promise<Holders> {
  if (path === undefined) return new Map();
  const text = await readTextFile(session, path);
  try {
    return parseHolders(text);
  } catch (error) {
    throw usageError(`${path} is no list of public keys: ${messageOf(error)}.`, 'Correct that line.');
  }
}

/** A proposal together with what it would follow. */
export interface OpenProposal {
  path: string;
  proposal: Proposal;
  chain: Chain;
  current: TrustRoot;
  next: TrustRoot;
  holders: Holders;
}

/** Reads a proposal and checks that it may follow the trust root that the reader trusts. */
export async function openProposal(session: Session, path: string, flags: TrustFlags): Promise<OpenProposal> {
  const proposal = parseProposal(await readTextFile(session, path), path);
  const chain = await readCurrent(session, flags.from, proposal.rehearsal);
  const current = newestOf(chain);
  const next = checkProposal(current, proposal, session.context.now());
  return { path, proposal, chain, current, next, holders: await readHolders(session, flags.people) };
}

/** Where a file of version `version` lies, beside `beside`. Those of a rehearsal say so in their names, too. */
export function placeOf(beside: string, rehearsal: boolean, name: string): string {
  return join(dirname(beside), `${rehearsal ? 'REHEARSAL-' : ''}${name}`);
}

/** Writes the line of what was just done, where a transcript is kept. */
export function record(
  session: Session,
  { transcript, by }: TranscriptFlags,
  deed: Pick<Deed, 'what' | 'rehearsal' | 'facts'>,
): void {
  if (transcript === undefined) return;
  const { now, env } = session.context;
  appendDeed(transcript, { ...deed, now: now(), by: by ?? env['USER'] ?? 'somebody' });
}
