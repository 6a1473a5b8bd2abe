/** A log of arbitrary entries, for the witness, who does not look at them. */
import { leafHash, utf8 } from '@tallystick/core';
import { TestLog } from './test-log.ts';

export function plainLog(size: number, origin?: string, salt = ''): TestLog {
  const log = new TestLog(origin);
  for (let index = 0; index < size; index++) {
    const entry = utf8(`${salt}entry ${index}`);
    log.entries.push(entry);
    log.tree.append(leafHash(entry));
  }
  return log;
}
