/** A signer of `acme` with two issuing keys and a brake key, which is started anew on what the one before left behind. */
import { join } from 'node:path';
import type { NamespaceDocument } from '@tallystick/core';
import { Journal } from '../../src/journal/journal.ts';
import { generateKeySpec, SigningKey } from '../../src/keystore/signing-key.ts';
import { Mark } from '../../src/mark.ts';
import type { Signer } from '../../src/signer.ts';
import { at, origin } from './record.ts';
import { scratchDirectory } from './scratch.ts';
import { licenseToSign, signerOn } from './signing.ts';
import { listed, namespaceWith, TestTrust } from './trust.ts';

export const issuing = ['product', 'plan', 'customer', 'license'] as const;

export class Governed {
  trust: TestTrust = new TestTrust();
  readonly first: SigningKey = new SigningKey(generateKeySpec([...issuing], 'acme'));
  readonly second: SigningKey = new SigningKey(generateKeySpec([...issuing], 'acme'));
  readonly brakeKey: SigningKey = new SigningKey(generateKeySpec(['brake'], 'acme'));
  /** What its keystore holds, in another order than the namespace lists them. */
  keys: SigningKey[] = [
    new SigningKey(generateKeySpec(['log'], null)),
    this.second,
    this.brakeKey,
    this.first,
  ];
  /** Key ids that signers told of: destroyed, and here again. */
  returned: string[] = [];
  readonly #file: string = join(scratchDirectory(), 'mark.db');

  constructor() {
    Mark.create(this.#file, origin);
  }

  /** Runs with a signer that was started anew. */
  async withSigner<T>(work: (signer: Signer) => T | Promise<T>): Promise<T> {
    using mark = Mark.open(this.#file, origin);
    await using journal = Journal.open(`${this.#file}.journal`, mark, () => Date.parse(at));
    return await work(
      signerOn(mark, this.keys, {
        trust: this.trust,
        journal,
        onReturned: (keyids) => this.returned.push(...keyids),
      }),
    );
  }

  /** Lets its signers know that a quorum has signed the log under this version of the trust root. */
  hear(version: number): void {
    using mark = Mark.open(this.#file, origin);
    mark.hear(version);
  }

  /** A namespace that lists both issuing keys, the second from index 50 on. */
  both(): NamespaceDocument {
    return namespaceWith([
      listed(this.first.publicKey),
      listed(this.second.publicKey, { from: 50 }),
      listed(this.brakeKey.publicKey, { usages: ['brake'] }),
    ]);
  }

  async adoptBoth(): Promise<void> {
    const { entry, document } = await this.trust.logged(this.both());
    await this.withSigner((signer) => signer.adopt(entry, document));
  }
}

/** Key ids of those that sign a license at an index. */
export function keysOf(signer: Signer, index: number): string[] {
  const [signed] = signer.signRecords([licenseToSign()], index);
  return (signed?.signatures ?? []).map(({ keyid }) => keyid);
}
