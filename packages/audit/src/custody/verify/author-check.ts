/** Who asked, in a report: that the log knew the principal and its credential, and let both in at that moment. */
import {
  type CauseStatement,
  decodeBase64,
  isKeyAlgorithm,
  isSignedBy,
  keyFingerprintText,
  type PublicKey,
  utf8,
} from '@tallystick/core';
import { type CredentialDocument, compareInstants, type PrincipalDocument } from '@tallystick/license';
import type { Findings } from './findings.ts';
import type { PlacedEntry } from './placed-entries.ts';
import type { ProvenAuthor, ProvenDecision } from './proven.ts';
import { documentOf, type ReportWorld } from './report-world.ts';

export class AuthorCheck {
  readonly #world: ReportWorld;
  readonly #findings: Findings;

  constructor(world: ReportWorld, findings: Findings) {
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
    const isSigned = signed !== null && (await this.#checkSigned(entry, signed, credential));
    return {
      name: principal?.name ?? null,
      credentialKind: credential?.kind ?? null,
      credentialName: credential?.name ?? null,
      isSigned,
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

  /** The request as it was signed is signed by the key of the credential. */
  async #checkSigned(
    entry: PlacedEntry,
    { base, signature, keyid, alg }: NonNullable<CauseStatement['signed']>,
    credential: CredentialDocument | null,
  ): Promise<boolean> {
    const key = credential === null ? null : publicKeyOf(credential);
    const isRight =
      key !== null &&
      key.alg === alg &&
      keyFingerprintText(key) === keyid &&
      (await this.#isSigned(key, base, signature));
    if (!isRight) this.#refuse(entry, 'the request is not signed by the key of its credential');
    return isRight;
  }

  async #isSigned(key: PublicKey, base: string, signature: string): Promise<boolean> {
    try {
      return await isSignedBy(key, utf8(base), decodeBase64(signature));
    } catch {
      // What is no base64 is no signature.
      return false;
    }
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

function publicKeyOf({ kind, material }: CredentialDocument): PublicKey | null {
  const { alg = '', key = '' } = material;
  if (kind !== 'http_signature' || !isKeyAlgorithm(alg)) return null;
  return { alg, key: new Uint8Array(Buffer.from(key, 'base64')) };
}
