/**
 * How fast a replayer catches up with a log that it is told of, keeping every entry durably, and how fast it hands them
 * out again. `TALLY_BENCH_REPLAY` is the number of entries, 100000 where it is not set.
 */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { formatTilePath, tileWidth, utf8 } from '@tallystick/core';
import { type Cosigner, createReplayer, initState, keyFromSeed, logPathName } from '@tallystick/witness';
import type { Bench, BenchContext } from '../bench.ts';
import { makeLog, type PublishedLog } from '../published-log.ts';
import { bareChecks, formatRate, type Rate, rateOf } from '../rate.ts';
import { formatNumber, formatRatios, interleave, markdownTable, pairRatios } from '../report.ts';

const entriesDefault = 100_000;
const replayerName = 'replayer.example/bench';
const threads = 2;
const readerToken = 'reader';

interface Caught {
  replayed: Rate;
  served: Rate;
  /** Of the state file, a row. */
  bytesPerEntry: number;
}

/** One replayer that knows nothing, up to its cosignature, and then a reader that takes all entries. */
async function catchUp(log: PublishedLog, url: string, stateFile: string): Promise<Caught> {
  const { size, note, told } = log;
  rmSync(stateFile, { force: true });
  initState({ stateFile, kind: 'replayer', name: replayerName, origins: [told.origin] });
  await using replayer = createReplayer({
    keys: [keyFromSeed(replayerName, new Uint8Array(32).fill(7))],
    stateFile,
    logs: [{ ...told, logUrl: `${url}/log`, trustUrl: `${url}/trust` }],
    now: () => Math.floor(Date.now() / 1000) + 1,
    workers: threads,
    tokenHashes: [createHash('sha256').update(readerToken).digest()],
  });
  const replayed = await rateOf(async () => {
    await replayer.addCheckpoint(utf8(`old 0\n\n${note}`));
    return size;
  });
  const [status] = replayer.status();
  if (status?.size !== size || status.mirror?.held !== size)
    throw new Error('not all of it was cosigned and kept');
  const served = await rateOf(async () => readAll(replayer, told.origin, size));
  return { replayed, served, bytesPerEntry: statSync(stateFile).size / size };
}

/** Takes every entry tile, as a request for it is answered. */
function readAll(replayer: Cosigner, origin: string, size: number): number {
  for (let index = 0; index * tileWidth < size; index++) {
    const width = Math.min(tileWidth, size - index * tileWidth);
    const path = `/mirror/${logPathName(origin)}/${formatTilePath({ level: 'entries', index, width })}`;
    const answer = replayer.read?.(path, `Bearer ${readerToken}`);
    if (answer?.status !== 200) throw new Error(`entry tile ${index}: ${answer?.status}`);
  }
  return size;
}

async function run(context: BenchContext): Promise<string[]> {
  const wanted = Number(process.env['TALLY_BENCH_REPLAY'] ?? entriesDefault);
  const log = await makeLog(wanted, context.log);
  const server = new Worker(new URL('../file-server.worker.ts', import.meta.url), { workerData: log.files });
  try {
    const [url] = (await once(server, 'message')) as [string];
    const caught: Caught[] = [];
    const { replayed, bare } = await interleave(context.rounds, {
      replayed: async (round) => {
        const one = await catchUp(log, url, join(context.directory, `state-${round}.db`));
        caught.push(one);
        return one.replayed;
      },
      bare: bareChecks,
    });
    const bytes = Math.round(Math.max(...caught.map((each) => each.bytesPerEntry)));
    const perSecond = (rates: readonly Rate[]): number[] => rates.map((rate) => rate.perSecond);
    const ratio = formatRatios(pairRatios(perSecond(replayed), perSecond(bare)));
    const served = formatRate(caught.map((each) => each.served));
    const rows = [
      [formatNumber(log.size), formatRate(replayed), formatRate(bare), ratio, served, String(bytes)],
    ];
    const headers = [
      'entries',
      'entries/s',
      'Ed25519 checks/s, one thread',
      'ratio',
      'handed out, entries/s',
      'bytes on disk an entry',
    ];
    return [
      `A replayer with ${threads} threads for signatures that catches up with a log from entry 0, over entry tiles ` +
        'from a server on loopback, up to its cosignature, and keeps every entry durably before that. Every tenth license ' +
        'was suspended. Then what it hands out as entry tiles, each entry compared with its leaf. Beside it the Ed25519 ' +
        'checks that one thread does, and in parentheses the processor time of one in all threads, the tile ' +
        `server's included. ${context.rounds} rounds in turn.`,
      markdownTable(headers, rows),
    ];
  } finally {
    await server.terminate();
  }
}

export const bench: Bench = { name: 'replay', title: 'A replayer catching up', run };
