/** Somebody at a terminal who types the commands of a page, as printed. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Ended, Operator } from './operator.ts';
import { must, Person } from './person.ts';
import type { RealSystem } from './real-system.ts';

/** A page of the documentation. */
export function readPage(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../docs/${path}`, import.meta.url)), 'utf8');
}

/** The commands of a section in their order, without what is said beside them. */
export function commandsOf(page: string, title: string): string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(title)) ?? '';
  const blocks = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
  const lines = blocks.flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'));
  const commands = lines.filter((line) => /^(?:npx )?tally /.test(line));
  return commands.map((line) => line.replace(/\s+#.*$/, '').replaceAll(/\s+/g, ' '));
}

/** Words as a shell makes them, behind the name of the program. */
function wordsOf(command: string): string[] {
  const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  return words.slice(words.indexOf('tally') + 1);
}

export class Typist {
  readonly operator: Operator;
  readonly #system: RealSystem;
  readonly #name: string;
  readonly #copied: Map<string, string>;
  #person: Person | null = null;

  /**
   * @param copied the newest of each kind, as somebody at a terminal copies it from what was shown before
   * @param folder of who is not at the server
   */
  constructor(system: RealSystem, name: string, copied: Map<string, string>, folder: string | null = null) {
    this.#system = system;
    this.operator = new Operator(system);
    this.#name = name;
    this.#copied = copied;
    if (folder !== null) this.operator.env = { TALLY_DATA: folder };
    this.operator.ask = async (question) =>
      question.startsWith('Code') ? ((await this.#person?.code()) ?? null) : this.#password;
  }

  get #password(): string {
    return `correct horse ${this.#name.length} battery staple`;
  }

  /** Types a printed command; ids that are left out there stand for the newest ones. */
  async types(command: string | undefined, ...more: string[]): Promise<Ended> {
    if (command === undefined) throw new Error('the page has no such command any more');
    const filled = command.replaceAll(
      /\b(prn|crd|apr|lic|tally_invite)_…/g,
      (_, kind: string) => this.#copied.get(kind) ?? '',
    );
    const ended = await this.operator.tally(...wordsOf(filled), ...more);
    for (const [id, kind = ''] of `${ended.stdout}\n${ended.stderr}`.matchAll(
      /\b(prn|crd|apr|lic|tally_invite)_[0-9A-Za-z_-]{20,}/g,
    ))
      this.#copied.set(kind, id);
    return ended;
  }

  async must(command: string | undefined, ...more: string[]): Promise<Ended> {
    const ended = await this.types(command, ...more);
    if (ended.code !== 0) throw new Error(`${this.#name}: ${command}: ${ended.stderr}${ended.stdout}`);
    return ended;
  }

  /** Signs a printed revision with the keys of the system's folder: that of the authority, or `online` those of the signer. */
  async signs(show: string | undefined, sign: string | undefined, by: 'offline' | 'online'): Promise<Ended> {
    const hash = /^hash ([0-9a-f]{8})/m.exec((await this.must(show)).stdout)?.[1] ?? '';
    const { keys, secrets } = this.#system.layout;
    const passphrase = by === 'offline' ? secrets.offlinePassphrase : secrets.onlinePassphrase;
    const filled = sign
      ?.replace('offline.sealed', keys[by])
      .replace('offline.passphrase', passphrase)
      .replace('<digits>', hash);
    return this.types(filled);
  }

  /** Puts the key that the enrollment shows into an authenticator app, and goes through with it. */
  async enrolls(principal: string, command = 'npx tally enroll tally_invite_…'): Promise<void> {
    const invitation = this.#copied.get('tally_invite') ?? '';
    const offer = await must(this.#system.admin('POST', '/v1/enrollment', { invitation }));
    const { secret } = offer.json as { secret: string };
    this.#person = Person.ofSeed(this.#system, principal, this.#password, secret);
    await this.must(command);
  }
}
