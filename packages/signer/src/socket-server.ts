/** The signer's door: a local socket that only its owner, or also its group, can open; one frame per request. */
import { lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { base64, IntegrityError } from '@tallystick/core';
import type { SocketAudience } from './cell/files.ts';
import { SocketGuard } from './cell/socket-guard.ts';
import { encodeFrame, type Frame, FrameReader } from './protocol/frames.ts';
import { parseRequest, SignerRefusal, type SignerRequest } from './protocol/requests.ts';
import type { Signer } from './signer.ts';

/** Something that an operator must see. */
export type ReportAlarm = (alarm: { reason: string; message: string; op: string }) => void;

const connectionsMax = 16;

export async function listen(
  signer: Signer,
  socketPath: string,
  alarm: ReportAlarm,
  audience: SocketAudience = 'owner',
): Promise<Server> {
  await removeStaleSocket(socketPath);
  let guard: SocketGuard | undefined;
  const server = createServer((socket) => {
    const change = guard?.change() ?? null;
    if (change === null) {
      serve(signer, socket, alarm);
      return;
    }
    alarm({ reason: 'socket_changed', message: change, op: 'connect' });
    socket.destroy();
  });
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket is bound within the call, and is open to nobody else from its first moment on.
    const umask = process.umask(audience === 'group' ? 0o117 : 0o177);
    try {
      server.listen(socketPath, resolve);
    } finally {
      process.umask(umask);
    }
  });
  guard = SocketGuard.watch(socketPath, audience);
  return server;
}

function serve(signer: Signer, socket: Socket, alarm: ReportAlarm): void {
  const reader = new FrameReader();
  socket.on('error', () => socket.destroy());
  socket.on('drain', () => socket.resume());
  socket.on('data', (chunk: Buffer) => {
    try {
      const answers = reader.push(chunk).map((frame) => answer(signer, frame, alarm));
      // Who does not read answers gets no more of them: nothing is kept for it without bound.
      if (answers.length > 0 && !socket.write(Buffer.concat(answers))) socket.pause();
    } catch (error) {
      // A broken frame leaves no way to find the next one.
      alarm({ reason: 'malformed', message: String(error), op: 'frame' });
      socket.destroy();
    }
  });
}

function answer(signer: Signer, frame: Frame, alarm: ReportAlarm): Buffer {
  const { id, op } = frame.header as { id?: unknown; op?: unknown };
  try {
    return carryOut(signer, parseRequest(frame.header, frame.attachments), id);
  } catch (error) {
    const reason = refusalReason(error);
    const message = error instanceof Error ? error.message : String(error);
    alarm({ reason, message, op: String(op) });
    return encodeFrame({ id, error: { reason, message } });
  }
}

function refusalReason(error: unknown): string {
  if (error instanceof SignerRefusal) return error.reason;
  return error instanceof IntegrityError ? 'malformed' : 'internal';
}

function carryOut(signer: Signer, request: SignerRequest, id: unknown): Buffer {
  switch (request.op) {
    case 'hello': {
      const { origin, mark, keys } = signer.describe();
      return encodeFrame({
        id,
        origin,
        mark: { origin, size: mark.size, root: base64(mark.root) },
        keys: keys.map((key) => ({ ...key, key: base64(key.key) })),
      });
    }
    case 'batch': {
      const { entries, promise } = signer.signBatch(request.batch);
      return encodeFrame({ id, lengths: entries.map(({ length }) => length) }, [...entries, promise]);
    }
    case 'promise': {
      const { keyid, sig } = signer.signPromise(request.statement);
      return encodeFrame({ id, keyid }, [sig]);
    }
    case 'checkpoint': {
      const { id: keyId, signature } = signer.signCheckpoint(request.checkpoint, request.proof);
      return encodeFrame({ id, keyId: base64(keyId) }, [signature]);
    }
  }
}

/** A socket file without a listener is what kill -9 leaves; one with a listener is another signer. */
async function removeStaleSocket(socketPath: string): Promise<void> {
  const isAlive = await new Promise<boolean>((resolve) => {
    const probe = connect(socketPath);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (isAlive) throw new Error(`another signer is listening on ${socketPath}`);
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`${socketPath} is a file, and not a socket that a signer left behind`);
  rmSync(socketPath);
}
