/** Who asked, in a report: that the log knew the principal and its credential, and let both in at that moment. */
import { type CauseStatement, keyFingerprintText, type SignedEvidence } from '@tallystick/core';
import { publicKeyOf } from '@tallystick/gate';
import { readEvidence, type SignedStatement } from '@tallystick/gate/http-signature';
import { type CredentialDocument, compareInstants, type PrincipalDocument } from '@tallystick/license';
import type { Findings } from './findings.ts';
import type { PlacedEntry } from './placed-entries.ts';
import type { ProvenAuthor, ProvenDecision } from './proven.ts';
import { documentOf, type ReportWorld } from './report-world.ts';

export class AuthorCheck {
  readonly #world: ReportWorld;
  readonly #findings: Findings;
  readonly #system: string;

  /** @param system base64 of the genesis of the log */
  constructor(world: ReportWorld, findings: Findings, system: string) {
    this.#system = system;
    this.#world = world;
    this.#findings = findings;
  }

  /** null for who is no subject of the log: the system itself, the tokens of its folder. */
  async check(
    entry: PlacedEntry,
    statement: CauseStatement,
    decision: ProvenDecision | null,
  ): Promise<ProvenAuthor | null> {
    const { who, signed } = statement;
    if (!who.id.startsWith('prn_')) {
      if (signed !== null) this.#refuse(entry, 'a signed request of nobody whose key is in the log');
      return null;
    }
    const principal = await this.#principal(entry, statement, decision);
    const credential = await this.#credential(entry, statement);
    const held = entry.signed;
    const request = held && (await this.#readSigned(entry, held, credential));
    return {
      name: principal?.name ?? null,
      credentialKind: credential?.kind ?? null,
      credentialName: credential?.name ?? null,
      signed: request && { method: request.method, authority: request.authority, path: request.path },
      signedGone: signed !== null && held === null ? { by: this.#world.erasureOf(entry) } : null,
    };
  }

  async #principal(
    entry: PlacedEntry,
    { who, at }: CauseStatement,
    decision: ProvenDecision | null,
  ): Promise<PrincipalDocument | null> {
    const inForce = this.#world.inForce(who.id, entry.index);
    if (inForce === undefined) return this.#refuse(entry, `the log did not know ${who.id}`);
    const document = await this.#findings.check(inForce.index, () => documentOf('principal', inForce));
    if (document == null) return null;
    if (document.kind !== who.kind) return this.#refuse(entry, `${who.id} is no ${who.kind}`);
    if (document.state !== 'active') return this.#refuse(entry, `${who.id} was disabled`);
    const held = document.roles.filter(({ until }) => until === null || compareInstants(at, until) < 0);
    const roles = rolesOf(decision).filter((role) => !held.some((each) => each.role === role));
    if (roles.length > 0)
      this.#refuse(entry, `${who.id} did not have the role ${roles.join(', ')} that was decided on`);
    return document;
  }

  async #credential(entry: PlacedEntry, { who, at }: CauseStatement): Promise<CredentialDocument | null> {
    const id = who.credential ?? '';
    const inForce = this.#world.inForce(id, entry.index);
    if (inForce === undefined) return this.#refuse(entry, `the log did not know the credential ${id}`);
    // Not every document of a credential is shown; that it was revoked stands in its record.
    if (inForce.entry.record.type === 'credential.revoked')
      return this.#refuse(entry, `the credential ${id} was revoked`);
    const document = await this.#findings.check(inForce.index, () => documentOf('credential', inForce));
    if (document == null) return null;
    if (document.principal !== who.id) return this.#refuse(entry, `the credential ${id} is somebody else's`);
    if (document.notAfter !== null && compareInstants(at, document.notAfter) >= 0)
      return this.#refuse(entry, `the credential ${id} had ended`);
    return document;
  }

  /** What the request says that was signed by the key of the credential. */
  async #readSigned(
    entry: PlacedEntry,
    signed: SignedEvidence,
    credential: CredentialDocument | null,
  ): Promise<SignedStatement | null> {
    const key = credential?.kind === 'http_signature' ? publicKeyOf(credential.material) : undefined;
    const isKey = key !== undefined && keyFingerprintText(key) === signed.keyid;
    const statement = isKey ? await readEvidence(signed, key) : null;
    if (statement !== null && statement.system !== this.#system)
      return this.#refuse(entry, 'the request was signed for another system');
    return statement ?? this.#refuse(entry, 'the request is not signed by the key of its credential');
  }

  #refuse(entry: PlacedEntry, message: string): null {
    this.#findings.add('AUTHOR_INVALID', entry.index, message);
    return null;
  }
}

function rolesOf(decision: ProvenDecision | null): string[] {
  const { roles } = (decision?.input.principal ?? {}) as { roles?: string[] };
  return roles ?? [];
}
