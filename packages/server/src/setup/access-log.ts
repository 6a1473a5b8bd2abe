/** Begins the access log of a system: its key, the mark of its signer, and a place with the witnesses that run inside. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { accessOrigin, accessUsage } from '@tallystick/access';
import { formatVerifierKey, logVerifierKey, type PublicKey } from '@tallystick/core';
import {
  addToSealedKeystore,
  generateKeySpec,
  Mark,
  openSealedKeystore,
  readPassphraseFile,
  SigningKey,
} from '@tallystick/signer';
import { initState } from '@tallystick/witness';
import { writeWhole } from '../write-whole.ts';
import type { SystemDescription } from './create-system.ts';
import type { Layout } from './layout.ts';
import { readSystemFile } from './system-file.ts';

/** Stands in `system.json`. */
export interface AccessLogDescription {
  /** Name of the access log. */
  origin: string;
  /** Of the key that signs it. */
  vkey: string;
  /** As in the server's configuration. */
  keepAtLeast?: string;
}

export function describeAccessLog(origin: string, key: PublicKey): AccessLogDescription {
  return { origin, vkey: formatVerifierKey(logVerifierKey(origin, key)) };
}

/** Makes the mark of an access log that begins, and the folder that its file comes into. */
export function makeAccessMark(layout: Layout, origin: string): void {
  mkdirSync(dirname(layout.access), { recursive: true, mode: 0o700 });
  const { accessMark } = layout.signer;
  if (existsSync(accessMark)) return;
  // Under its name it is whole, whenever this is interrupted.
  const partial = `${accessMark}.partial`;
  rmSync(partial, { force: true });
  Mark.create(partial, origin);
  renameSync(partial, accessMark);
}

/**
 * Begins the access log of a system that has none, made by an earlier version; one that was interrupted is finished. Nothing may
 * run. Returns the new description, which it has written. Throws what its parts throw: where a witness or the keystore is
 * held, nothing was begun that does harm.
 *
 * @param suffix tells it from others of the same log; null for the only one
 */
export function beginAccessLog(
  layout: Layout,
  system: SystemDescription,
  suffix: string | null,
): SystemDescription {
  const key = accessKey(layout);
  const access = describeAccessLog(accessOrigin(system.origin, suffix), key);
  makeAccessMark(layout, access.origin);
  for (const { name, folder, kind } of system.cosigners) {
    if (kind !== 'witness') continue;
    const { state: stateFile } = layout.cosigner(folder);
    initState({ kind, name, stateFile, origins: [access.origin], mustExist: true });
  }
  const described = { ...system, access };
  writeWhole(layout.system, `${JSON.stringify(described, null, 2)}\n`);
  return described;
}

/**
 * Begins another access log in the place of one that is lost, or whose key is: under the next name, since witnesses and signer
 * remember the former. Its file and mark are kept beside. As `beginAccessLog` otherwise.
 */
export function beginAccessLogAgain(
  layout: Layout,
  { dryRun = false }: { dryRun?: boolean } = {},
): { before: string | null; after: string } {
  const system = readSystemFile(layout);
  const before = system.access?.origin ?? null;
  const suffix = before === null ? null : nextSuffix(system.origin, before);
  const after = accessOrigin(system.origin, suffix);
  if (dryRun) return { before, after };
  for (const file of before === null ? [] : [layout.access, layout.signer.accessMark])
    if (existsSync(file)) keepAside(file, suffix);
  beginAccessLog(layout, system, suffix);
  return { before, after };
}

/** `2` follows the first, which has none; of a server among several, `a1b2c3d4.2` follows `a1b2c3d4`. */
function nextSuffix(origin: string, before: string): string {
  const suffix = before.slice(accessOrigin(origin).length + 1);
  const [, name = '', count] = /^(?:(.*?)\.)?(\d{1,6})$/.exec(suffix) ?? [null, suffix];
  const next = String(count === undefined ? 2 : Number(count) + 1);
  return name === '' ? next : `${name}.${next}`;
}

/** Under the name of the log that begins. What is there already was kept by a run that was interrupted: this is of that run. */
function keepAside(file: string, suffix: string | null): void {
  const kept = file.replace(/\.db$/, `-before-${suffix}.db`);
  if (existsSync(kept)) rmSync(file);
  else renameSync(file, kept);
}

/** The access key of the keystore, made where there is none. */
function accessKey({ keys, secrets }: Layout): PublicKey {
  const held = openSealedKeystore(keys.online, readPassphraseFile(secrets.onlinePassphrase));
  const known = held.find(({ usages }) => usages.includes(accessUsage));
  if (known !== undefined) return known.publicKey;
  const spec = generateKeySpec([accessUsage], null);
  const { publicKey } = new SigningKey(spec);
  addToSealedKeystore(keys.online, readPassphraseFile(secrets.onlinePassphrase), [spec]);
  return publicKey;
}
