/** Which users the signer serves. */
import { readFileSync } from 'node:fs';
import { CellError } from '../cell/cell-error.ts';
import { type CellFiles, ownUser, usersFile } from '../cell/files.ts';

/** In a user namespace everybody looks like this one who is not mapped into it. */
const nobody = 65_534;

/**
 * Ids of the signer's own user and of those that its configuration names. Reads /etc/passwd where it has names. Throws
 * CellError where they do not fit whom the socket is for.
 */
export function servedUsers({
  socketFor,
  socketUsers = [],
}: Pick<CellFiles, 'socketFor' | 'socketUsers'>): Set<number> {
  if (socketFor === 'group' && socketUsers.length === 0)
    throw new CellError(`a socket for a group needs "socketUsers": name the server's user there`);
  if (socketFor !== 'group' && socketUsers.length > 0)
    throw new CellError(`"socketUsers" can reach the socket only with "socketFor": "group": add that`);
  const users = new Set([ownUser(), ...socketUsers.map(userId)]);
  if (socketUsers.length > 0 && users.has(nobody))
    throw new CellError(`user ${nobody} is nobody, and in a namespace anybody: use users of their own`);
  return users;
}

function userId(user: string | number): number {
  if (typeof user === 'number' && Number.isSafeInteger(user) && user >= 0) return user;
  const entry = readFileSync(usersFile, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user);
  const id = Number(entry?.[2] ?? Number.NaN);
  if (!Number.isSafeInteger(id))
    throw new CellError(
      `${usersFile} has no user ${JSON.stringify(user)}: correct "socketUsers", or put its number there`,
    );
  return id;
}
