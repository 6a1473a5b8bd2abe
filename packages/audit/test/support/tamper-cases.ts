// long: one table, read side by side
/** What can be done to the files of a log, and where a check has to find it. */
import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { encodeMapRoot } from '@tallystick/core';
import { generateKeySpec, SigningKey } from '@tallystick/signer';
import { append, blobAt, continuation, firstOf, flip, recordRows, sizeOf } from './tamper.ts';
import type { VariedLog } from './varied-log.ts';

/** What is done to the files, and where the first problem has to be found. */
export interface TamperCase {
  what: string;
  store?: (database: DatabaseSync) => number;
  projections?: (database: DatabaseSync) => void;
  table: string;
  part: string;
  /** False where hashes alone cannot tell. */
  inHashes: boolean;
}

/** A record whose content is all there, with a companion. */
export function whole(database: DatabaseSync): number {
  return firstOf(database, 'license.amended').index;
}

export function execute(
  database: DatabaseSync,
  sql: string,
  ...values: (number | string | Uint8Array)[]
): void {
  const { changes } = database.prepare(sql).run(...values);
  if (changes === 0) throw new Error(`nothing was changed by ${sql}`);
}

/** `log` is asked when a case is run. */
// long: one table, read side by side
export function storeCases(log: () => VariedLog): TamperCase[] {
  return [
    ...(
      [
        ['entries', 'entry', 'entries', 'entry'],
        ['leaves', 'leaf', 'leaves', 'leaf'],
        ['leaves', 'subject', 'leaves', 'subject'],
        ['contents', 'document', 'contents', 'document'],
        ['contents', 'salt', 'contents', 'document'],
        ['contents', 'companion', 'contents', 'companion'],
        ['contents', 'companion_salt', 'contents', 'companion'],
      ] as const
    ).map(([of, column, table, part]) => ({
      what: `one byte in ${of}.${column}`,
      store: (db: DatabaseSync) => {
        const index = whole(db);
        flip(db, of, column, index);
        return index;
      },
      table,
      part,
      inHashes: true,
    })),
    ...(['document', 'salt'] as const).map((column) => ({
      what: `one byte in causes.${column}`,
      store: (db: DatabaseSync) => {
        const index = whole(db);
        flip(db, 'causes', column, index);
        return index;
      },
      table: 'causes',
      part: 'document',
      inHashes: true,
    })),
    {
      what: 'the salt of a public document',
      store: (db) => {
        flip(db, 'contents', 'salt', 1);
        return 1;
      },
      table: 'contents',
      part: 'salt',
      inHashes: true,
    },
    {
      what: 'the content of the brake deleted',
      store: (db) => {
        execute(db, "DELETE FROM contents WHERE id = 'brake'");
        return 2;
      },
      table: 'contents',
      part: 'row',
      inHashes: true,
    },
    {
      what: 'the document of the namespace removed as by an erasure',
      store: (db) => {
        execute(db, 'UPDATE contents SET salt = NULL, document = NULL WHERE idx = 1');
        return 1;
      },
      table: 'contents',
      part: 'document',
      inHashes: true,
    },
    {
      what: 'a tail deleted',
      store: (db) => {
        const from = sizeOf(db) - 3;
        for (const table of ['leaves', 'entries', 'contents', 'causes'])
          db.exec(`DELETE FROM ${table} WHERE idx >= ${from}`);
        return from;
      },
      table: 'leaves',
      part: 'row',
      inHashes: true,
    },
    {
      what: 'a tail deleted with its checkpoints',
      store: (db) => {
        const { size } = db
          .prepare('SELECT size FROM checkpoints ORDER BY size DESC LIMIT 1 OFFSET 1')
          .get() as { size: number };
        for (const table of ['leaves', 'entries', 'contents', 'causes'])
          db.exec(`DELETE FROM ${table} WHERE idx >= ${size}`);
        db.exec(`DELETE FROM checkpoints WHERE size > ${size}`);
        return size;
      },
      table: 'mark',
      part: 'size',
      inHashes: true,
    },
    {
      what: 'the bytes of two entries swapped',
      store: (db) => {
        const index = whole(db);
        const [a, b] = [blobAt(db, 'entries', 'entry', index), blobAt(db, 'entries', 'entry', index + 1)];
        execute(db, 'UPDATE entries SET entry = ? WHERE idx = ?', b, index);
        execute(db, 'UPDATE entries SET entry = ? WHERE idx = ?', a, index + 1);
        return index;
      },
      table: 'entries',
      part: 'entry',
      inHashes: true,
    },
    {
      what: 'the leaf hashes of two entries swapped',
      store: (db) => {
        const index = whole(db);
        const [a, b] = [blobAt(db, 'leaves', 'leaf', index), blobAt(db, 'leaves', 'leaf', index + 1)];
        execute(db, 'UPDATE leaves SET leaf = ? WHERE idx = ?', b, index);
        execute(db, 'UPDATE leaves SET leaf = ? WHERE idx = ?', a, index + 1);
        return index;
      },
      table: 'leaves',
      part: 'leaf',
      inHashes: true,
    },
    {
      what: 'two whole rows swapped in every table',
      store: (db) => {
        // Of two commands about one subject that follow each other, without a map root between them.
        const single = 'SELECT idx FROM causes WHERE records = 1';
        const sql =
          `SELECT a.idx AS idx FROM leaves a JOIN leaves b ON b.idx = a.idx + 1 AND b.subject = a.subject ` +
          `WHERE a.rev > 0 AND a.idx IN (${single}) AND b.idx IN (${single})`;
        const index = Number(db.prepare(sql).get()?.['idx']);
        for (const table of ['leaves', 'entries', 'contents', 'causes']) {
          for (const [from, to] of [
            [index, -9],
            [index + 1, index],
            [-9, index + 1],
          ] as const) {
            execute(db, `UPDATE ${table} SET idx = ? WHERE idx = ?`, to, from);
          }
        }
        execute(db, 'UPDATE contents SET cause = idx WHERE idx IN (?, ?)', index, index + 1);
        return index;
      },
      table: 'entries',
      part: 'chain',
      inHashes: true,
    },
    {
      what: 'the document of another revision',
      store: documentOfAnotherRevision,
      table: 'contents',
      part: 'document',
      inHashes: true,
    },
    {
      what: "the log's signature on a checkpoint",
      store: (db) => alterNote(db, 1),
      table: 'checkpoints',
      part: 'signature',
      inHashes: false,
    },
    {
      what: "a cosigner's signature on a checkpoint",
      store: (db) => alterNote(db, 2),
      table: 'checkpoints',
      part: 'quorum',
      inHashes: false,
    },
    {
      what: 'the root of a checkpoint',
      store: (db) => alterNote(db, 0),
      table: 'checkpoints',
      part: 'root',
      inHashes: true,
    },
    {
      what: 'a checkpoint filed under another size',
      store: (db) => {
        const { size } = db.prepare('SELECT size FROM checkpoints ORDER BY size LIMIT 1').get() as {
          size: number;
        };
        execute(db, 'UPDATE checkpoints SET size = ? WHERE size = ?', size - 1, size);
        return size - 1;
      },
      table: 'checkpoints',
      part: 'size',
      inHashes: true,
    },
    {
      what: 'a record by a key that is not entitled',
      store: (db) => append(db, continuation(db, 'brake', 'brake.updated', log().keyFor('lease'))),
      table: 'entries',
      part: 'signature',
      inHashes: false,
    },
    {
      what: 'a record by a key that nobody knows, under the key id of one that is',
      store: (db) => {
        const stranger = new SigningKey(generateKeySpec(['license'], 'acme'));
        const disguised = {
          keyid: log().keyFor('license').keyid,
          sign: (message: Uint8Array) => stranger.sign(message),
        } as SigningKey;
        const { id } = firstOf(db, 'license.rekeyed');
        return append(db, continuation(db, id, 'license.reissued', disguised));
      },
      table: 'entries',
      part: 'signature',
      inHashes: false,
    },
    {
      what: 'an old signed entry appended again',
      store: (db) => {
        const { index, record } = firstOf(db, 'license.reinstated');
        return append(db, {
          entry: blobAt(db, 'entries', 'entry', index),
          subject: record.subject,
          rev: record.rev,
          contentOf: index,
        });
      },
      table: 'entries',
      part: 'chain',
      inHashes: false,
    },
    {
      what: 'a map root over another map',
      store: (db) => {
        const mapRoot = {
          index: sizeOf(db),
          root: randomBytes(32),
          trust: log().trust.hash,
          at: new Date().toISOString(),
        };
        return append(db, { entry: encodeMapRoot(mapRoot), subject: null, rev: 0 });
      },
      table: 'entries',
      part: 'map-root',
      inHashes: false,
    },
    {
      what: 'a step that the model forbids, signed by the right key',
      store: (db) =>
        append(
          db,
          continuation(db, firstOf(db, 'license.rekeyed').id, 'license.reinstated', log().keyFor('license')),
        ),
      table: 'entries',
      part: 'not_suspended',
      inHashes: false,
    },
    {
      what: 'the revision in the narrow table',
      store: (db) => {
        const index = whole(db);
        execute(db, 'UPDATE leaves SET rev = rev + 1 WHERE idx = ?', index);
        return index;
      },
      table: 'leaves',
      part: 'rev',
      inHashes: true,
    },
    {
      what: 'content removed without an erasure',
      store: (db) => {
        const { index } = firstOf(db, 'license.suspended');
        const sql =
          'UPDATE contents SET salt = NULL, document = NULL, companion_salt = NULL, companion = NULL WHERE idx = ?';
        execute(db, sql, index);
        return index;
      },
      table: 'contents',
      part: 'document',
      inHashes: true,
    },
    {
      what: 'a document removed and its companion left',
      store: (db) => {
        const index = whole(db);
        execute(db, 'UPDATE contents SET document = NULL WHERE idx = ?', index);
        return index;
      },
      table: 'contents',
      part: 'document',
      inHashes: true,
    },
    ...(
      [
        ['leaves', 'leaves'],
        ['entries', 'entries'],
        ['contents', 'contents'],
        ['causes', 'causes'],
      ] as const
    ).map(([of, table]) => ({
      what: `a row of ${of} deleted`,
      store: (db: DatabaseSync) => {
        const index = whole(db);
        execute(db, `DELETE FROM ${of} WHERE idx = ?`, index);
        return index;
      },
      table,
      part: of === 'entries' ? 'entry' : 'row',
      inHashes: true,
    })),
    {
      what: 'a byte too many in a leaf hash',
      store: (db) => {
        const index = whole(db);
        execute(db, "UPDATE leaves SET leaf = CAST(leaf || x'00' AS BLOB) WHERE idx = ?", index);
        return index;
      },
      table: 'leaves',
      part: 'leaf',
      inHashes: true,
    },
    ...(['leaves', 'entries', 'contents', 'causes'] as const).flatMap((of) =>
      (['before', 'behind'] as const)
        .filter((side) => of !== 'leaves' || side === 'before')
        .map((side) => ({
          what: `a row of ${of} put ${side} the log`,
          store: (db: DatabaseSync) => {
            const index = side === 'before' ? -3 : sizeOf(db);
            const columns = db.prepare(`SELECT * FROM ${of}`).columns();
            const others = columns.slice(1).map(({ name }) => name);
            execute(db, `INSERT INTO ${of} SELECT ?, ${others.join()} FROM ${of} WHERE idx = 1`, index);
            return index;
          },
          table: of,
          part: 'row',
          inHashes: true,
        })),
    ),
    {
      what: 'a cause that no command made',
      store: (db) => {
        const { idx } = db
          .prepare('SELECT idx FROM leaves WHERE subject IS NULL AND idx > 0 LIMIT 1')
          .get() as { idx: number };
        execute(db, "INSERT INTO causes VALUES (?, 1, x'00', x'00')", idx);
        return idx;
      },
      table: 'causes',
      part: 'row',
      inHashes: true,
    },
    {
      what: 'content filed under another id',
      store: (db) => {
        const index = whole(db);
        execute(db, 'UPDATE contents SET id = ? WHERE idx = ?', firstOf(db, 'license.suspended').id, index);
        return index;
      },
      table: 'contents',
      part: 'id',
      inHashes: false,
    },
    {
      what: 'another number of records in a cause',
      store: (db) => {
        const index = whole(db);
        execute(db, 'UPDATE causes SET records = 2 WHERE idx = ?', index);
        return index;
      },
      table: 'causes',
      part: 'records',
      inHashes: true,
    },
    {
      what: 'a record filed under another cause',
      store: (db) => {
        const index = whole(db);
        execute(db, 'UPDATE contents SET cause = 1 WHERE idx = ?', index);
        return index;
      },
      table: 'contents',
      part: 'cause',
      inHashes: true,
    },
  ];
}

export const projectionCases: readonly TamperCase[] = [
  [
    'a name pointed elsewhere',
    "UPDATE names SET id = 'lic_0' WHERE name LIKE 'license-key:%'",
    'names',
    'id',
  ],
  ['a name added', "INSERT INTO names VALUES ('reference:C-77', 'cust_0')", 'names', 'row'],
  ['a name removed', "DELETE FROM names WHERE name = 'product-code:pro'", 'names', 'row'],
  ['a request pointed elsewhere', "UPDATE requests SET idx = 1 WHERE key = 'order-1'", 'requests', 'idx'],
  ['a request removed', "DELETE FROM requests WHERE key = 'order-1'", 'requests', 'row'],
  ['a revision pointed elsewhere', "UPDATE revisions SET idx = 1 WHERE id = 'brake'", 'revisions', 'idx'],
  ['a revision added', "INSERT INTO revisions VALUES ('brake', 7, 2)", 'revisions', 'row'],
  ['a plan renamed', "UPDATE catalog SET code = 'gold' WHERE code = 'pro-yearly'", 'catalog', 'code'],
  [
    'a customer brought back',
    "UPDATE customers SET state = 'active' WHERE state = 'erased'",
    'customers',
    'state',
  ],
  [
    'a license brought back',
    "UPDATE licenses SET state = 'active' WHERE state = 'revoked'",
    'licenses',
    'state',
  ],
  ['a license removed', "DELETE FROM licenses WHERE state = 'revoked'", 'licenses', 'row'],
  [
    'a license added',
    "INSERT INTO licenses VALUES ('lic_0', NULL, 'p', 'p', 'active', NULL)",
    'licenses',
    'row',
  ],
  ['a cursor beyond the log', 'UPDATE cursor SET size = 100000', 'cursor', 'size'],
].map(([what = '', sql = '', table = '', part = '']) => ({
  what,
  projections: (db: DatabaseSync): void => execute(db, sql),
  table,
  part,
  inHashes: false,
}));

/** Changes the root (0), or the nth signature, of the checkpoint after the first `skip`. */
export function alterNote(db: DatabaseSync, nth: number, skip = 1): number {
  const { size, note } = db
    .prepare('SELECT size, note FROM checkpoints ORDER BY size LIMIT 1 OFFSET ?')
    .get(skip) as {
    size: number;
    note: string;
  };
  const lines = note.split('\n');
  const at = nth === 0 ? 2 : 3 + nth;
  const line = lines[at] ?? '';
  const place = line.length - 12;
  lines[at] = `${line.slice(0, place)}${line[place] === 'A' ? 'B' : 'A'}${line.slice(place + 1)}`;
  execute(db, 'UPDATE checkpoints SET note = ? WHERE size = ?', lines.join('\n'), size);
  return size;
}

/** Puts the content of the revision before it in the place of a later one's. */
export function documentOfAnotherRevision(db: DatabaseSync): number {
  const reissued = firstOf(db, 'license.reissued');
  const before = recordRows(db).find(
    ({ id, record }) => id === reissued.id && record.rev === reissued.record.rev - 1,
  );
  const sql = `UPDATE contents SET (salt, document, companion_salt, companion) =
        (SELECT salt, document, companion_salt, companion FROM contents WHERE idx = ?) WHERE idx = ?`;
  execute(db, sql, before?.index ?? 0, reissued.index);
  return reissued.index;
}
