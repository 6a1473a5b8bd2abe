/** Keys in the transit engine of HashiCorp Vault or OpenBao. */
import { createHash } from 'node:crypto';
import type { JsonValue } from '@tallystick/core';
import { type CloudAlgorithm, checkedKey, publicKeyFromSpki } from './cloud-algorithms.ts';
import type { VaultTransitPlace } from './cloud-description.ts';
import type { CloudService, PublicKeyInService } from './cloud-service.ts';
import { KeystoreError } from './keystore-error.ts';
import { VaultClient } from './vault-client.ts';

export class VaultTransit implements CloudService {
  readonly name: string;
  readonly #client: VaultClient;
  readonly #mount: string;

  /** @param token as of VaultClient */
  constructor(place: VaultTransitPlace, token: () => string) {
    this.name = `Vault at ${place.address}`;
    this.#client = new VaultClient(place, token);
    this.#mount = place.mount.split('/').map(pathPart).join('/');
  }

  /** Of a name without a version: of its newest. */
  async publicKey(id: string): Promise<PublicKeyInService> {
    const [name, given] = splitId(id);
    const data = await this.#client.ask(`the key "${name}"`, this.#path('keys', name));
    checkSettings(name, data);
    const version = given ?? textOf(data['latest_version']);
    const type = textOf(data['type']);
    if (type !== 'ed25519' && type !== 'ecdsa-p256')
      throw new KeystoreError(
        `the key "${name}" in Vault is of type ${type}: make one of ed25519 or ecdsa-p256`,
      );
    const shown = membersOf(membersOf(data['keys'])[version])['public_key'];
    if (typeof shown !== 'string' || isTooOld(data, version)) {
      throw new KeystoreError(
        `version ${version} of the key "${name}" in Vault does not sign any more, or never did: see min_encryption_version`,
      );
    }
    // Ed25519 keys are shown bare, others in PEM.
    const key =
      type === 'ed25519' ? checkedKey('ed25519', Buffer.from(shown, 'base64')) : publicKeyFromSpki(shown);
    return { id: `${name}:${version}`, ...key };
  }

  async sign(id: string, alg: CloudAlgorithm, message: Uint8Array): Promise<Uint8Array> {
    const [name, version] = splitId(id);
    const isEdwards = alg === 'ed25519';
    // Ed25519 hashes by itself; for P-256 the hash alone travels.
    const input = isEdwards ? Buffer.from(message) : createHash('sha256').update(message).digest();
    const { signature } = await this.#client.ask(`a signature of "${name}"`, this.#path('sign', name), {
      input: input.toString('base64'),
      key_version: Number(version),
      ...(!isEdwards && { prehashed: true, hash_algorithm: 'sha2-256', marshaling_algorithm: 'jws' }),
    });
    const [scheme, signedBy, encoded = ''] = textOf(signature).split(':');
    if (scheme !== 'vault' || signedBy !== `v${version}`)
      throw new KeystoreError(`Vault signed with another version of "${name}" than it was asked for`);
    return new Uint8Array(Buffer.from(encoded, 'base64'));
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  #path(what: 'keys' | 'sign', name: string): string {
    return `/v1/${this.#mount}/${what}/${pathPart(name)}`;
  }
}

/** A key that Vault would hand out is refused, as one of a token is; so is one that is another for each context. */
function checkSettings(name: string, data: Record<string, JsonValue>): void {
  if (data['exportable'] !== false || data['allow_plaintext_backup'] !== false) {
    throw new KeystoreError(
      `the key "${name}" can be taken out of Vault (exportable, allow_plaintext_backup): make another one without`,
    );
  }
  if (data['derived'] !== false)
    throw new KeystoreError(
      `the key "${name}" in Vault is derived, and so many keys: make another one without`,
    );
}

/** Of text or a number; empty for anything else, which is then found to be wrong. */
function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Of an object; none of anything else. */
function membersOf(value: JsonValue | undefined): Record<string, JsonValue> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function isTooOld(data: Record<string, JsonValue>, version: string): boolean {
  return Number(version) < Number(data['min_encryption_version'] ?? 0);
}

/** Name and version; throws KeystoreError for what Vault takes for neither. */
function splitId(id: string): [name: string, version: string | undefined] {
  const [, name, version] = /^([\w.-]{1,128})(?::([1-9]\d{0,8}))?$/.exec(id) ?? [];
  if (name === undefined)
    throw new KeystoreError(`"${id}" is no key of Vault: write its name, or name:version`);
  return [name, version];
}

function pathPart(text: string): string {
  if (text === '' || text === '.' || text === '..')
    throw new KeystoreError(
      `"${text}" cannot stand in a path of Vault: a mount is like transit or team/transit`,
    );
  return encodeURIComponent(text);
}
