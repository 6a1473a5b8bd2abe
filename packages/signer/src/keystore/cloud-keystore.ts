/** Keys in a service that signs over the network. The private halves never leave it. */
import { equalBytes, isSignedBy, type KeyPlace, type PublicKey, utf8 } from '@tallystick/core';
import { AwsKms } from './aws-kms.ts';
import { cloudAlgorithm } from './cloud-algorithms.ts';
import type { CloudDescription, CloudKeyDescription, CloudPlace } from './cloud-description.ts';
import type { CloudService } from './cloud-service.ts';
import { DescribedKey } from './described-key.ts';
import { KeystoreError } from './keystore-error.ts';
import type { SigningUsage } from './keystore-key.ts';
import { VaultTransit } from './vault-transit.ts';

/** What stands for the caller at a service; AWS takes it from the SDK's default chain. */
export interface CloudSecrets {
  /** Asked for the token before each request to Vault; null where there is none. */
  vaultToken: (() => string) | null;
}

/** Neither the encoding of an envelope nor a checkpoint, so that its signature means nothing anywhere. */
const trialMessage = utf8('tallystick: whether this key signs');

export class CloudKeystore implements Disposable {
  /** In the order of the description. */
  readonly keys: readonly DescribedKey[];
  readonly #service: CloudService;

  private constructor(service: CloudService, { keys, ...place }: CloudDescription) {
    this.#service = service;
    this.keys = keys.map(
      (each) => new DescribedKey(each, placeOf(place, each), (message) => sign(service, each, message)),
    );
  }

  /**
   * Looks whether the service has the keys of a description, and no others in their place. Throws KeystoreError saying
   * what to do: TokenUnavailable where the service is away.
   */
  static async open(description: CloudDescription, secrets: CloudSecrets): Promise<CloudKeystore> {
    const service = await connect(description, secrets);
    try {
      await Promise.all(description.keys.map((each) => checkKey(service, each)));
      return new CloudKeystore(service, description);
    } catch (error) {
      service[Symbol.dispose]();
      throw error;
    }
  }

  /** The service, for people. */
  get name(): string {
    return this.#service.name;
  }

  /** Signs something that means nothing with each key: whether it may be used is told by using it. */
  async tryKeys(): Promise<void> {
    for (const key of this.keys) await key.sign(trialMessage);
  }

  [Symbol.dispose](): void {
    this.#service[Symbol.dispose]();
  }
}

/**
 * Describes a key that a service has, after a signature with it that means nothing. `id` is the name, alias or ARN that
 * people use; the description has the one that stays. Throws KeystoreError.
 */
export async function describeCloudKey(
  place: CloudPlace,
  { id, usages, ns }: { id: string; usages: readonly SigningUsage[]; ns: string | null },
  secrets: CloudSecrets,
): Promise<CloudDescription> {
  using service = await connect(place, secrets);
  const { id: lastingId, alg, key } = await service.publicKey(id);
  const described = { id: lastingId, publicKey: { alg, key }, usages, ns };
  await sign(service, described, trialMessage);
  return { ...place, keys: [described] };
}

function placeOf(place: CloudPlace, { id }: CloudKeyDescription): KeyPlace {
  const { service } = place;
  const address =
    service === 'aws-kms' ? (place.endpoint ?? place.region) : `${place.address}/${place.mount}`;
  return { kind: 'service', service, address, id };
}

async function connect(place: CloudPlace, { vaultToken }: CloudSecrets): Promise<CloudService> {
  if (place.service === 'aws-kms') return AwsKms.open(place);
  if (vaultToken === null) throw new KeystoreError('Vault needs a token: name the file that holds it');
  return new VaultTransit(place, vaultToken);
}

async function checkKey(service: CloudService, { id, publicKey }: CloudKeyDescription): Promise<void> {
  const shown = await service.publicKey(id);
  if (isSameKey(shown, publicKey) && shown.id === id) return;
  throw new KeystoreError(
    `the key ${id} of ${service.name} is not the one that is described: see who put another one in its place`,
  );
}

function isSameKey(a: PublicKey, b: PublicKey): boolean {
  return a.alg === b.alg && equalBytes(a.key, b.key);
}

/** What came over the network is looked at before it goes out as ours. */
async function sign(
  service: CloudService,
  { id, publicKey }: CloudKeyDescription,
  message: Uint8Array,
): Promise<Uint8Array> {
  const signature = await service.sign(id, cloudAlgorithm(publicKey.alg), message);
  if (await isSignedBy(publicKey, message, signature)) return new Uint8Array(signature);
  throw new KeystoreError(
    `${service.name} answered with a signature that is not of the key ${id}: see what it is that answers`,
  );
}
