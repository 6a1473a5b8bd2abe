import { type CreateSystemOptions, createSystem, type Layout } from '@tallystick/server';

/** Makes an embedded system of the namespace `acme` in a folder, for free ports. It is not started. */
export function createTestSystem(
  directory: string,
  options: Partial<CreateSystemOptions> = {},
): Promise<Layout> {
  return createSystem({
    directory,
    ns: 'acme',
    name: 'Acme',
    mode: 'test',
    support: { name: null, email: null, url: null },
    origin: 'tally.example/log',
    ports: { public: 0, admin: 0, ops: 0 },
    offlineMax: 'P90D',
    now: Date.now(),
    ...options,
  });
}
