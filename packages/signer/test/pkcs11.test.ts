import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { base64, utf8 } from '@tallystick/core';
import { SoftHsm, softHsmModule } from '@tallystick/testkit';
import pkcs11, { type Handle, type PKCS11 } from 'pkcs11js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DescribedKey } from '../src/keystore/described-key.ts';
import { readPinFile } from '../src/keystore/passphrase-file.ts';
import { Pkcs11Keystore } from '../src/keystore/pkcs11-keystore.ts';
import {
  readTokenDescription,
  type TokenDescription,
  writeTokenDescription,
} from '../src/keystore/token-description.ts';
import { isValid } from './support/keystore-conformance.ts';
import { scratchDirectory } from './support/scratch.ts';

const message = utf8('what is signed');
let directory: string;
let hsm: SoftHsm;
let described: TokenDescription;
let open: Pkcs11Keystore | null;
const restores: (() => void)[] = [];

async function openKeystore(description = described, pin = hsm.pin): Promise<Pkcs11Keystore> {
  open = await Pkcs11Keystore.open(description, pin);
  return open;
}

async function close(): Promise<void> {
  await open?.[Symbol.asyncDispose]();
  open = null;
}

/** Stands in for a method of the binding until the test ends, in keystores that are opened from now on. */
function replaceMethod<Name extends 'C_Login' | 'C_GetTokenInfo'>(
  name: Name,
  make: (real: PKCS11[Name]) => PKCS11[Name],
): void {
  const prototype: PKCS11 = pkcs11.PKCS11.prototype;
  const real = prototype[name];
  prototype[name] = make(real);
  restores.push(() => {
    prototype[name] = real;
  });
}

/** Counts the times that a PIN is tried by keystores that are opened from now on. */
function countLogins(): { count: number } {
  const logins = { count: 0 };
  replaceMethod(
    'C_Login',
    (real) =>
      function (this: PKCS11, ...given) {
        logins.count += 1;
        Reflect.apply(real, this, given);
      },
  );
  return logins;
}

/** As another program would use the token, in this process or in one of its own. */
function withToken<T>(work: (module: PKCS11, session: Handle) => T): T {
  const module = new pkcs11.PKCS11();
  module.load(hsm.module);
  module.C_Initialize();
  try {
    const slot = module.C_GetSlotList(true)[0] as Handle;
    const session = module.C_OpenSession(slot, pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
    module.C_Login(session, pkcs11.CKU_USER, hsm.pin);
    return work(module, session);
  } finally {
    module.C_Finalize();
  }
}

function changePinElsewhere(pin: string): void {
  const script = `
    const pkcs11 = require('pkcs11js');
    const module = new pkcs11.PKCS11();
    module.load(${JSON.stringify(hsm.module)});
    module.C_Initialize();
    const session = module.C_OpenSession(module.C_GetSlotList(true)[0], pkcs11.CKF_SERIAL_SESSION | pkcs11.CKF_RW_SESSION);
    module.C_Login(session, pkcs11.CKU_USER, ${JSON.stringify(hsm.pin)});
    module.C_SetPIN(session, ${JSON.stringify(hsm.pin)}, ${JSON.stringify(pin)});
    module.C_Finalize();`;
  execFileSync(process.execPath, ['-e', script], { cwd: import.meta.dirname });
}

describe.skipIf(softHsmModule === null)('a PKCS#11 keystore', () => {
  let key: DescribedKey;

  beforeEach(async () => {
    directory = scratchDirectory();
    hsm = SoftHsm.create(directory);
    const keystore = await openKeystore({ module: hsm.module, token: hsm.label, keys: [] });
    key = await keystore.generateKey({ label: 'tally log', alg: 'ed25519', usages: ['log'], ns: null });
    described = keystore.describe();
  });

  afterEach(async () => {
    await close();
    for (const restore of restores.splice(0)) restore();
  });

  it('makes keys that the token hands to nobody, not even to who knows the PIN', async () => {
    await open?.generateKey({ label: 'tally p256', alg: 'ecdsa-p256-sha256', usages: ['root'], ns: null });
    await close();
    withToken((module, session) => {
      module.C_FindObjectsInit(session, [{ type: pkcs11.CKA_CLASS, value: pkcs11.CKO_PRIVATE_KEY }]);
      const found = module.C_FindObjects(session, 9);
      module.C_FindObjectsFinal(session);
      expect(found).toHaveLength(2);
      for (const handle of found) {
        const value = (): unknown =>
          module.C_GetAttributeValue(session, handle, [{ type: pkcs11.CKA_VALUE }]);
        expect(value).toThrow('CKR_ATTRIBUTE_SENSITIVE');
        const loosen = (type: number, to: boolean): unknown =>
          module.C_SetAttributeValue(session, handle, [{ type, value: to }]);
        expect(() => loosen(pkcs11.CKA_EXTRACTABLE, true)).toThrow(/CKR_/);
        expect(() => loosen(pkcs11.CKA_SENSITIVE, false)).toThrow(/CKR_/);
        const types = [pkcs11.CKA_NEVER_EXTRACTABLE, pkcs11.CKA_ALWAYS_SENSITIVE].map((type) => ({ type }));
        for (const { value: is } of module.C_GetAttributeValue(session, handle, types)) expect(is[0]).toBe(1);
      }
    });
  });

  it('says that the token is gone while it is, and signs again when it is back', async () => {
    for (let count = 0; count < 3; count++) {
      expect(await isValid(key, message, await key.sign(message))).toBe(true);
      hsm.takeAway();
      const asked = await Promise.allSettled(Array.from({ length: 20 }, () => key.sign(message)));
      for (const outcome of asked) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'TokenUnavailable' } });
        expect(((outcome as PromiseRejectedResult).reason as Error).message).toMatch(/"tally".*connect it/);
      }
      hsm.putBack();
    }
    const signatures = await Promise.all(Array.from({ length: 20 }, () => key.sign(message)));
    for (const signature of signatures) expect(await isValid(key, message, signature)).toBe(true);
  });

  it('outlives that its token is gone in the middle of many signatures', async () => {
    const asked = Array.from({ length: 200 }, async (_, nth) => {
      if (nth === 60) hsm.takeAway();
      return key.sign(utf8(`message ${nth}`));
    });
    for (const outcome of await Promise.allSettled(asked))
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ name: 'TokenUnavailable' });
    hsm.putBack();
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });

  it('tries a wrong PIN once, and says what to do', async () => {
    await close();
    const logins = countLogins();
    const opening = openKeystore(described, '161803');
    await expect(opening).rejects.toMatchObject({ name: 'PinRefused' });
    await expect(opening).rejects.toThrow(/does not take the PIN.*correct the PIN file, then start again/);
    expect(logins.count).toBe(1);
  });

  it('tries no PIN again that the token stopped taking', async () => {
    await close();
    const logins = countLogins();
    const [again] = (await openKeystore()).keys as [DescribedKey];
    hsm.takeAway();
    await expect(again.sign(message)).rejects.toMatchObject({ name: 'TokenUnavailable' });
    hsm.putBack();
    changePinElsewhere('161803');
    const asked = await Promise.allSettled(Array.from({ length: 20 }, () => again.sign(message)));
    for (const outcome of asked) expect(outcome).toMatchObject({ reason: { name: 'PinRefused' } });
    await expect(again.sign(message)).rejects.toMatchObject({ name: 'PinRefused' });
    expect(logins.count).toBe(2);
  });

  it('does not spend the last try before a token locks', async () => {
    await close();
    replaceMethod(
      'C_GetTokenInfo',
      (real) =>
        function (this: PKCS11, slot) {
          const info = Reflect.apply(real, this, [slot]);
          return { ...info, flags: info.flags | pkcs11.CKF_USER_PIN_FINAL_TRY };
        },
    );
    const logins = countLogins();
    await expect(openKeystore()).rejects.toThrow(/one try left before it locks/);
    expect(logins.count).toBe(0);
  });

  it('knows its keys again in another run, and no key that only has their name', async () => {
    const file = join(directory, 'token.json');
    writeTokenDescription(file, described);
    await close();
    const keystore = await openKeystore(readTokenDescription(file));
    expect(keystore.keys.map(({ keyid }) => keyid)).toEqual([key.keyid]);
    const namesake = await keystore.generateKey({
      label: 'tally log',
      alg: 'ed25519',
      usages: ['log'],
      ns: null,
    });
    expect(namesake.keyid).not.toBe(key.keyid);
    await close();
    expect((await openKeystore()).keys.map(({ keyid }) => keyid)).toEqual([key.keyid]);
  });

  it('destroys what it is told to, and then does not open', async () => {
    await open?.destroyKeys();
    await close();
    await expect(openKeystore()).rejects.toThrow(/no public key labeled "tally log"/);
  });

  it('refuses a key that could be taken out of its token', async () => {
    await close();
    const id = 'c0ffee';
    const point = withToken((module, session) => {
      const common = [
        { type: pkcs11.CKA_TOKEN, value: true },
        { type: pkcs11.CKA_LABEL, value: 'loose' },
        { type: pkcs11.CKA_ID, value: Buffer.from(id, 'hex') },
      ];
      const curve = { type: pkcs11.CKA_EC_PARAMS, value: Buffer.from('06082a8648ce3d030107', 'hex') };
      const loose = [
        { type: pkcs11.CKA_EXTRACTABLE, value: true },
        { type: pkcs11.CKA_SENSITIVE, value: false },
        { type: pkcs11.CKA_SIGN, value: true },
      ];
      const mechanism = { mechanism: pkcs11.CKM_EC_KEY_PAIR_GEN };
      const pair = module.C_GenerateKeyPair(session, mechanism, [...common, curve], [...common, ...loose]);
      const shown = module.C_GetAttributeValue(session, pair.publicKey, [{ type: pkcs11.CKA_EC_POINT }]);
      return new Uint8Array((shown[0] as { value: Buffer }).value.subarray(2));
    });
    const publicKey = { alg: 'ecdsa-p256-sha256', key: point } as const;
    const loose = { label: 'loose', id, publicKey, usages: ['root'], ns: null } as const;
    await expect(openKeystore({ ...described, keys: [loose] })).rejects.toThrow(
      /can be taken out of its token/,
    );
  });

  const wrong: [string, (right: TokenDescription) => TokenDescription, RegExp][] = [
    [
      'a module that is not there',
      (d) => ({ ...d, module: '/nowhere/pkcs11.so' }),
      /nowhere.*cannot be loaded.*install/,
    ],
    ['a module that is none', (d) => ({ ...d, module: import.meta.filename }), /cannot be loaded/],
    [
      'a token that is not there',
      (d) => ({ ...d, token: 'sealed' }),
      /no token labeled "sealed".*shows "tally"/,
    ],
    [
      'a key that is not there',
      (d) => ({ ...d, keys: d.keys.map((each) => ({ ...each, id: '00' })) }),
      /no public key labeled "tally log" with id 00/,
    ],
    [
      'another key in its place',
      (d) => ({
        ...d,
        keys: d.keys.map((each) => ({ ...each, publicKey: { alg: 'ed25519', key: new Uint8Array(32) } })),
      }),
      /not the one that is described/,
    ],
  ];
  it.each(wrong)('with %s does not open, and says what is wrong', async (_what, spoil, words) => {
    await close();
    const opening = openKeystore(spoil(described));
    await expect(opening).rejects.toThrow(words);
    await expect(opening).rejects.toSatisfy((error: Error) =>
      /^(KeystoreError|TokenUnavailable)$/.test(error.name),
    );
  });

  it('does not guess between two tokens of one label', async () => {
    await close();
    hsm.initToken(hsm.label);
    await expect(openKeystore()).rejects.toThrow(/shows 2 tokens labeled "tally"/);
  });

  it('leaves another keystore of its process alone, whose module it cannot share', async () => {
    await expect(Pkcs11Keystore.open(described, hsm.pin)).rejects.toThrow(/in use by this process already/);
    expect(await isValid(key, message, await key.sign(message))).toBe(true);
  });
});

describe('a token description', () => {
  const right = {
    v: 1,
    module: '/usr/lib/pkcs11.so',
    token: 'tally',
    keys: [
      {
        label: 'tally log',
        id: '0a',
        alg: 'ed25519',
        key: base64(new Uint8Array(32).fill(9)),
        usages: ['log'],
        ns: null,
      },
    ],
  };
  const [rightKey] = right.keys;

  function write(content: unknown): string {
    const file = join(scratchDirectory(), 'token.json');
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o644 });
    return file;
  }

  it('is read as it was written, and written once', () => {
    const file = write(right);
    const copy = join(scratchDirectory(), 'copy.json');
    writeTokenDescription(copy, readTokenDescription(file));
    expect(JSON.parse(readFileSync(copy, 'utf8'))).toEqual(right);
    expect(() => writeTokenDescription(copy, readTokenDescription(file))).toThrow('EEXIST');
  });

  it.each([0o664, 0o646, 0o666])(
    'that others can write (%o) is refused: it names a library to load',
    (mode) => {
      const file = write(right);
      chmodSync(file, mode);
      expect(() => readTokenDescription(file)).toThrow(/chmod 644/);
    },
  );

  it.each([
    ['text', 'token'],
    ['another version', { ...right, v: 2 }],
    ['a member more', { ...right, pin: '1234' }],
    ['a key with a member more', { ...right, keys: [{ ...rightKey, limits: {} }] }],
    ['an unknown usage', { ...right, keys: [{ ...rightKey, usages: ['everything'] }] }],
    ['an unknown algorithm', { ...right, keys: [{ ...rightKey, alg: 'rsa' }] }],
    ['a key of another length', { ...right, keys: [{ ...rightKey, key: 'AAAA' }] }],
    ['an id that is not hex', { ...right, keys: [{ ...rightKey, id: 'log' }] }],
  ])('that is %s is refused', (_what, content) => {
    expect(() => readTokenDescription(write(content))).toThrow(/is not a token description/);
  });

  it('that is missing is said to be missing', () => {
    expect(() => readTokenDescription('/nowhere/token.json')).toThrow(/not a token description: ENOENT/);
  });
});

describe('a PIN file', () => {
  function write(text: string, mode: number): string {
    const file = join(scratchDirectory(), 'token.pin');
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  }

  it('gives the PIN without the end of its line', () => {
    expect(readPinFile(write('271828\n', 0o600))).toBe('271828');
  });

  it.each([0o644, 0o640, 0o606, 0o620])('that others can reach (%o) is refused', (mode) => {
    expect(() => readPinFile(write('271828', mode))).toThrow(/PIN file .* chmod 600/);
  });

  it('that is empty is refused before it costs a try', () => {
    expect(() => readPinFile(write('\n', 0o600))).toThrow(/is empty/);
  });

  it('that is missing is said to be missing', () => {
    expect(() => readPinFile('/nowhere/pin')).toThrow(/PIN file cannot be read: ENOENT/);
  });
});
