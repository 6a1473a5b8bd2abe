/** The product's own checks of a whole system, at rest: store, projections, and the signer's mark and journal. */
import { createHmac, createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { auditSigner, type FsckReport, fsck, type Incident } from '@tallystick/audit';
import { decodeBase64, type PublicKey } from '@tallystick/core';
import { readStore, type SystemDescription, storePlaceOf } from '@tallystick/server';
import { Mark } from '@tallystick/signer';
import { trustOf } from './log-walk.ts';
import type { RealSystem } from './real-system.ts';

/** Stops the system, checks it and leaves it stopped. `stop` is for a system that runs under another supervisor. */
export async function auditAtRest(
  system: RealSystem,
  stop: () => Promise<void> = () => system.down(),
): Promise<FsckReport & { incidents: Incident[] }> {
  const { keys } = (await system.public('GET', '/trust/acme/keys')).json as {
    keys: { alg: string; key: string }[];
  };
  await stop();
  const { layout } = system;
  const trust = await trustOf(system);
  const secret = createSecretKey(
    Buffer.from(readFileSync(layout.secrets.licenseKeySecret, 'utf8').trim(), 'base64'),
  );
  const described = JSON.parse(readFileSync(layout.system, 'utf8')) as SystemDescription;
  await using store = await readStore(storePlaceOf(layout, described));
  using mark = Mark.open(layout.signer.mark, trust.log.origin);
  const parts = {
    store,
    genesis: trust.genesis,
    ns: 'acme',
    keys: keys.map(({ alg, key }) => ({ alg, key: decodeBase64(key) }) as PublicKey),
    projections: {
      file: layout.ledger.projections,
      indexKey: (key: string) => createHmac('sha256', secret).update(key).digest('base64url'),
    },
    mark: mark.checkpoint,
  };
  const report = await fsck(parts, { all: true, now: Math.floor(Date.now() / 1000), workers: 0 });
  const { origin } = trust.log;
  const journaled = { store, origin, journal: layout.signer.journal, known: mark.journal };
  return { ...report, incidents: (await auditSigner(journaled, { all: true })).incidents };
}
