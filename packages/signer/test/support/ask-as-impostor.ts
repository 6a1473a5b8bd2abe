/**
 * A user who may open the socket and is not to be served: `node ask-as-impostor.ts <socket> <proof of another> <other folder of
 * that user>`. Tries to have one of these take the place of its own proof, says that it has, and prints in JSON how each
 * attempt ended and what the signer said.
 */
import { linkSync, renameSync, rmdirSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { proofFolderOf } from '../../src/peer/proof-names.ts';
import { encodeFrame, FrameReader } from '../../src/protocol/frames.ts';

const [path = '', proof = '', folder = ''] = process.argv.slice(2);

function attempt(act: () => void): string {
  try {
    act();
    return 'succeeded';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

const socket = connect(path);
const reader = new FrameReader();
let attempts: Record<string, string> = {};
socket.on('data', (chunk: Buffer) => {
  for (const { header } of reader.push(chunk)) {
    const { challenge, error } = header as { challenge?: string; error?: { reason: string } };
    if (challenge === undefined) {
      process.stdout.write(JSON.stringify({ ...attempts, said: error?.reason ?? 'served' }));
      socket.destroy();
      return;
    }
    const own = join(proofFolderOf(path), challenge);
    attempts = {
      renamed: attempt(() => renameSync(proof, own)),
      removed: attempt(() => rmdirSync(proof)),
      moved: attempt(() => renameSync(folder, own)),
      linked: attempt(() => linkSync(proof, own)),
      pointed: attempt(() => symlinkSync(proof, own)),
    };
    socket.write(encodeFrame({ proven: true }));
  }
});
