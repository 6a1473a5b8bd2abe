/**
 * The first words on a connection, before any request is read:
 *
 *     signer  {"challenge": 64 hexadecimal digits}
 *     peer    {"proven": true}, once it has made the directory of that name
 *     signer  {"served": true}, or {"error": {"reason", "message"}} and the end
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { encodeFrame, FrameReader } from '../protocol/frames.ts';
import { type PeerProblem, type ProofFolder, unproven } from './proof-folder.ts';

/** Of the connections that the socket takes: the others are left to those who have shown who they are. */
const unprovenMax = 8;
const proofMsMax = 5000;
const frameLengthMax = 64;

export class Admission {
  readonly #proofs: ProofFolder;
  readonly #refused: (problem: PeerProblem) => void;
  #unproven = 0;

  /** @param refused told of each peer that is turned away */
  constructor(proofs: ProofFolder, refused: (problem: PeerProblem) => void) {
    this.#proofs = proofs;
    this.#refused = refused;
  }

  /** Calls `admitted` once the peer has shown that it is a user who may ask; ends the connection otherwise. */
  admit(socket: Socket, admitted: () => void): void {
    socket.on('error', () => socket.destroy());
    if (this.#unproven >= unprovenMax) {
      this.#turnAway(socket, unproven(`${unprovenMax} others are about to`));
      return;
    }
    this.#unproven += 1;
    const challenge = randomBytes(32).toString('hex');
    const reader = new FrameReader(frameLengthMax);
    const settle = (problem: PeerProblem | null): void => {
      end();
      if (problem !== null) {
        this.#turnAway(socket, problem);
        return;
      }
      socket.write(encodeFrame({ served: true }));
      admitted();
    };
    const onData = (chunk: Buffer): void => {
      const answer = proofIn(reader, chunk);
      if (answer === 'pending') return;
      settle(answer === 'proven' ? this.#proofs.problem(challenge) : unproven('it says something else'));
    };
    const timer = setTimeout(() => settle(unproven('its time is up')), proofMsMax);
    const end = (): void => {
      this.#unproven -= 1;
      clearTimeout(timer);
      socket.off('data', onData).off('close', end);
    };
    socket.on('data', onData).on('close', end);
    socket.write(encodeFrame({ challenge }));
  }

  #turnAway(socket: Socket, problem: PeerProblem): void {
    this.#refused(problem);
    socket.write(encodeFrame({ error: problem }));
    socket.destroySoon();
  }
}

/** Nothing may come behind the proof before it was looked at. */
function proofIn(reader: FrameReader, chunk: Buffer): 'pending' | 'proven' | 'other' {
  try {
    const frames = reader.push(chunk);
    const [frame] = frames;
    if (frame === undefined) return 'pending';
    const { proven } = frame.header as { proven?: unknown };
    return frames.length === 1 && reader.isEmpty && proven === true ? 'proven' : 'other';
  } catch {
    // Whatever is wrong with it, it is no proof.
    return 'other';
  }
}
