import { StoreDamaged } from './store.ts';

const corrupt = 11;
const notADatabase = 26;

/** SQLite names no file: what it says of one that is damaged, with its name. Other errors are left as they are. */
export function namingDamaged(file: string, error: unknown): unknown {
  const { errcode, message } = error as { errcode?: number; message?: string };
  if (errcode !== corrupt && errcode !== notADatabase) return error;
  return new StoreDamaged(`${file}: ${message}`, { cause: error });
}
