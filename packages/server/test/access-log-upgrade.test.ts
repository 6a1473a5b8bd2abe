/** The access log of a system that a version without one made. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseVerifierKey } from '@tallystick/core';
import {
  createSealedKeystore,
  generateKeySpec,
  Mark,
  openSealedKeystore,
  readPassphraseFile,
} from '@tallystick/signer';
import { createTestSystem } from '@tallystick/testkit';
import { initState } from '@tallystick/witness';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { beginAccessLog, beginAccessLogAgain } from '../src/setup/access-log.ts';
import type { SystemDescription } from '../src/setup/create-system.ts';
import { type Layout, layoutOf } from '../src/setup/layout.ts';

const parent = mkdtempSync(join(tmpdir(), 'tally-upgrade-'));
let count = 0;
let layout: Layout;

afterAll(() => rmSync(parent, { recursive: true, force: true }));

function described(): SystemDescription {
  return JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
}

function accessKeys(): string[] {
  const keys = openSealedKeystore(layout.keys.online, readPassphraseFile(layout.secrets.onlinePassphrase));
  return keys.filter(({ usages }) => usages.includes('access')).map(({ keyid }) => keyid);
}

beforeAll(async () => {
  await createTestSystem(join(parent, 'made'), { algorithms: ['ed25519'] });
});

/** As it was but for the key: no mark, no place with the witnesses, and no word of it. */
beforeEach(() => {
  count += 1;
  layout = layoutOf(join(parent, String(count)));
  cpSync(join(parent, 'made'), layout.root, { recursive: true });
  const { access: _, ...before } = described();
  writeFileSync(layout.system, JSON.stringify(before));
  rmSync(layout.signer.accessMark);
  for (const { name, folder, kind } of before.cosigners) {
    rmSync(layout.cosigner(folder).state);
    initState({ kind, name, stateFile: layout.cosigner(folder).state, origins: [before.origin] });
  }
});

/** A keystore takes half a second to seal: only who looks for a new key has one without. */
function withoutKey(): void {
  rmSync(layout.keys.online);
  const passphrase = readFileSync(layout.secrets.onlinePassphrase, 'utf8').trim();
  createSealedKeystore(layout.keys.online, passphrase, [generateKeySpec(['log'], null)]);
}

describe('a system without an access log', () => {
  it('gets a key, a mark, a place with its witnesses, and a description of them', () => {
    withoutKey();
    const after = beginAccessLog(layout, described(), null);
    expect(after).toEqual(described());
    expect(after.access?.origin).toBe('tally.example/log/access');
    expect(parseVerifierKey(after.access?.vkey ?? '').name).toBe('tally.example/log/access');
    expect(accessKeys()).toHaveLength(1);
    using mark = Mark.open(layout.signer.accessMark, 'tally.example/log/access');
    expect(mark.checkpoint.size).toBe(0);
    for (const { name, folder, kind } of after.cosigners) {
      const known = { kind, name, stateFile: layout.cosigner(folder).state };
      const added = initState({ ...known, origins: ['tally.example/log/access'], mustExist: true });
      expect(added).toEqual(kind === 'witness' ? [] : ['tally.example/log/access']);
    }
  });

  it('is finished with one key where it was interrupted before it was described', () => {
    withoutKey();
    const before = described();
    const first = beginAccessLog(layout, before, null);
    writeFileSync(layout.system, JSON.stringify(before));
    expect(beginAccessLog(layout, described(), null)).toEqual(first);
    expect(accessKeys()).toHaveLength(1);
  });

  it('gets a name of its own where it shares its log', () => {
    expect(beginAccessLog(layout, described(), 'a1b2c3d4').access?.origin).toBe(
      'tally.example/log/access/a1b2c3d4',
    );
  });
});

describe('an access log that is lost', () => {
  it('has another in its place, under the next name, and is kept with its mark', () => {
    const names: string[] = [];
    beginAccessLog(layout, described(), null);
    for (let turn = 0; turn < 2; turn++) {
      writeFileSync(layout.access, 'the file of before');
      names.push(beginAccessLogAgain(layout).after);
      expect(existsSync(layout.access)).toBe(false);
    }
    expect(names).toEqual(['tally.example/log/access/2', 'tally.example/log/access/3']);
    for (const suffix of ['2', '3']) {
      expect(readFileSync(layout.access.replace('.db', `-before-${suffix}.db`), 'utf8')).toBe(
        'the file of before',
      );
      expect(existsSync(layout.signer.accessMark.replace('.db', `-before-${suffix}.db`))).toBe(true);
    }
  });

  it('is kept where the run was interrupted before the other one was described', () => {
    beginAccessLog(layout, described(), null);
    const before = described();
    writeFileSync(layout.access, 'the file of before');
    beginAccessLogAgain(layout);
    writeFileSync(layout.system, JSON.stringify(before));
    expect(beginAccessLogAgain(layout).after).toBe('tally.example/log/access/2');
    const kept = layout.signer.accessMark.replace('.db', '-before-2.db');
    using former = Mark.open(kept, 'tally.example/log/access');
    using mark = Mark.open(layout.signer.accessMark, 'tally.example/log/access/2');
    expect([former.checkpoint.size, mark.checkpoint.size]).toEqual([0, 0]);
    expect(readFileSync(layout.access.replace('.db', '-before-2.db'), 'utf8')).toBe('the file of before');
  });

  it('has one of the same server behind it where several share the log', () => {
    beginAccessLog(layout, described(), 'a1b2c3d4');
    expect(beginAccessLogAgain(layout).after).toBe('tally.example/log/access/a1b2c3d4.2');
    expect(beginAccessLogAgain(layout).after).toBe('tally.example/log/access/a1b2c3d4.3');
  });

  it('stays as it is where that is only tried out', () => {
    beginAccessLog(layout, described(), null);
    const before = described();
    expect(beginAccessLogAgain(layout, { dryRun: true }).after).toBe('tally.example/log/access/2');
    expect(described()).toEqual(before);
  });
});
