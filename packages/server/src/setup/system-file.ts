/** The two files that describe a system, read so that what is wrong with one is said of that file. */
import { existsSync, readFileSync } from 'node:fs';
import type { ClientDescription, SystemDescription } from './create-system.ts';
import type { Layout } from './layout.ts';

const portMax = 65_535;

/** `system.json`. Throws where it is damaged: people edit the ports in it. */
export function readSystemFile({ system: file }: Pick<Layout, 'system'>): SystemDescription {
  const system = readObject(file) as Partial<SystemDescription>;
  if (system.v !== 1)
    throw new Error(`${file} is not of version 1: use the version that wrote it, or a newer one`);
  const { public: open, admin, ops }: Partial<SystemDescription['ports']> = system.ports ?? {};
  for (const [name, port] of Object.entries({ public: open, admin, ops })) {
    if (!isPort(port))
      throw new Error(`${file}: the port ${name} must be a whole number from 0 to ${portMax}`);
  }
  return system as SystemDescription;
}

/** `client.json`; null where there is none: who has a credential of their own needs none. */
export function readClientDescription({ client: file }: Pick<Layout, 'client'>): ClientDescription | null {
  return existsSync(file) ? (readObject(file) as ClientDescription) : null;
}

function readObject(file: string): object {
  const text = readFileSync(file, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // What the parser says may quote the file, and that may hold a token.
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new Error(`${file} is not a JSON object: repair it, or take it from a backup`);
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= portMax;
}
