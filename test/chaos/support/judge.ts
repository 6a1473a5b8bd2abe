/** Holds what was seen against the log, as the database has it. */

import {
  base64,
  equalBytes,
  LogTree,
  parseSignedCheckpoint,
  utf8,
  verifyLogSignatures,
} from '@tallystick/core';
import { requestKeyOf, type Store, type StoredEntry } from '@tallystick/ledger';
import { readStore } from '@tallystick/server';
import { trustOf } from '../../system/support/log-walk.ts';
import { sleep } from '../../system/support/waiting.ts';
import type { Arena } from './arena.ts';
import { type LoggedRecord, problemsOf, type Seen, textOf } from './history.ts';

const entriesPerRead = 1000;
const pollMs = 150;
const answerMsMax = 1000;

export class Judge {
  readonly #arena: Arena;
  /** Every checkpoint that anybody showed, once per size and root. */
  readonly #notes = new Map<string, string>();
  readonly #verified = new Set<string>();
  /** The log as far as it was read. */
  #tree = new LogTree();
  #records: LoggedRecord[] = [];
  readonly #keys = new Map<number, string | null>();
  #isStopping = false;
  readonly #polling: Promise<unknown>;

  constructor(arena: Arena) {
    this.#arena = arena;
    const servers = arena.parties.map(
      ({ system }) =>
        () =>
          `${system.supervisor.urls.public}/log/checkpoint`,
    );
    const cosigners = arena.cosignerCheckpoints.map((url) => () => url);
    this.#polling = Promise.all([...servers, ...cosigners].map((url) => this.#poll(url)));
  }

  get checkpoints(): number {
    return this.#notes.size;
  }

  get size(): number {
    return this.#tree.size;
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#polling;
  }

  /** Reads on in the log; what is wrong with it and with what was seen, one sentence each. */
  async problems(seen: readonly Seen[]): Promise<string[]> {
    // Copied first: what is seen from now on may be missing in what is read now.
    const before = [...seen];
    const notes = [...this.#notes.values()];
    await this.#readOn();
    return [...problemsOf(before, this.#records), ...(await this.#disagreements(notes))];
  }

  /** The same, with all of the log read anew: it must be what it was. */
  async problemsAnew(seen: readonly Seen[]): Promise<string[]> {
    const { size } = this.#tree;
    const root = this.#tree.root();
    this.#tree = new LogTree();
    this.#records = [];
    this.#keys.clear();
    const problems = await this.problems(seen);
    if (this.#tree.size < size || !equalBytes(this.#tree.root(size), root))
      problems.push(`the first ${size} entries are not what they were`);
    return problems;
  }

  async #readOn(): Promise<void> {
    const { postgres } = this.#arena.database.primary;
    await using store = await readStore({ store: postgres.url({ schema: 'acme' }) });
    for (;;) {
      const from = this.#tree.size;
      const entries = await store.entries(from, entriesPerRead);
      if (entries.length === 0) return;
      for (const cause of await store.causes(from, from + entries.length))
        this.#keys.set(cause.index, requestKeyOf(cause));
      for (const entry of entries) await this.#take(entry, store);
    }
  }

  async #take({ index, leaf, rev, content }: StoredEntry, store: Store): Promise<void> {
    if (index !== this.#tree.size) throw new Error(`entry ${index} stands where ${this.#tree.size} belongs`);
    this.#tree.append(leaf);
    if (content === null || !content.id.startsWith('lic_')) return;
    if (!this.#keys.has(content.cause)) {
      const cause = await store.cause(content.cause);
      this.#keys.set(content.cause, cause === undefined ? null : requestKeyOf(cause));
    }
    const document = textOf(JSON.parse(new TextDecoder().decode(content.document ?? undefined)));
    this.#records.push({ index, id: content.id, rev, key: this.#keys.get(content.cause) ?? null, document });
  }

  /** Every checkpoint is signed by the log and lies on it. */
  async #disagreements(notes: readonly string[]): Promise<string[]> {
    const { log } = await trustOf(this.#arena.first);
    const found: string[] = [];
    for (const note of notes) {
      const checkpoint = parseSignedCheckpoint(utf8(note));
      const { size, root } = checkpoint;
      if (!this.#verified.has(note)) await verifyLogSignatures(checkpoint, log.vkeys);
      this.#verified.add(note);
      if (size > this.#tree.size)
        found.push(`a checkpoint of ${size} was shown, and the log has ${this.#tree.size}`);
      else if (!equalBytes(this.#tree.root(size), root))
        found.push(`another history of size ${size} was shown`);
    }
    return found;
  }

  async #poll(url: () => string): Promise<void> {
    while (!this.#isStopping) {
      // Whoever is asked may just have been killed.
      const note = await textAt(url).catch(() => null);
      if (note !== null) {
        const { size, root } = parseSignedCheckpoint(utf8(note));
        this.#notes.set(`${size} ${base64(root)}`, note);
      }
      await sleep(pollMs);
    }
  }
}

/** null where the answer is no success. */
async function textAt(url: () => string): Promise<string | null> {
  const answer = await fetch(url(), { signal: AbortSignal.timeout(answerMsMax) });
  const text = await answer.text();
  return answer.status === 200 ? text : null;
}
