/** Our part of HPKE against an implementation by others, in both directions. */
import { CipherSuite, DhkemX25519HkdfSha256, ExportOnly, HkdfSha256 } from '@hpke/core';
import { describe, expect, it } from 'vitest';
import { exportFrom, exportTo } from '../src/contents/hpke.ts';

const suite = new CipherSuite({
  kem: new DhkemX25519HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new ExportOnly(),
});
const buffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

async function pair(): Promise<{ publicRaw: Uint8Array; privateRaw: Uint8Array; key: CryptoKeyPair }> {
  const key = await suite.kem.generateKeyPair();
  return {
    publicRaw: new Uint8Array(await suite.kem.serializePublicKey(key.publicKey)),
    privateRaw: new Uint8Array(await suite.kem.serializePrivateKey(key.privateKey)),
    key,
  };
}

describe('HPKE', () => {
  it.each([
    ['', ''],
    ['info', 'context'],
    ['\0'.repeat(70), 'x'.repeat(40)],
  ])('exports the same keys as others do, with info %j', async (infoText, contextText) => {
    const [info, context] = [Buffer.from(infoText), Buffer.from(contextText)];
    const { publicRaw, privateRaw, key } = await pair();
    const ours = exportTo(publicRaw, info, context);
    const recipient = await suite.createRecipientContext({
      recipientKey: key.privateKey,
      enc: buffer(ours.enc),
      info: buffer(info),
    });
    expect(new Uint8Array(await recipient.export(buffer(context), 32))).toEqual(ours.key);
    const sender = await suite.createSenderContext({
      recipientPublicKey: key.publicKey,
      info: buffer(info),
    });
    const theirs = new Uint8Array(await sender.export(buffer(context), 32));
    expect(exportFrom(new Uint8Array(sender.enc), privateRaw, info, context)).toEqual(theirs);
    expect(exportFrom(new Uint8Array(sender.enc), privateRaw, Buffer.from('other'), context)).not.toEqual(
      theirs,
    );
  });

  it('takes no key of small order, which everybody knows the secret of', async () => {
    const { privateRaw } = await pair();
    const none = new Uint8Array(0);
    for (const point of [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))]) {
      expect(() => exportTo(point, none, none)).toThrow();
      expect(() => exportFrom(point, privateRaw, none, none)).toThrow();
    }
  });
});
