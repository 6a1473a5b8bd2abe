/**
 * What documents at a mirror cost: the server that reads, checks and seals them, and the mirror that opens, checks and keeps
 * them behind its cosignatures. `TALLY_BENCH_DOCUMENTS` is the number of entries, 50000 where it is not set.
 */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { concatBytes, utf8 } from '@tallystick/core';
import { plainPartsOf } from '@tallystick/server';
import {
  type ContentKey,
  createContentKey,
  createReplayer,
  initState,
  keyFromSeed,
  loadContentKey,
  sealBatch,
} from '@tallystick/witness';
import type { Bench, BenchContext } from '../bench.ts';
import { makeLog, type PublishedLog } from '../published-log.ts';
import { formatRate, type Rate, rateOf } from '../rate.ts';
import { formatNumber, markdownTable } from '../report.ts';

const entriesDefault = 50_000;
const batchEntries = 1024;
const replayerName = 'replayer.example/bench';

type Store = Parameters<typeof plainPartsOf>[0];

/** Seals everything as the server does, batch by batch, and puts it where the mirror asks for it. */
async function sealAll(store: Store, { size, told, files }: PublishedLog, key: ContentKey): Promise<number> {
  for (let from = 0; from < size; from += batchEntries) {
    const wanted = Math.min(size, from + batchEntries);
    const leaves = (await store.leaves(from, wanted - from)).map(({ leaf }) => leaf);
    const { parts, to } = await plainPartsOf(store, told.genesis, from, concatBytes(...leaves));
    if (to !== wanted) throw new Error(`a batch ends at ${to}`);
    const bytes = sealBatch(parts, { from, to, size }, key, told.genesis);
    files.set(`log/contents/${from}?to=${wanted}`, bytes);
  }
  return size;
}

/** A replayer that knows nothing, up to its cosignature, and then until it has all documents. */
async function follow(log: PublishedLog, url: string, key: ContentKey | null, files: Files): Promise<Rate> {
  const { size, note, told } = log;
  const { stateFile, file, keyFile } = files;
  initState({ stateFile, kind: 'replayer', name: replayerName, origins: [told.origin] });
  const publicKey = loadContentKey(keyFile);
  const contents = { file, token: 'any', publicKey, keyFile: key === null ? null : keyFile };
  await using replayer = createReplayer({
    keys: [keyFromSeed(replayerName, new Uint8Array(32).fill(7))],
    stateFile,
    logs: [{ ...told, logUrl: `${url}/log`, trustUrl: `${url}/trust`, contents }],
    now: () => Math.floor(Date.now() / 1000) + 1,
    workers: 2,
  });
  await replayer.addCheckpoint(utf8(`old 0\n\n${note}`));
  const fetched = (): number => replayer.status()[0]?.mirror?.contents?.fetched ?? 0;
  const documents = await rateOf(async () => {
    while (fetched() < size) await after(5);
    return size;
  });
  if (replayer.status()[0]?.mirror?.contents?.lacks !== 0) throw new Error('documents are lacking');
  return documents;
}

interface Files {
  stateFile: string;
  file: string;
  keyFile: string;
}

async function run(context: BenchContext): Promise<string[]> {
  const wanted = Number(process.env['TALLY_BENCH_DOCUMENTS'] ?? entriesDefault);
  const keyFile = join(context.directory, 'content.key');
  createContentKey(keyFile);
  const key = loadContentKey(keyFile);
  const sealed: Rate[] = [];
  const log = await makeLog(wanted, context.log, async (store, made) => {
    sealed.push(await rateOf(() => sealAll(store, made, key)));
  });
  const traveled = [...log.files].filter(([path]) => path.startsWith('log/contents/'));
  const bytes = traveled.reduce((sum, [, each]) => sum + each.length, 0) / log.size;
  const server = new Worker(new URL('../file-server.worker.ts', import.meta.url), { workerData: log.files });
  try {
    const [url] = (await once(server, 'message')) as [string];
    const placed = (name: string): Files => ({
      stateFile: join(context.directory, `${name}-state.db`),
      file: join(context.directory, `${name}-contents.db`),
      keyFile,
    });
    const opened = await follow(log, url, key, placed('opening'));
    const carried = await follow(log, url, null, placed('carrying'));
    const rows = [
      [
        formatNumber(log.size),
        formatRate(sealed),
        formatRate([opened]),
        formatRate([carried]),
        String(Math.round(bytes)),
        String(Math.round(statSync(placed('opening').file).size / log.size)),
      ],
    ];
    const headers = [
      'entries',
      'sealed, entries/s',
      'followed with the key, entries/s',
      'followed without it, entries/s',
      'bytes sent an entry',
      'bytes on disk an entry',
    ];
    return [
      'Documents, companions and causes of a log of licenses, every tenth of which was suspended: read, checked and sealed in ' +
        'batches of 1,024 entries as the server does in a thread of its own; and fetched from loopback, opened, checked and ' +
        'made durable by a mirror that has cosigned the log. In parentheses the processor time of one entry in all threads.',
      markdownTable(headers, rows),
    ];
  } finally {
    await server.terminate();
  }
}

export const bench: Bench = { name: 'mirror-documents', title: 'Documents at a mirror', run };
