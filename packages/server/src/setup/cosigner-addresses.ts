/** Where a system finds the cosigners of its trust root: in itself, where its description says, or where the trust root does. */
import { existsSync } from 'node:fs';
import { readTrustRootFile } from '../trust-root-file.ts';
import { writeWhole } from '../write-whole.ts';
import type { SystemDescription } from './create-system.ts';
import type { Layout } from './layout.ts';
import { readSystemFile } from './system-file.ts';

export interface CosignerAddress {
  /** That of its keys. */
  name: string;
  /** null of one that runs inside the system, on a port of its own at each start, and where nobody says it. */
  address: string | null;
  source: 'inside' | 'system' | 'trust root' | null;
}

/** Of the newest trust root, each once. */
export async function cosignerAddresses(layout: Layout): Promise<CosignerAddress[]> {
  const system = readSystemFile(layout);
  const newest = (await readTrustRootFile(layout.trustRoot)).at(-1);
  const members = new Map((newest?.quorum.witnesses ?? []).map(({ vkey, url }) => [vkey.name, url]));
  return [...members].map(([name, url]): CosignerAddress => {
    if (system.cosigners.some((inside) => inside.name === name))
      return { name, address: null, source: 'inside' };
    const own = system.cosignerUrls?.[name];
    if (own !== undefined) return { name, address: own, source: 'system' };
    return { name, address: url, source: url === null ? null : 'trust root' };
  });
}

/**
 * Says where cosigners are from the next start on; a cosigner that ran inside the system does so no more. Throws Error with a
 * sentence for the operator, and has then changed nothing.
 */
export async function setCosignerAddresses(
  layout: Layout,
  addresses: Readonly<Record<string, string>>,
  { dryRun }: { dryRun: boolean },
): Promise<void> {
  const system = readSystemFile(layout);
  const known = (await cosignerAddresses(layout)).map(({ name }) => name);
  for (const name of Object.keys(addresses)) {
    if (!known.includes(name)) throw new Error(unknownCosigner(name, known));
    const inside = system.cosigners.find((cosigner) => cosigner.name === name);
    if (inside === undefined) continue;
    const { directory } = layout.cosigner(inside.folder);
    // A copy that is left behind could be started, and cosign what the moved one never saw.
    if (existsSync(directory))
      throw new Error(
        `${name} is still in ${directory}: stop this system and move that folder, whole, to where it runs from now on`,
      );
  }
  if (dryRun) return;
  const next: SystemDescription = {
    ...system,
    cosigners: system.cosigners.filter(({ name }) => !Object.hasOwn(addresses, name)),
    cosignerUrls: { ...system.cosignerUrls, ...addresses },
  };
  writeWhole(layout.system, `${JSON.stringify(next, null, 2)}\n`);
}

export function unknownCosigner(name: string, known: readonly string[]): string {
  return `the trust root has no cosigner ${name}, but ${known.join(', ')}`;
}
