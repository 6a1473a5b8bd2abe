/**
 * The signer's door: a local socket that only its owner, or also its group, can open, and that serves the users it is told
 * of; one frame per request.
 */
import { lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { base64, IntegrityError } from '@tallystick/core';
import { ownUser, type SocketAudience } from './cell/files.ts';
import { SocketGuard } from './cell/socket-guard.ts';
import { JournalError } from './journal/journal-error.ts';
import { KeystoreError } from './keystore/keystore-error.ts';
import { Admission } from './peer/admission.ts';
import { ProofFolder } from './peer/proof-folder.ts';
import { encodeFrame, type Frame, FrameReader } from './protocol/frames.ts';
import { parseRequest, SignerRefusal, unavailableReason } from './protocol/requests.ts';
import type { Signer } from './signer.ts';

/** Something that an operator must see. */
export type ReportAlarm = (alarm: { reason: string; message: string; op: string }) => void;

const connectionsMax = 16;
/** Requests of one connection that are carried out at the same time, give or take those of one read. */
const unansweredMax = 64;

/** Who may connect. */
export interface Peers {
  audience: SocketAudience;
  /** Ids of users. */
  users: ReadonlySet<number>;
}

/** Left to itself, it serves its own user alone. */
export async function listen(
  signer: Signer,
  socketPath: string,
  alarm: ReportAlarm,
  { audience, users }: Peers = { audience: 'owner', users: new Set([ownUser()]) },
): Promise<Server> {
  await removeStaleSocket(socketPath);
  const proofs = ProofFolder.open(socketPath, audience, users);
  const admission = new Admission(proofs, (problem) => alarm({ ...problem, op: 'connect' }));
  let guard: SocketGuard | undefined;
  const server = createServer((socket) => {
    const change = guard?.change() ?? null;
    if (change === null) {
      admission.admit(socket, () => serve(signer, socket, alarm));
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
  guard = SocketGuard.watch(socketPath, audience, proofs.path);
  return server;
}

/**
 * Serves one connection: requests are carried out side by side, and answered in the order in which they came, so that
 * a slow one holds up answers and loses none.
 */
function serve(signer: Signer, socket: Socket, alarm: ReportAlarm): void {
  const reader = new FrameReader();
  let unanswered = 0;
  let last: Promise<void> = Promise.resolve();
  // Who does not read answers, or asks faster than they can be given, is read no further: nothing is kept for it
  // without bound.
  const paceReading = (): void => {
    if (unanswered >= unansweredMax || socket.writableNeedDrain) socket.pause();
    else socket.resume();
  };
  const send = async (previous: Promise<void>, answered: Promise<Buffer>): Promise<void> => {
    await previous;
    const bytes = await answered;
    unanswered -= 1;
    if (socket.destroyed) return;
    socket.write(bytes);
    paceReading();
  };
  const giveUp = (error: unknown): void => {
    alarm({ reason: 'malformed', message: String(error), op: 'frame' });
    socket.destroy();
  };
  socket.on('drain', paceReading);
  socket.on('data', (chunk: Buffer) => {
    try {
      for (const frame of reader.push(chunk)) {
        unanswered += 1;
        const answered = answer(signer, frame, alarm).catch((error: unknown) => {
          giveUp(error);
          return Buffer.alloc(0);
        });
        last = send(last, answered);
      }
      paceReading();
    } catch (error) {
      // A broken frame leaves no way to find the next one.
      giveUp(error);
    }
  });
}

/** What goes wrong is an answer, too. Throws for a header that is no object; rejects where no answer fits a frame. */
function answer(signer: Signer, frame: Frame, alarm: ReportAlarm): Promise<Buffer> {
  const { id, op } = frame.header as { id?: unknown; op?: unknown };
  const refuse = (error: unknown): Buffer => {
    const reason = refusalReason(error);
    const message = error instanceof Error ? error.message : String(error);
    alarm({ reason, message, op: String(op) });
    return encodeFrame({ id, error: { reason, message } });
  };
  return carryOut(signer, frame, id).catch(refuse);
}

function refusalReason(error: unknown): string {
  if (error instanceof SignerRefusal) return error.reason;
  if (error instanceof KeystoreError || error instanceof JournalError) return unavailableReason;
  return error instanceof IntegrityError ? 'malformed' : 'internal';
}

async function carryOut(signer: Signer, frame: Frame, id: unknown): Promise<Buffer> {
  const request = parseRequest(frame.header, frame.attachments);
  switch (request.op) {
    case 'hello': {
      const { origin, mark, keys, destroyed, brakes, access } = signer.describe();
      const place = ({ size, root }: typeof mark): object => ({ size, root: base64(root) });
      const told = (key: (typeof keys)[number]): object => ({ ...key, key: base64(key.key) });
      return encodeFrame({
        id,
        origin,
        mark: { origin, ...place(mark) },
        access: access && { origin: access.origin, ...place(access) },
        keys: keys.map(told),
        destroyed: destroyed.map(told),
        brakes: brakes.map((brake) => JSON.stringify(brake)),
      });
    }
    case 'attest':
      return encodeFrame({ id }, [await signer.attest(request.keyids)]);
    case 'batch': {
      const { entries, promise } = await signer.signBatch(request.batch);
      return encodeFrame({ id, lengths: entries.map(({ length }) => length) }, [...entries, promise]);
    }
    case 'abandon':
      await signer.abandon(request.abandoned);
      return encodeFrame({ id });
    case 'adopt':
      await signer.adopt(request.entry, request.document);
      return encodeFrame({ id });
    case 'clock':
      return encodeFrame({ id, problem: signer.clockProblem() });
    case 'witnessed':
      await signer.witnessed(request.note, request.isFresh);
      return encodeFrame({ id });
    case 'follow':
      await signer.follow(request.note, request.proof);
      return encodeFrame({ id });
    case 'trust':
      await signer.adoptTrustRoot(request.envelopes);
      return encodeFrame({ id });
    case 'promise': {
      const { keyid, sig } = await signer.signPromise(request.statement);
      return encodeFrame({ id, keyid }, [sig]);
    }
    case 'checkpoint': {
      const lines = await signer.signCheckpoint(request.checkpoint, request.proof);
      const described = lines.map((line) => ({ keyId: base64(line.id), length: line.signature.length }));
      return encodeFrame(
        { id, lines: described },
        lines.map(({ signature }) => signature),
      );
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
