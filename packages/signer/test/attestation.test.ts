import {
  encodeEnvelope,
  keyIdOf,
  type PublicKey,
  parseEnvelope,
  parseRecordEntry,
  payloadTypes,
  preAuthEncoding,
  signersOf,
  utf8,
  verifyAttestation,
} from '@tallystick/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { generateKeySpec, SigningKey } from '../src/keystore/signing-key.ts';
import type { Signer } from '../src/signer.ts';
import { origin, signerOf, signerWith } from './support/signing.ts';
import { SlowLogKey } from './support/slow-key.ts';

let signer: Signer;
let keys: SigningKey[];
let log: { origin: string; keys: PublicKey[] };

beforeEach(() => {
  ({ signer, keys } = signerWith());
  log = { origin, keys: [keys[0]!.publicKey] };
});

describe('an attestation', () => {
  it('tells of every key where it is, and each of them signs it', async () => {
    const bytes = await signer.attest([]);
    const told = await verifyAttestation(bytes, log);
    expect(told).toMatchObject({ origin, size: 0 });
    expect(
      told.keys.map(({ publicKey, usages, place, destroyed }) => [
        keyIdOf(publicKey),
        usages,
        place,
        destroyed,
      ]),
    ).toEqual(keys.map(({ keyid, usages }) => [keyid, usages, { kind: 'sealed-file' }, null]));
    const { signatures } = parseEnvelope(bytes, payloadTypes.attestation);
    expect(signatures.map(({ keyid }) => keyid)).toEqual(keys.map(({ keyid }) => keyid));
  });

  it('of one key is signed by that one and by the log', async () => {
    const bytes = await signer.attest([keys[1]!.keyid]);
    const { signatures } = parseEnvelope(bytes, payloadTypes.attestation);
    expect(signatures.map(({ keyid }) => keyid)).toEqual([keys[0]!.keyid, keys[1]!.keyid]);
    expect((await verifyAttestation(bytes, log)).keys).toHaveLength(1);
    await expect(signer.attest(['00'.repeat(8)])).rejects.toMatchObject({ reason: 'no_key' });
  });

  it('of a key in a token says which token, and what that says of it', async () => {
    const logKey = new SlowLogKey();
    const asking = signerOf([logKey]).signer.attest([]);
    await Promise.resolve();
    logKey.finish();
    const told = await verifyAttestation(await asking, { origin, keys: [logKey.publicKey] });
    expect(told.keys.map(({ place }) => place)).toEqual([logKey.place]);
  });

  it('of a key that is gone needs no signature of it', async () => {
    const { publicKey, usages, ns } = new SigningKey(generateKeySpec(['license'], 'acme'));
    signer.replaceKeys(keys, [{ publicKey, usages, ns }]);
    const told = await verifyAttestation(await signer.attest([keyIdOf(publicKey)]), log);
    expect(told.keys).toMatchObject([{ publicKey, usages, ns, place: null, destroyed: null }]);
  });

  it('does not hold without a signature, of another log, or with any byte changed', async () => {
    const bytes = await signer.attest([keys[1]!.keyid]);
    const envelope = parseEnvelope(bytes, payloadTypes.attestation);
    const without = (nth: number): Uint8Array =>
      encodeEnvelope({ ...envelope, signatures: envelope.signatures.filter((_, at) => at !== nth) });
    await expect(verifyAttestation(without(0), log)).rejects.toMatchObject({ code: 'LOG_SIGNATURE_INVALID' });
    await expect(verifyAttestation(without(1), log)).rejects.toMatchObject({ code: 'KEY_NOT_VALID' });
    const other = { ...log, origin: 'other.example/log' };
    await expect(verifyAttestation(bytes, other)).rejects.toMatchObject({ code: 'LOG_SIGNATURE_INVALID' });
    for (let at = 0; at < bytes.length; at++) {
      const altered = new Uint8Array(bytes);
      altered[at] = altered[at]! ^ 1;
      await expect(verifyAttestation(altered, log), `byte ${at}`).rejects.toThrow();
    }
  });

  it.each<[string, object, string]>([
    ['a place that is not known', { kind: 'cloud' }, 'TOO_NEW'],
    ['more said of a place', { kind: 'sealed-file', path: 'x' }, 'TOO_NEW'],
    ['a token that says less', { kind: 'token', module: 'm', token: 't', label: 'l' }, 'MALFORMED'],
  ])('with %s is not read', async (_what, place, code) => {
    const [logKey] = keys as [SigningKey];
    const { payload: sound } = parseEnvelope(await signer.attest([logKey.keyid]), payloadTypes.attestation);
    const text = new TextDecoder().decode(sound);
    const payload = utf8(text.replace('{"kind":"sealed-file"}', JSON.stringify(place)));
    const payloadType = payloadTypes.attestation;
    const sig = logKey.sign(preAuthEncoding(payloadType, payload));
    const bytes = encodeEnvelope({ payload, payloadType, signatures: [{ keyid: logKey.keyid, sig }] });
    await expect(verifyAttestation(bytes, log)).rejects.toMatchObject({ code });
  });

  it('is signed as nothing else: not as a record, a promise or a checkpoint', async () => {
    const bytes = await signer.attest([]);
    expect(() => parseRecordEntry(bytes)).toThrow();
    const envelope = parseEnvelope(bytes, payloadTypes.attestation);
    for (const payloadType of [payloadTypes.record, payloadTypes.promise, payloadTypes.trustRoot])
      expect(
        await signersOf(
          { ...envelope, payloadType },
          keys.map(({ publicKey }) => publicKey),
        ),
      ).toEqual([]);
  });
});
