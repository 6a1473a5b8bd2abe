/**
 * Whether what PostgreSQL acknowledges is as durable as was asked for. Its settings decide, and a running server can be
 * told others: an emptied list of standbys makes every commit return at once, those that were waiting too.
 */
import { StoreUnavailable } from '../store.ts';
import type { PostgresDurability } from './postgres-url.ts';

/** A row of the statement `confirm`. */
export interface DurabilitySettings {
  /** synchronous_standby_names */
  list: string;
  /** synchronous_commit */
  commit: string;
  fsync: string;
  /** full_page_writes */
  pages: string;
  /** True on a server that only follows another one. */
  standby: boolean;
}

/** Standbys that must confirm a commit besides the primary: 0 where the list is empty. */
function demandedStandbys(list: string): number {
  if (list.trim() === '') return 0;
  const counted = /^\s*(?:(?:any|first)\s+)?(\d+)\s*\(/i.exec(list);
  return counted === null ? 1 : Number(counted[1]);
}

/** Says in a sentence why commits would not be durable enough; null where they are. */
function weaknessOf(settings: DurabilitySettings, durability: PostgresDurability): string | null {
  const { list, commit, fsync, pages, standby } = settings;
  if (standby) return 'the server is a standby: name the primary';
  if (fsync !== 'on' || pages !== 'on')
    return `fsync is ${fsync} and full_page_writes is ${pages}: turn both on, or a crash destroys the log`;
  if (commit !== 'on' && commit !== 'remote_apply')
    return `synchronous_commit is ${commit}: let this role set it to on`;
  if (durability === 'single-node' || demandedStandbys(list) > 0) return null;
  return (
    'synchronous_standby_names is empty, so that no standby has what is acknowledged: name some, as in ' +
    "'ANY 1 (n2, n3)', or say durability=single-node in the URL"
  );
}

/**
 * Says in a sentence why a commit just before may not have been waited for; null where it was.
 *
 * @param list the one that it was made under; null where none is asked for
 */
export function commitWeaknessOf(
  settings: DurabilitySettings,
  durability: PostgresDurability,
  list: string | null,
): string | null {
  const isOther = list !== null && settings.list !== list;
  return weaknessOf(settings, durability) ?? (isOther ? 'its list of standbys changed meanwhile' : null);
}

/** Throws StoreUnavailable. */
export function demandDurability(settings: DurabilitySettings, durability: PostgresDurability): void {
  const weakness = weaknessOf(settings, durability);
  if (weakness !== null) throw new StoreUnavailable(`PostgreSQL is not safe to write to: ${weakness}`, false);
}
