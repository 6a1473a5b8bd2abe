/** Signing keys in AWS KMS. */
import { createHash } from 'node:crypto';
import { pipeline, Readable, Transform, type TransformCallback } from 'node:stream';
import type { KMSClient, SignCommandInput } from '@aws-sdk/client-kms';
import { explainAwsError } from './aws-kms-error.ts';
import { type CloudAlgorithm, publicKeyFromSpki, rawFromDer } from './cloud-algorithms.ts';
import type { AwsKmsPlace } from './cloud-description.ts';
import { type CloudService, type PublicKeyInService, withinTime } from './cloud-service.ts';
import { KeystoreError } from './keystore-error.ts';
import { checkServiceUrl, isPrivateWay } from './service-url.ts';

type AwsKmsSdk = typeof import('@aws-sdk/client-kms');

/** Bytes of a message that KMS hashes by itself, which it must for Ed25519. */
const rawMessageMax = 4096;
/** Bytes; a public key and a signature are a few hundred. */
const answerLengthMax = 65_536;
/** Milliseconds of one try; the two of them and a pause fit into the time of a request. */
const tryMsMax = 2000;

export class AwsKms implements CloudService {
  readonly name: string;
  readonly #sdk: AwsKmsSdk;
  readonly #client: KMSClient;

  private constructor(sdk: AwsKmsSdk, { region, endpoint }: AwsKmsPlace) {
    this.name = `AWS KMS in ${region}`;
    this.#sdk = sdk;
    if (endpoint !== null) checkServiceUrl(endpoint);
    this.#client = new sdk.KMSClient({
      region,
      maxAttempts: 2,
      requestHandler: { connectionTimeout: tryMsMax, requestTimeout: tryMsMax, throwOnRequestTimeout: true },
      ...(endpoint !== null && { endpoint }),
    });
    refuseOpenWays(this.#client);
    limitAnswers(this.#client);
  }

  /** With credentials of the SDK's default chain. Throws KeystoreError where the SDK is not installed. */
  static async open(place: AwsKmsPlace): Promise<AwsKms> {
    return new AwsKms(await loadSdk(), place);
  }

  async publicKey(id: string): Promise<PublicKeyInService> {
    const command = new this.#sdk.GetPublicKeyCommand({ KeyId: id });
    const { KeyId, KeyUsage, PublicKey } = await this.#ask(`the key ${id}`, (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
    if (KeyUsage !== 'SIGN_VERIFY')
      throw new KeystoreError(`the key ${id} is for ${KeyUsage}: make one for SIGN_VERIFY`);
    return { id: KeyId ?? id, ...publicKeyFromSpki(PublicKey ?? new Uint8Array()) };
  }

  async sign(id: string, alg: CloudAlgorithm, message: Uint8Array): Promise<Uint8Array> {
    const command = new this.#sdk.SignCommand({ KeyId: id, ...inputOf(alg, message) });
    const { Signature = new Uint8Array() } = await this.#ask(`a signature of ${id}`, (abortSignal) =>
      this.#client.send(command, { abortSignal }),
    );
    return alg === 'ed25519' ? Signature : rawFromDer(Signature);
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  #ask<T>(what: string, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withinTime(this.name, async (signal) => {
      try {
        return await ask(signal);
      } catch (error) {
        throw explainAwsError(this.name, what, error);
      }
    });
  }
}

/** Ed25519 hashes by itself; of P-256 the hash alone travels, so that length is no matter. */
function inputOf(alg: CloudAlgorithm, message: Uint8Array): Omit<SignCommandInput, 'KeyId'> {
  if (alg === 'ecdsa-p256-sha256') {
    const Message = createHash('sha256').update(message).digest();
    return { Message, MessageType: 'DIGEST', SigningAlgorithm: 'ECDSA_SHA_256' };
  }
  if (message.length > rawMessageMax) {
    throw new KeystoreError(
      `AWS KMS signs at most ${rawMessageMax} bytes with an Ed25519 key, and this has ${message.length}: ` +
        'sign it with a key in a sealed file or a token, or with one of P-256',
    );
  }
  return { Message: message, MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' };
}

/** What KMS answers fits many times; what does not is cut off, whoever sent it. */
function limitAnswers({ middlewareStack }: KMSClient): void {
  middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { body?: unknown };
      // The callback is there for the errors, which the reader of the last stream hears of as well.
      if (response.body instanceof Readable)
        response.body = pipeline(response.body, new AnswerLimit(), () => {});
      return result;
    },
    { step: 'deserialize', name: 'limitAnswers', priority: 'low' },
  );
}

class AnswerLimit extends Transform {
  #length = 0;

  override _transform(chunk: Uint8Array, _encoding: string, done: TransformCallback): void {
    this.#length += chunk.length;
    if (this.#length > answerLengthMax) done(new Error(`its answer is longer than ${answerLengthMax} bytes`));
    else done(null, chunk);
  }
}

/** The endpoint may come from the environment or a file of the SDK's own, so it is looked at where it is used. */
function refuseOpenWays({ middlewareStack }: KMSClient): void {
  middlewareStack.add(
    (next) => (args) => {
      const { protocol, hostname } = args.request as { protocol: string; hostname: string };
      if (!isPrivateWay({ protocol, hostname })) {
        throw new KeystoreError(
          `${protocol}//${hostname} is not encrypted, and is where AWS_ENDPOINT_URL or a profile leads: remove it there`,
        );
      }
      return next(args);
    },
    { step: 'finalizeRequest', name: 'refuseOpenWays', priority: 'high' },
  );
}

async function loadSdk(): Promise<AwsKmsSdk> {
  try {
    return await import('@aws-sdk/client-kms');
  } catch (error) {
    throw new KeystoreError(
      'the package @aws-sdk/client-kms is not here: run npm install @aws-sdk/client-kms@3.1164.0 beside the signer',
      { cause: error },
    );
  }
}
