/** Derives projections from a store into a fresh file, by the ledger's own code. */
import {
  type IndexLicenseKey,
  LogState,
  ProjectionFeeder,
  Projections,
  type Store,
} from '@tallystick/ledger';

export interface DeriveParts {
  store: Store;
  genesis: Uint8Array;
  ns: string;
  indexKey: IndexLicenseKey;
}

/** Throws IntegrityAlarm where a stored revision is not the one that was logged. */
export async function deriveProjections(
  { store, genesis, ns, indexKey }: DeriveParts,
  file: string,
  onProgress: (entries: number) => void,
): Promise<void> {
  const state = await LogState.load(store, { genesis, ns, pastFrom: await store.size() });
  using projections = new Projections(file);
  await new ProjectionFeeder({ store, state, projections, writer: projections, indexKey }).replay(onProgress);
}
